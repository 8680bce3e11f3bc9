"""From the kernel of given inputs to its spectrum: no two values, all of the eigenvalues (data_geometry §A)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.kernels.given_softmax import largest_eigenvalues, sandwich, sandwich_moments
from meanfield.kernels.logits import given_logits
from meanfield.kernels.matrix import GivenKernel
from meanfield.kernels.softmax import probabilities
from meanfield.spec import LOSSES, Metric

__all__ = ["DataSpectrum", "logits_of_process", "softmax_on_data", "squared_on_data"]

Floats = NDArray[np.float64]

_DENSE = 4000  # CN, up to which all eigenvalues of one network's dual are found
_DENSE_MANY = 600  # the same of each network of an ensemble
_NETWORKS = 64
_SEED = 15101


@dataclass(frozen=True)
class DataSpectrum:
    """Statistics of a metric on given inputs at one width.

    ``eigenvalues`` are descending and ``multiplicity``-fold each; ``None`` where there are too many for them all.
    ``networks`` has the statistics of each network of an ensemble; the others are then means over it. ``resolved`` of
    the eigenvalues are known. ``validity`` are the numbers behind a refinement's verdict.
    """

    mean: float
    second_moment: float
    largest: float
    outliers: Floats
    eigenvalues: Floats | None
    multiplicity: int
    networks: Mapping[str, Floats] | None = None
    error: float = 0.0
    warnings: tuple[str, ...] = ()
    resolved: int | None = None
    validity: object = None


def squared_on_data(kernel: GivenKernel) -> DataSpectrum:
    """Of ``ν I_C ⊗ K``: every eigenvalue of νK is C-fold; the largest of each output counts as its outlier."""
    nu, outputs, dimension = kernel.normaliser, kernel.outputs, kernel.dimension
    eigenvalues = kernel.eigenvalues
    centered = kernel.metric is not None and kernel.metric.centered
    return DataSpectrum(
        mean=nu * outputs * float(np.trace(kernel.matrix)) / dimension,
        second_moment=nu**2 * outputs * float(np.vdot(kernel.matrix, kernel.matrix)) / dimension,
        largest=float(eigenvalues[0]),
        outliers=np.repeat(eigenvalues[:1], 0 if centered else outputs),
        eigenvalues=eigenvalues,
        multiplicity=outputs,
        warnings=kernel.warnings,
        resolved=kernel.resolved,
    )


def softmax_on_data(kernel: GivenKernel, metric: Metric, logits: list[Floats], given: bool) -> DataSpectrum:
    """Of ``Rᵀ (ν I_C ⊗ K) R``: for one network's ``given`` logits (N, C), or the mean over an ensemble of them."""
    count = kernel.outputs - LOSSES[metric.loss].unseen
    g = [given_logits(f, metric.centered).g[0] if given else _probabilities(f, metric.centered) for f in logits]
    dense = kernel.outputs * len(kernel.matrix) <= (_DENSE if given else _DENSE_MANY)
    rows = [_statistics(kernel, x, count, dense) for x in g]
    each = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    mean = {name: values.mean(axis=0) for name, values in each.items()}
    error = 0.0 if given else float(np.max(each["largest"].std(ddof=1) / np.sqrt(len(g)) / mean["largest"]))
    outliers = mean["top"][:0] if metric.centered else mean["top"]
    words = f"eigenvalues: C N = {kernel.outputs * len(kernel.matrix)} are too many to find all; the largest are there"
    law = {name: each[name] for name in ("mean", "second_moment", "largest")}
    return DataSpectrum(
        mean=float(mean["mean"]),
        second_moment=float(mean["second_moment"]),
        largest=float(mean["largest"]),
        outliers=outliers,
        eigenvalues=mean["eigenvalues"] if dense else None,
        multiplicity=1,
        networks=None if given else {**law, "outliers": each["top"][:, : len(outliers)]},
        error=error,
        warnings=(*kernel.warnings, *[words] * (not dense)),
        resolved=_resolved(kernel, mean["eigenvalues"]) if dense else None,
    )


def _resolved(kernel: GivenKernel, values: Floats) -> int:
    """Those above the rounding of a dual of C N rows, and above the kernel's own error, since |R| <= 1."""
    rounding = kernel.outputs * len(kernel.matrix) * float(np.finfo(np.float64).eps) * values[0]
    return int(np.sum(values > max(rounding, kernel.normaliser * kernel.error)))


def _probabilities(logits: Floats, centered: bool) -> Floats:
    f = logits.T[None]
    g: Floats = probabilities(f - f.mean(axis=2, keepdims=True) if centered else f)[0]
    return g


def _statistics(kernel: GivenKernel, g: Floats, count: int, dense: bool) -> dict[str, Floats]:
    nu, dimension = kernel.normaliser, kernel.dimension
    moments = sandwich_moments(kernel.matrix, g)
    live = count * len(kernel.matrix)
    all_ = np.linalg.eigvalsh(sandwich(kernel.matrix, g))[::-1][:live] if dense else None
    values: Floats = nu * (largest_eigenvalues(kernel.matrix, g, count) if all_ is None else np.asarray(all_, float))
    return {
        "mean": np.asarray(nu * moments.trace / dimension),
        "second_moment": np.asarray(nu**2 * moments.square / dimension),
        "largest": np.asarray(values[0]),
        "top": values[:count],
        "eigenvalues": values,
    }


def logits_of_process(covariance: Floats, outputs: int) -> list[Floats]:
    """Logits (N, C) of 64 networks: C independent Gaussian processes over the samples, of the covariance q^L (N, N)."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    drawn = np.random.default_rng(_SEED).standard_normal((_NETWORKS, len(covariance), outputs))
    return [root @ z for z in drawn]
