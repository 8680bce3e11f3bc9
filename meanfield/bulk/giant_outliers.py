"""The C giant outliers of the dual matrix: where they lie and how one network's differ from the mean.

    λ_k = λ (1 + g common + eig_k(S) split),   λ = N κ₂ + (κ₁ - κ₂) + N Var(rows)/κ₂

with g ~ N(0, 1) and a symmetric Gaussian C × C matrix S (variance 1 off the diagonal, 2 on it). The order parameters of
one network fluctuate by a relative 1/√M: far more than the shifts of λ's second and third term. Corrections of relative
order C/M are missing: the splitting is skewed (it is a Wishart matrix's), and the bulk pushes the outliers up; so is
what few samples (N << M) add to the splitting. With them: :mod:`meanfield.finite_width.outliers`.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from meanfield.bulk.features import BulkFeatures
from meanfield.bulk.response import Gains, propagate

__all__ = ["GiantOutliers", "Outliers", "giant_outliers"]

Floats = NDArray[np.float64]

_DRAWS = 4000  # of S, for the means and spreads of its ordered eigenvalues, if it is small
_ENTRIES = 4e6  # of S drawn altogether: the eigenvalues of a large S fluctuate less, relative to ‖S‖
_LARGEST = 300  # C above which they lie where the semicircle's quantiles do, nearly


@dataclass(frozen=True)
class Outliers:
    """``values`` and ``std``: means and standard deviations over networks of the C outliers, descending. None where
    they are part of the bulk; NaN where they are void."""

    values: Floats
    std: Floats


@dataclass(frozen=True)
class GiantOutliers(Outliers):
    """The law above.

    Attributes
    ----------
    centre
        λ, the mean of all of them.
    common, split
        The relative spreads of their common factor and of their C × C splitting.
    """

    centre: float
    common: float
    split: float

    def scaled(self, unit: float) -> GiantOutliers:
        """In units of 1/``unit``."""
        return replace(self, values=unit * self.values, std=unit * self.std, centre=unit * self.centre)


def giant_outliers(x: BulkFeatures, row_variance: float) -> GiantOutliers:
    """In units of K; κ₂ must be positive. ``row_variance``: over samples, of the kernel's row means."""
    common, split = _spreads(x)
    centre = x.samples * x.other + (x.same - x.other) + x.samples * row_variance / x.other
    means, deviations = _ordered(x.outputs)
    values = centre * (1 + split * means)
    return GiantOutliers(values, centre * np.hypot(common, split * deviations), centre, common, split)


def _spreads(x: BulkFeatures) -> tuple[float, float]:
    """Relative spreads from linear response of (q̂, q̂_st, q̃_st) to the fresh noise of every layer."""
    hidden = range(1, x.depth)
    means = propagate([_gains(x, l) for l in hidden], [_sources(x, l) for l in hidden], (2, 1))
    handed_down = [Gains.downwards([[_from_above(x, l)]]) for l in hidden]
    outputs = propagate(handed_down, [_apart(x, l) for l in hidden], (0, 1))
    common = x.features @ means.forward[:, 1] + x.gradients[1:] @ means.backward[1 : x.depth, 0]
    split = x.gradients[1:] @ outputs.backward[1 : x.depth, 0]
    return math.sqrt(means.variance(common)) / x.other, math.sqrt(outputs.variance(split)) / x.other


def _from_above(x: BulkFeatures, layer: int) -> float:
    """q̃_st^l per q̃_st^{l+1}."""
    f = x.hidden(layer)
    return float(x.weight_variance[layer + 1] * f.average(f.slope**2))


def _gains(x: BulkFeatures, layer: int) -> Gains:
    """How (q̂, q̂_st) pass a layer and bend q̃_st: at fixed q_st, then (Price's theorem) at fixed q."""
    f, y, below = x.hidden(layer), x.common_gradient(layer), x.weight_variance[layer]
    by_q = [f.average(v) for v in (f.by_tau[0], 2 * f.mean * f.by_tau[1], 2 * f.slope * f.by_tau[3])]
    by_q_st = [0.0, f.average(f.slope**2), f.average(f.bend**2)]
    gains = below * np.array([by_q, by_q_st]).T
    return Gains(forward=gains[:2], across=y * gains[2:], backward=np.array([[_from_above(x, layer)]]))


def _sources(x: BulkFeatures, layer: int) -> Floats:
    """Covariance of what a layer's own neurons add to (q̂, q̂_st, q̃_st)."""
    f, y = x.hidden(layer), x.common_gradient(layer)
    at_z = np.array([f.square, f.mean**2, f.slope**2])
    centred = at_z - (at_z @ f.weights)[:, None]
    units = np.array([1.0, 1.0, y])
    return np.asarray((centred * f.weights) @ centred.T * np.outer(units, units) / x.widths[layer])


def _apart(x: BulkFeatures, layer: int) -> Floats:
    """Variance of q̃_st between two outputs."""
    f, y = x.hidden(layer), x.common_gradient(layer)
    return np.array([[y**2 * f.average(f.slope**4) / x.widths[layer]]])


@functools.cache
def _ordered(size: int) -> tuple[Floats, Floats]:
    """Means and standard deviations of the ordered eigenvalues of S, descending."""
    if size == 1:
        return np.zeros(1), np.full(1, math.sqrt(2))
    if size > _LARGEST:
        return _semicircle(size)
    rng = np.random.default_rng(0)
    s = rng.standard_normal((min(_DRAWS, math.ceil(_ENTRIES / size**2)), size, size))
    eigenvalues = np.linalg.eigvalsh((s + s.swapaxes(1, 2)) / math.sqrt(2))[:, ::-1]
    means = eigenvalues.mean(axis=0)
    return (means - means[::-1]) / 2, eigenvalues.std(axis=0)


def _semicircle(size: int) -> tuple[Floats, Floats]:
    """The same for a large S: the quantiles of its law, and spreads of √(log C)/π spacings (Gustavsson, O'Rourke), at
    most those of the largest one, 1.268 C^{-1/6} (Tracy and Widom)."""
    angles = np.linspace(0, np.pi, 4001)  # x = 2√C cos θ has the mass (θ - sin θ cos θ)/π above it
    above = (angles - np.sin(angles) * np.cos(angles)) / np.pi
    theta = np.interp((np.arange(size) + 0.5) / size, above, angles)
    root = math.sqrt(size)
    spread = np.minimum(math.sqrt(math.log(size)) / (root * np.sin(theta)), 1.268 * size ** (-1 / 6))
    return 2 * root * np.cos(theta), spread
