"""Exponents: how a statistic grows with the width and with the number of samples."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from meanfield.kernels.setting import Setting
from meanfield.leading.conditions import judge
from meanfield.leading.spectra import spectrum_statistics

__all__ = ["asymptotic_exponents"]

Floats = NDArray[np.float64]


def asymptotic_exponents(setting: Setting) -> dict[str, tuple[float, float]]:
    """Exponents in M at fixed N and in N at fixed M: the slopes of the formulas themselves, far out; NaN where void.

    The softmax changes no exponent: its sandwich multiplies each statistic by a number that is free of M and N.
    """
    network, one_two = setting.network, np.array([1.0, 2.0])
    ratios = np.array([*network.width_ratios, 0.0])[:, None]
    outputs = np.array([*[0.0] * network.depth, network.outputs])[:, None]
    in_width = setting.at(ratios * 2.0**40 * one_two + outputs, np.full(2, float(setting.samples.max())))
    in_samples = setting.at(ratios * 2.0**20 * np.ones(2) + outputs, 2.0**60 * one_two)
    far = zip(_statistics(in_width).items(), _statistics(in_samples).values(), strict=True)
    return {name: (_slope(wide), _slope(many)) for (name, wide), many in far}


def _statistics(setting: Setting) -> dict[str, Floats]:
    spectrum, _ = judge(setting.metric, setting.kernel, spectrum_statistics(setting.kernel))
    largest = spectrum.outliers[..., 0] if spectrum.outliers.shape[-1] else np.full(2, np.nan)
    return {"mean": spectrum.mean, "second_moment": spectrum.second_moment, "largest": largest}


def _slope(pair: Floats) -> float:
    if not (np.all(np.isfinite(pair)) and np.all(pair > 0)):
        return math.nan
    return round(math.log2(pair[1] / pair[0]), 3) + 0.0
