"""Where the theory holds (theory.md §3, Conditions): judge the metric asked, not the network.

A statistic outside its conditions becomes NaN, with a warning that says why and what to use instead. The conditions
were validated by simulation: ``benchmarks/bench_conditions.py``, docs/what_holds_where.md.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from meanfield.kernels.exchangeable import ExchangeableKernel
from meanfield.leading.spectra import Spectrum
from meanfield.spec import Metric
from meanfield.text import applying

__all__ = ["CENTERED", "judge", "outlier_margin"]

Floats = NDArray[np.float64]

_NEGLIGIBLE_NOISE = 0.2  # CN/M below which the entries' noise, neglected in s, is at most about 5 % of it


def judge(metric: Metric, kernel: ExchangeableKernel, spectrum: Spectrum) -> tuple[Spectrum, tuple[str, ...]]:
    """``spectrum`` with NaN where it is void, and the reasons."""
    margin = outlier_margin(kernel)
    crowded = (kernel.outputs >= kernel.gradient_width) & (kernel.same > 0)
    swallowed = margin <= 1
    noisy = swallowed & (kernel.outputs * kernel.samples > _NEGLIGIBLE_NOISE * kernel.narrowest)
    low = _below(margin, spectrum.outliers) & ~(swallowed | crowded)[..., None]
    merged = np.isnan(spectrum.outliers) & ~swallowed[..., None]
    reasons = {
        CENTERED: kernel.projected,
        _swallowed(metric): np.any(swallowed) and not kernel.projected,
        _CROWDED: np.any(crowded) and not kernel.projected,
        _MERGED: np.any(merged & ~crowded[..., None] | low),
        _NOISY: np.any(noisy),
        _MANY: np.any(crowded),
    }
    outliers = np.where((swallowed | crowded)[..., None] | low, np.nan, spectrum.outliers)
    second_moment = np.where(noisy | crowded, np.nan, spectrum.second_moment)
    bounds = spectrum.bounds and (
        np.where(swallowed | crowded, np.nan, spectrum.bounds[0]),
        np.where(noisy | crowded, np.nan, spectrum.bounds[1]),
    )
    judged = replace(_with_bulk(spectrum, low), outliers=outliers, second_moment=second_moment, bounds=bounds)
    return judged, applying(reasons)


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


def _below(margin: Floats, outliers: Floats) -> NDArray[np.bool_]:
    """Outliers of unequal height (softmax): noise reaches as high for all, so the lower ones stand less above it."""
    below: NDArray[np.bool_] = outliers * np.minimum(margin, 1e100)[..., None] <= outliers[..., :1]
    return below & (outliers > 0)


def _with_bulk(spectrum: Spectrum, low: NDArray[np.bool_]) -> Spectrum:
    """The outliers voided one by one go to the bulk, so that it still shares the trace with those that stand."""
    multiplicity = spectrum.multiplicity + np.sum(low, axis=-1)
    rest = np.where(spectrum.multiplicity > 0, spectrum.bulk * spectrum.multiplicity, 0.0)
    rest = rest + np.sum(spectrum.outliers, axis=-1, where=low)
    bulk = np.divide(rest, multiplicity, out=np.full(rest.shape, np.nan), where=multiplicity > 0)
    return replace(spectrum, bulk=np.where(np.any(low, axis=-1), bulk, spectrum.bulk), multiplicity=multiplicity)


def _instead(metric: Metric) -> str:
    served = metric.family in ("fim", "ntk") and metric.loss == "mse"
    return "`spectrum` gives it" if served else "measure it instead"


def _swallowed(metric: Metric) -> str:
    return (
        f"largest, outliers: void for {metric.label}: K₂, the part of the kernel common to all samples, is not above "
        "the noise of its entries (K₂/K₁ <= 1/M + 2/√(N M)), as in centred networks (odd φ, σ_b = 0) and in the FIM's "
        f"first block; λ_max is then the edge of a random-matrix bulk; {_instead(metric)}"
    )


CENTERED = (
    "largest, outliers: mean subtraction removes the outliers, so λ_max is the edge of a broad bulk, which the "
    "two-value kernel does not give (`spectrum` does, for fim and ntk with mse); it is O(1) in M at fixed N/M (FIM), "
    "O(1) in N at fixed N/M (NTK)"
)
_CROWDED = (
    "largest, outliers: void for as many outputs as a hidden layer has units, since the gradients of different "
    "outputs are no longer orthogonal; measure it instead"
)
_MERGED = (
    "outliers: the lower ones have merged with the bulk (softmax probabilities leave them too little variance); NaN "
    "stands for them"
)
_NOISY = (
    "second_moment: void where the outlier is, unless C N is far below M: the neglected noise of the dual's "
    "off-diagonal entries adds a relative order C N/M (about a quarter of it); measure it instead"
)
_MANY = "second_moment: void for as many outputs as a hidden layer has units; measure it instead"
