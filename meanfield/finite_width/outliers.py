"""The law of the outliers at finite width.

The outliers are the eigenvalues of the C × C matrix S_kk' = N⁻² Σ_st K_kk'(s,t), lifted by the bulk.
S = (κ + g) 1 + G: a mode g common to all outputs, and G, given the hidden layers a generalised Wishart matrix W T̄ Wᵀ
less its mean, for which a Wishart matrix with the same first three moments stands: G = c (W_C(μ) - μ 1). Its
eigenvalues are sampled by the bidiagonal model of the Laguerre ensemble (real μ), from a fixed stream: the same input
gives the same numbers.

The bulk pushes an outlier up (Baik, Ben Arous, Péché) by Σ_a [r_a/θ_o + k_a/(θ_o - J_a)], one term for each source of
randomness a: r_a and k_a are the variances of K's row means that survive and that vanish like 1/N, J_a the skewness of
a free-Poisson bulk of n_a units.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.classes import OTHER, class_of, occurrences
from meanfield.finite_width.covariance import Outputs
from meanfield.kernels.exchangeable import ExchangeableKernel

__all__ = ["NOTHING", "OutlierLaw", "average", "bulk_shift", "law_size", "log_normal", "outlier_law", "wishart_units"]

Floats = NDArray[np.float64]

_SEED = 20202
_DENSE = 32  # outputs up to which LAPACK's batched dense solver is the faster
_CLOSE = 0.2  # of θ_o: how near J_a may come in the shift
NOTHING = 1e-12  # of θ_d: what rounding leaves of a θ_o that is zero
_MOST_UNITS = 1e10  # μ beyond which Wishart and Gaussian agree to rounding
_TWO_ROWS, _DISTINCT = class_of(0, 1, 0, 2), class_of(0, 1, 2, 3)


@dataclass(frozen=True)
class OutlierLaw:
    """``values``: sampled networks × C eigenvalues, descending. ``edge``: the bulk's upper edge over the mean of the
    smallest, where an outlier that the bulk lifts by more than its own height (there they merge) counts as no higher.
    ``units``: μ, how many independent units the outputs' weights see."""

    values: Floats
    edge: float
    units: float


def law_size(outputs: int) -> int:
    """How many networks' outliers are sampled: fewer the more outputs, as each is an eigenvalue problem."""
    return int(np.clip(3_200_000 // outputs**2, 64, 16384))


def outlier_law(law: Outputs, kernel: ExchangeableKernel, widths: Floats) -> OutlierLaw:
    """The C outliers of one cell from the law of its K, layer widths M_0..M_L; NaN where E K_kk(s,t) is zero, up to
    rounding, or negative."""
    n, c = float(kernel.samples), kernel.outputs
    same, other = (law.mean[1] + law.shift[1]).tolist()
    scale = float(kernel.normaliser) * n
    shared = law.covariance[:, 1, 1]
    mean = other + (same - other) / n
    if not other > NOTHING * same:
        return OutlierLaw(np.full((law_size(c), c), np.nan), math.inf, math.inf)
    own_shift, cross_shift, edge = bulk_shift(law, n, c, widths)
    fluctuations, units = _wishart(average(law.crossing, n), law, c)
    lifted = (mean + fluctuations) * (1 + own_shift / mean) + cross_shift
    # An outlier below the edge is none: the bulk takes its place.
    common = log_normal(1.0, math.sqrt(max(average(shared.sum(axis=0), n), 0.0)) / mean, len(fluctuations))
    edge = edge + (same - other) / n if n > 1 else 0.0  # one sample has no bulk
    values = np.maximum(lifted, edge) * common[:, None]
    push = (own_shift + cross_shift) / other  # the mean contains the bulk's own (θ_d - θ_o)/N, which is no height
    return OutlierLaw(scale * values, edge / values[:, -1].mean() * max(1.0, (1 + push) / 2), units)


def log_normal(mean: float, deviation: float, count: int) -> Floats:
    """``count`` equally likely values, ascending, of the log-normal law with this mean and standard deviation."""
    from scipy.special import ndtri

    if not mean > 0:
        return np.full(count, mean)
    width = math.sqrt(math.log1p((deviation / mean) ** 2))
    normal: Floats = ndtri((np.arange(count) + 0.5) / count)
    return mean * np.exp(width * normal - width**2 / 2)


def average(covariance: Floats, n: float) -> float:
    """N⁻⁴ Σ over all four labels."""
    return float(occurrences("st,pq", n) @ covariance) / n**4


def _row_variance(covariance: Floats, n: float) -> float:
    """Of the row means N⁻¹ Σ_t K(s,t) about their average."""
    return max(float(occurrences("st,sq", n) @ covariance) / n**3 - average(covariance, n), 0.0)


@dataclass(frozen=True)
class _Source:
    """One source's part of the bulk: r_a, k_a and J_a."""

    surviving: float
    vanishing: float
    skewness: float

    def shift(self, spike: float) -> float:
        return self.surviving / spike + self.vanishing / max(spike - self.skewness, _CLOSE * spike)


def _source(covariance: Floats, n: float, units: float) -> _Source:
    total = _row_variance(covariance, n)
    surviving = min(max(float(covariance[_TWO_ROWS] - covariance[_DISTINCT]), 0.0), total)
    vanishing = total - surviving
    return _Source(surviving, vanishing, math.sqrt(vanishing * n / units))


def bulk_shift(law: Outputs, n: float, c: int, widths: Floats) -> tuple[float, float, float]:
    """The shift that is proportional to an outlier, the one that is not, and the bulk's edge above its mean."""
    spike = float(law.mean[1, OTHER] + law.shift[1, OTHER])
    through_weights = law.own + (c - 1) * law.crossing
    layers = [_source(v, n, width) for v, width in zip(law.covariance[:, 1, 1], widths, strict=False)]
    outputs = _source(through_weights, n, float(widths[-2]) / c)
    rows = _row_variance(through_weights, n)
    own = min(_row_variance(law.own, n) / rows, 1.0) if rows > 0 else 0.0
    variance = sum(x.vanishing for x in (*layers, outputs))
    skewness = sum(x.vanishing * x.skewness for x in (*layers, outputs)) / variance if variance > 0 else 0.0
    proportional = sum(x.shift(spike) for x in layers) + own * outputs.shift(spike)
    return proportional, (1 - own) * outputs.shift(spike), 2 * math.sqrt(variance) + skewness


def _wishart(variance: float, law: Outputs, outputs: int) -> tuple[Floats, float]:
    """Eigenvalues of G, descending, in sampled networks; and μ. ``variance`` is that of G's off-diagonal entries."""
    count = law_size(outputs)
    step, units = wishart_units(variance, law)
    return (step * _laguerre(outputs, units, count) if step > 0 else np.zeros((count, outputs))), units


def wishart_units(variance: float, law: Outputs) -> tuple[float, float]:
    """c and μ of G = c (W_C(μ) - μ 1), whose off-diagonal entries have this ``variance``; (0, ∞) if they don't vary."""
    if not variance > 0:
        return 0.0, math.inf
    crossing = float(law.crossing[_DISTINCT])
    skewness = law.cubic / crossing if crossing > 0 else 0.0
    step = max(skewness, math.sqrt(variance / _MOST_UNITS))
    return step, variance / step**2


@functools.lru_cache(maxsize=64)
def _laguerre(outputs: int, units: float, count: int) -> Floats:
    """Eigenvalues of W_C(μ) - μ 1 in ``count`` samples, descending; E tr and E tr² made exact where μ >= C."""
    rng = np.random.default_rng(_SEED)
    freedom = np.maximum(units - np.arange(outputs), 1e-3)
    diagonal = np.sqrt(rng.chisquare(freedom, (count, outputs)))
    below = np.sqrt(rng.chisquare(np.arange(outputs - 1, 0, -1), (count, outputs - 1)))
    squares = diagonal**2 - units
    squares[:, 1:] += below**2
    values = np.array(list(_tridiagonal(squares, diagonal[:, :-1] * below)))[..., ::-1]
    if units >= outputs:
        values = values - values.mean()
        values = values * math.sqrt(units * (outputs + 1) / np.mean(values**2))
    return values


def _tridiagonal(diagonal: Floats, off: Floats) -> Iterator[Floats]:
    """Eigenvalues, ascending, of symmetric tridiagonal matrices, one a row."""
    outputs = diagonal.shape[1]
    if outputs <= _DENSE:
        matrices = np.zeros((*diagonal.shape, outputs))
        index = np.arange(outputs)
        matrices[:, index, index] = diagonal
        matrices[:, index[1:], index[:-1]] = off
        yield from np.linalg.eigvalsh(matrices)  # reads the lower triangle
        return
    from scipy.linalg import eigvalsh_tridiagonal

    yield from (eigvalsh_tridiagonal(d, e) for d, e in zip(diagonal, off, strict=True))
