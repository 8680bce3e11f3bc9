"""Exponents: how a statistic grows with the width and with the number of samples."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from meanfield.kernels.exchangeable import ExchangeableKernel
from meanfield.leading.conditions import judge
from meanfield.leading.spectra import spectrum_statistics
from meanfield.spec import Metric, Network

__all__ = ["asymptotic_exponents"]

Floats = NDArray[np.float64]
KernelAt = Callable[[Floats, Floats], ExchangeableKernel]


def asymptotic_exponents(
    network: Network, metric: Metric, kernel_at: KernelAt, samples: NDArray[np.int64]
) -> dict[str, tuple[float, float]]:
    """Exponents in M at fixed N and in N at fixed M: the slopes of the formulas themselves, far out; NaN where void.

    The softmax changes no exponent: its sandwich multiplies each statistic by a number that is free of M and N.
    ``kernel_at`` gives the kernel at layer widths (L + 1, ...) and samples.
    """
    ratios = np.array([*network.width_ratios, 0.0])[:, None]
    outputs = np.array([*[0.0] * network.depth, network.outputs])[:, None]
    one_two = np.array([1.0, 2.0])
    in_width = kernel_at(ratios * 2.0**40 * one_two + outputs, np.full(2, float(samples.max())))
    in_samples = kernel_at(ratios * 2.0**20 * np.ones(2) + outputs, 2.0**60 * one_two)
    far = zip(_statistics(metric, in_width).items(), _statistics(metric, in_samples).values(), strict=True)
    return {name: (_slope(wide), _slope(many)) for (name, wide), many in far}


def _statistics(metric: Metric, kernel: ExchangeableKernel) -> dict[str, Floats]:
    spectrum, _ = judge(metric, kernel, spectrum_statistics(kernel))
    largest = spectrum.outliers[..., 0] if spectrum.outliers.shape[-1] else np.full(2, np.nan)
    return {"mean": spectrum.mean, "second_moment": spectrum.second_moment, "largest": largest}


def _slope(pair: Floats) -> float:
    if not (np.all(np.isfinite(pair)) and np.all(pair > 0)):
        return math.nan
    return round(math.log2(pair[1] / pair[0]), 3) + 0.0
