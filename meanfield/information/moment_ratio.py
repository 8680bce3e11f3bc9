"""How many eigenvalues carry a spectrum, (Σλ)²/Σλ², from its first two moments alone."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Moments", "kernel_participation", "participation"]

Floats = NDArray[np.float64]


class Moments(Protocol):
    """Σλ/P, Σλ²/P and P: what a prediction has, and a measurement."""

    @property
    def mean(self) -> ArrayLike: ...
    @property
    def second_moment(self) -> ArrayLike: ...
    @property
    def dimension(self) -> ArrayLike: ...


def participation(spectrum: Moments) -> Floats:
    """P m²/s of a prediction or a measurement: arrays of its shape; NaN where it is void or all eigenvalues are 0.

    Of a prediction it is the ratio of means over networks, not the mean of their ratios.
    """
    mean, square = (np.asarray(x, dtype=np.float64) for x in (spectrum.mean, spectrum.second_moment))
    return _ratio(np.asarray(spectrum.dimension, dtype=np.float64) * mean**2, square)


def kernel_participation(same: ArrayLike, other: ArrayLike, samples: ArrayLike, outputs: ArrayLike = 1) -> Floats:
    """``C N K₁²/(K₁² + (N - 1) K₂²)``, the participation of ν I_C ⊗ [(K₁ - K₂) I_N + K₂ 1 1ᵀ]: C (K₁/K₂)² for large N.

    ``same`` and ``other`` are K₁ and K₂ in any unit; all four broadcast. NaN where both are 0.
    """
    k1, k2, n, c = (np.asarray(x, dtype=np.float64) for x in (same, other, samples, outputs))
    return _ratio(c * n * k1**2, k1**2 + (n - 1) * k2**2)


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = np.asarray(np.where(denominator > 0, numerator / denominator, np.nan))
    return ratio
