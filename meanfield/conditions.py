"""Where the theory holds (theory.md §3, Conditions): judge the metric asked, not the network.

A statistic outside its conditions becomes NaN, with a warning that says why and what to use instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.kernels import ExchangeableKernel
from meanfield.spec import Metric
from meanfield.spectra import Spectrum

__all__ = ["Judged", "judge", "outlier_margin"]

Floats = NDArray[np.float64]

_NEGLIGIBLE_NOISE = 0.2  # CN/M below which the entries' noise, neglected in s, is at most about 5 % of it


@dataclass(frozen=True)
class Judged:
    """The statistics that need conditions, NaN where void, and the reasons."""

    second_moment: Floats
    outlier: Floats
    warnings: tuple[str, ...]


def judge(metric: Metric, kernel: ExchangeableKernel, spectrum: Spectrum) -> Judged:
    """Void the outlier where the noise of the kernel's entries swallows it, and with it s unless CN ≪ M."""
    swallowed = outlier_margin(kernel) <= 1
    noisy = swallowed & (kernel.outputs * kernel.samples > _NEGLIGIBLE_NOISE * kernel.narrowest)
    warnings = []
    if np.any(swallowed):
        warnings.append(_CENTERED if metric.centered else _swallowed(metric))
    if np.any(noisy):
        warnings.append(
            "second_moment: void where the outlier is, unless C N is far below M: the neglected noise of the dual's "
            "off-diagonal entries adds a relative order C N/M (about a quarter of it); measure it instead"
        )
    return Judged(
        second_moment=np.where(noisy, np.nan, spectrum.second_moment),
        outlier=np.where(swallowed, np.nan, spectrum.outlier),
        warnings=tuple(warnings),
    )


def _swallowed(metric: Metric) -> str:
    return (
        f"largest, outliers: void for {metric.label}: K₂, the part of the kernel common to all samples, is not above "
        "the noise of its entries (K₂/K₁ <= 1/M + 2/√(N M)), as in centred networks (odd φ, σ_b = 0) and in the FIM's "
        "first block; λ_max is then the edge of a random-matrix bulk; measure it instead"
    )


_CENTERED = (
    "largest, outliers: mean subtraction removes the C outliers, so λ_max is the edge of a broad bulk, which the "
    "two-value kernel does not give; it is O(1) in M at fixed N/M (FIM), O(1) in N at fixed N/M (NTK)"
)


def outlier_margin(kernel: ExchangeableKernel) -> Floats:
    """How far the outlier stands above the noise of the kernel's entries; below 1 the noise swallows it.

    Entries of different samples fluctuate by K₁/√M, which alone makes a bulk with edge K₁ (1 + √ρ)², ρ = N/M. The
    common part N K₂ shows only if it exceeds what that adds: N K₂ > K₁ (ρ + 2√ρ). One sample alone has no other, and a
    kernel that is zero no noise.
    """
    rho = kernel.samples / kernel.narrowest
    noise = np.abs(kernel.same) * (rho + 2 * np.sqrt(rho))
    margin = np.divide(kernel.samples * kernel.other, noise, out=np.full_like(noise, np.inf), where=noise > 0)
    return np.where(kernel.samples == 1, np.inf, margin)
