"""Exponents: how a statistic grows with the width and with the number of samples."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from meanfield.kernels.setting import Setting
from meanfield.leading.conditions import judge
from meanfield.leading.spectra import Spectrum, spectrum_statistics

__all__ = ["asymptotic_exponents", "given_exponents"]

Floats = NDArray[np.float64]


def asymptotic_exponents(setting: Setting) -> dict[str, tuple[float, float]]:
    """Exponents in M at fixed N and in N at fixed M: the slopes of the formulas themselves, far out; NaN where void.

    The softmax changes no exponent: its sandwich multiplies each statistic by a number that is free of M and N.
    """
    return _exponents(setting, None, lambda far: judge(far.metric, far.kernel, spectrum_statistics(far.kernel))[0])


def given_exponents(setting: Setting, features: int | None) -> dict[str, tuple[float, float]]:
    """On given inputs, whose number of ``features`` M_0 stays as M grows where it is known. The noise of a network's
    kernel voids nothing there: it is small beside the kernel at any N that is fixed."""
    return _exponents(setting, features, lambda far: spectrum_statistics(far.kernel))


def _exponents(
    setting: Setting, features: int | None, spectrum_of: Callable[[Setting], Spectrum]
) -> dict[str, tuple[float, float]]:
    network, one_two = setting.network, np.array([1.0, 2.0])
    ratios = np.array([*network.width_ratios, 0.0])[:, None]
    fixed = np.array([*[0.0] * network.depth, network.outputs])[:, None]
    if features is not None:
        ratios[0], fixed[0] = 0.0, features
    in_width = setting.at(ratios * 2.0**40 * one_two + fixed, np.full(2, float(setting.samples.max())))
    in_samples = setting.at(ratios * 2.0**20 * np.ones(2) + fixed, 2.0**60 * one_two)
    far = zip(*(_statistics(spectrum_of(x)).items() for x in (in_width, in_samples)), strict=True)
    return {name: (_slope(wide), _slope(many)) for (name, wide), (_, many) in far}


def _statistics(spectrum: Spectrum) -> dict[str, Floats]:
    largest = spectrum.outliers[..., 0] if spectrum.outliers.shape[-1] else np.full(2, np.nan)
    return {"mean": spectrum.mean, "second_moment": spectrum.second_moment, "largest": largest}


def _slope(pair: Floats) -> float:
    if not (np.all(np.isfinite(pair)) and np.all(pair > 0)):
        return math.nan
    return round(math.log2(pair[1] / pair[0]), 3) + 0.0
