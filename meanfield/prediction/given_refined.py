"""The refined order on given inputs as statistics: means over networks, and the law behind them."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from meanfield.finite_width.given_law import GivenLaw, refine_given
from meanfield.kernels.matrix import GivenKernel
from meanfield.leading.given import DataSpectrum
from meanfield.propagation.samples import GivenSamples, Rows
from meanfield.spec import Metric

__all__ = ["REFINED_ASSUMPTIONS", "refined_on_data"]

Floats = NDArray[np.float64]

REFINED_ASSUMPTIONS = (
    "widths M large at given inputs: relative corrections of order 1/M are in, those of order 1/M² are not; std and "
    "interval are the spread over networks",
    "given inputs, whatever their norms and overlaps",
    "weights and biases independent Gaussians (random initialisation)",
)


def refined_on_data(kernel: GivenKernel, squared: DataSpectrum, samples: GivenSamples, width: int) -> DataSpectrum:
    """``squared`` with means over networks of this width in place of the limit's values.

    Raises
    ------
    ValueError
        For a Gram matrix in place of the inputs, or what :func:`refine_given` refuses.
    """
    if not isinstance(samples, Rows):
        raise ValueError("inputs: expected an array (N, d) for the refined order, got a Gram matrix")
    metric = cast(Metric, kernel.metric)  # predict asks for one, not for q^L
    law = refine_given(kernel.network, metric, kernel.network.widths(width), samples.values)
    networks = _networks(law, kernel, len(squared.outliers))
    count = len(networks["largest"])
    mean = {name: np.mean(values, axis=0) for name, values in networks.items()}
    return replace(
        squared,
        mean=law.trace_mean / kernel.dimension,
        second_moment=float(mean["second_moment"]),
        largest=float(mean["largest"]),
        outliers=mean["outliers"],
        eigenvalues=law.mean,
        networks=networks,
        error=float(np.std(networks["largest"]) / np.sqrt(count) / mean["largest"]),
        warnings=law.warnings,
        resolved=int(np.sum(np.isfinite(law.mean))),
        validity=law.validity,
    )


def _networks(law: GivenLaw, kernel: GivenKernel, outliers: int) -> dict[str, Floats]:
    """Statistics of equally likely networks, first axis: of the joint law, or of its largest eigenvalue and trace
    alone, which are then taken as independent; NaN for the others."""
    count, size = len(law.largest), len(law.mean)
    if law.all is not None and law.law is not None:
        known = np.nan_to_num(law.all)
        trace, square = known.sum(axis=1), np.sum(known**2, axis=1) / kernel.dimension
        top, eigenvalues = law.all[:, :outliers], law.law
    else:
        trace = np.random.default_rng(0).permutation(ndtri((np.arange(count) + 0.5) / count))
        square, top = np.full(count, np.nan), np.full((count, outliers), np.nan)
        eigenvalues = np.full((count, size), np.nan)
        top[:, :1] = law.largest[:, None]
    # The trace's own mean and deviation are known in closed form.
    trace = law.trace_mean + law.trace_std * (trace - trace.mean()) / max(float(trace.std()), 1e-300)
    return {
        "mean": trace / kernel.dimension,
        "second_moment": square,
        "largest": law.largest,
        "outliers": top,
        "eigenvalues": eigenvalues,
    }
