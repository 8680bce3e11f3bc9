"""From an exchangeable kernel to its spectrum: every theorem of theory.md §3 in one piece of code, §4 in another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.kernels.exchangeable import ExchangeableKernel
from meanfield.kernels.logits import Ensemble
from meanfield.kernels.softmax import bulk_edge, mean_covariance, outlier_roots, softmax_moments

__all__ = ["Spectrum", "collect_networks", "softmax_spectrum", "spectrum_statistics"]

Floats = NDArray[np.float64]

_SEARCH = {True: 1e-12, False: 1e-3}  # relative tolerance of the outliers of one network, and of many


@dataclass(frozen=True)
class Spectrum:
    """Statistics of a metric's eigenvalues; arrays over the widths and samples asked for.

    ``mean`` and ``second_moment`` are Σλ/P and Σλ²/P over all P eigenvalues; ``outliers`` are the largest ones,
    descending on the last axis; ``bulk`` is the mean of the other non-zero eigenvalues, of which there are
    ``multiplicity``, and together they make up the trace. Softmax outliers that merged count as bulk. Where
    :mod:`meanfield.leading.conditions` voids all outliers, ``bulk`` and ``multiplicity`` stay what they are beside the
    outliers of the two-value kernel, whose share of the trace is then in neither; at the refined order they count as
    bulk.

    ``bounds`` enclose the largest, where it is not known exactly. ``networks`` holds the statistics of each network of
    an ensemble, on the first axis, and ``error`` the relative error of their means.
    """

    mean: Floats
    second_moment: Floats
    outliers: Floats
    bulk: Floats
    multiplicity: Floats
    bounds: tuple[Floats, Floats] | None = None
    networks: Mapping[str, Floats] | None = None
    error: float = 0.0


def spectrum_statistics(kernel: ExchangeableKernel) -> Spectrum:
    """The spectrum of ``ν · I_C ⊗ [(K₁ - K₂) I_N + K₂ 1 1ᵀ]``: trace, squared Frobenius norm and top eigenvalue."""
    nu, n, c, p = kernel.normaliser, kernel.samples, kernel.outputs, kernel.dimension
    multiplicity = _multiplicity(kernel, kernel.outputs)
    bulk = np.divide(nu * c * (n - 1) * kernel.gap, multiplicity, out=np.full(n.shape, np.nan), where=multiplicity > 0)
    outlier = nu * (kernel.same + (n - 1) * kernel.other)
    return Spectrum(
        mean=nu * c * n * kernel.same / p,
        second_moment=nu**2 * c * n * (kernel.same**2 + (n - 1) * kernel.other**2) / p,
        outliers=np.repeat(outlier[..., None], 0 if kernel.projected else c, axis=-1),
        bulk=bulk,
        multiplicity=multiplicity,
    )


def softmax_spectrum(kernel: ExchangeableKernel, ensemble: Callable[[int], Ensemble]) -> Spectrum:
    """The spectrum of ``Rᵀ (ν I_C ⊗ [(K₁ - K₂) I_N + K₂ 1 1ᵀ]) R``, averaged over an ensemble of networks.

    ``ensemble`` gives the networks' probabilities for N samples. Theory.md §4 and, for ``bounds``, Theorem 3.3.
    """
    ensembles = {n: ensemble(n) for n in np.unique(kernel.samples).astype(int).tolist()}
    cells = [(cell, ensembles[int(cell.samples)]) for cell in kernel.cells()]
    return collect_networks(kernel, [(e, _softmax_networks(cell, e.g)) for cell, e in cells])


def collect_networks(kernel: ExchangeableKernel, each: Sequence[tuple[Ensemble, Mapping[str, Floats]]]) -> Spectrum:
    """The spectrum from the ensemble of each cell, in C order, with its networks' mean, second_moment, outliers, and
    lower and upper bound of the largest."""
    shape = kernel.samples.shape
    networks = {name: np.stack([x[name] for _, x in each], axis=1) for name in each[0][1]}
    error = max(_relative_error(e, x) for e, x in each)
    networks = {name: x.reshape(len(x), *shape, *x.shape[2:]) for name, x in networks.items()}
    mean = {name: x.mean(axis=0) for name, x in networks.items()}
    outlying = np.sum(np.isfinite(mean["outliers"]), axis=-1)
    multiplicity = _multiplicity(kernel, kernel.outputs - 1) + (
        0 if kernel.projected else kernel.outputs - 1 - outlying
    )
    rest = mean["mean"] * kernel.dimension - np.nansum(mean["outliers"], axis=-1)
    return Spectrum(
        mean=mean["mean"],
        second_moment=mean["second_moment"],
        outliers=mean["outliers"],
        bulk=np.divide(rest, multiplicity, out=np.full(shape, np.nan), where=multiplicity > 0),
        multiplicity=multiplicity,
        bounds=(mean.pop("lower"), mean.pop("upper")),
        networks={name: networks[name] for name in ("mean", "second_moment", "outliers")},
        error=error,
    )


def _multiplicity(kernel: ExchangeableKernel, outputs: int) -> Floats:
    """Non-zero eigenvalues beside one for each output, which is either an outlier or projected out."""
    available = kernel.dimension + (outputs if kernel.projected else 0)
    count = np.maximum(np.minimum(available, outputs * kernel.samples) - outputs, 0.0)
    nonzero: Floats = np.where(kernel.gap > 0, count, 0.0)
    return nonzero


def _softmax_networks(cell: ExchangeableKernel, g: Floats) -> dict[str, Floats]:
    """The statistics of each network of an ensemble, at one width and sample number."""
    nu, n, p = cell.normaliser, cell.samples, cell.dimension
    q = softmax_moments(g)
    second_moment = nu**2 * n * (q.square * cell.same**2 + (n - 1) * q.product * cell.other**2) / p
    return {
        "mean": nu * n * cell.same * q.trace / p,
        "second_moment": second_moment,
        "outliers": _softmax_outliers(cell, g),
        "lower": nu * (cell.same + (n - 1) * cell.other) * q.variance,
        "upper": np.sqrt(p * second_moment),
    }


def _softmax_outliers(cell: ExchangeableKernel, g: Floats) -> Floats:
    outlying = 0 if cell.projected else cell.outputs - 1
    if outlying == 0 or (cell.other <= 0 < cell.gap):
        return np.full((len(g), outlying), np.nan)
    if cell.samples == 1 or cell.gap == 0:
        # One sample or equal ones, no bulk: the spectrum is that of Q̄.
        height = cell.normaliser * (cell.same + (cell.samples - 1) * cell.other)
        eigenvalues: Floats = height * np.maximum(np.linalg.eigvalsh(mean_covariance(g))[:, :0:-1], 0.0)
        return eigenvalues
    epsilon = float(cell.gap / (cell.samples * cell.other))
    roots = outlier_roots(g, epsilon, bulk_edge(g, epsilon), _SEARCH[len(g) == 1])
    return cell.normaliser * cell.samples * cell.other * roots


def _relative_error(ensemble: Ensemble, statistics: Mapping[str, Floats]) -> float:
    """The largest relative standard error of any mean; merged outliers have none."""
    worst = 0.0
    for name in ("mean", "second_moment", "outliers"):
        errors, means = ensemble.standard_error(statistics[name]), np.abs(statistics[name].mean(axis=0))
        ratios = np.divide(errors, means, out=np.zeros_like(errors), where=means > 0)
        worst = max(worst, float(np.max(ratios[np.isfinite(ratios)], initial=0.0)))
    return worst
