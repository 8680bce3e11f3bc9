"""Gaussian moments of a layer at up to six exchangeable samples, by quadrature over what the samples share.

Preactivations with variance q and common covariance q_st >= 0 are ``u_s = x + √(q - q_st) z_s``, ``x ~ N(0, q_st)``.
Given x the samples are independent, so every moment is one integral over x of a product of conditional moments

    m_ab(x) = E_z[φ(u)^a φ'(u)^b],      A_k(x) = E_z[φ^(k)(u)] = g^{-k/2} E_z[φ(u) He_k(z)],   g = q - q_st.

The Hermite weights (Stein's lemma) stand for derivatives: none is taken of φ', which may jump. The integrals over x and
z use the rules of :mod:`meanfield.gaussian` at two resolutions, whose difference is the error estimate. The weights
divide by √g: where two samples are nearly one (g ≪ q), a smooth φ's own derivatives are taken, and what rounding leaves
of a kinked φ's is part of the error.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.classes import CLASSES
from meanfield.finite_width.derivatives import PairFunction, pair_function
from meanfield.gaussian.rules import grid_rules
from meanfield.spec.activations import Activation

__all__ = ["Neurons", "neurons"]

Floats = NDArray[np.float64]

_GOAL = 1e-9  # of the moments' relative error; the theory's own is 1/M²
_FINEST = 4  # halvings of the step
_LARGEST_GRID = 4e6
_NEARLY_ONE = 1e-3  # g/q below which Hermite weights lose digits to a smooth φ's own derivatives
_DERIVATIVES = 6  # A_0..A_5: two derivatives more than two in each argument of χ


@dataclass(frozen=True)
class Neurons:
    """What finite width needs to know of a layer's neurons, all at one (q, q_st).

    ``feature`` is F = E[φφ], ``slope`` is χ = E[φ'φ'], with derivatives. By class of four labels: ``feature4`` is
    E[φ_s φ_t φ_s' φ_t'], ``mixed4`` E[φ_s φ_t φ'_s' φ'_t'], ``slope4`` E[φ'_s φ'_t φ'_s' φ'_t']; ``slope6`` is E Π φ'
    over six different samples. ``error`` estimates the largest relative error of any.
    """

    feature: PairFunction
    slope: PairFunction
    feature4: Floats
    mixed4: Floats
    slope4: Floats
    slope6: float
    error: float


@functools.lru_cache(maxsize=1024)
def neurons(activation: Activation, q: float, gap: float) -> Neurons:
    """The moments of ``activation`` at variance ``q > 0`` and covariance ``q - gap``, ``0 < gap <= q``.

    Raises
    ------
    ValueError
        If the covariance is negative, or two samples are one: then there is no common part, or no own one.
    """
    if not 0 < gap <= q * (1 + 1e-14):
        raise ValueError(f"q_st: expected 0 <= q_st < q = {q:g} for finite-width moments, got {q - gap:g}")
    found: list[tuple[Floats, float]] = []
    for level in range(_FINEST):
        rules = grid_rules(activation, q, min(gap, q), level, _LARGEST_GRID)
        if rules is None:
            break
        fine, coarse = (_moments(activation, q, gap, *rule) for rule in rules)
        found.append((fine, _difference(fine, coarse)))
        if not found[-1][1] > _GOAL:
            break
    values, error = min(found, key=lambda x: x[1])
    return _named(values, error + (_rounding(values, q, gap) if _by_weights(activation, q, gap) else 0.0))


# Which powers (a, b) of φ and φ' may meet at one sample.
_POWERS = [(a, b) for a in range(5) for b in range(5) if 0 < a + b <= 4]


def _moments(
    activation: Activation, q: float, gap: float, x: Floats, x_weights: Floats, own: Floats, weights: Floats
) -> Floats:
    """All moments as one vector: by class and kind, six slopes, products of A, squares and their derivatives."""
    u = x[:, None] + own
    phi, slope = activation.function()(u), activation.function(order=1)(u)
    powers = _power_table(phi), _power_table(slope)
    site = {(a, b): np.sum(weights * powers[0][a] * powers[1][b], axis=-1) for a, b in _POWERS}
    if _by_weights(activation, q, gap):
        hermite = _hermite(own / math.sqrt(gap), _DERIVATIVES - 2)
        # Less φ'(x), which Hermite polynomials don't see but rounding does, where two samples are almost one.
        bend = weights * (slope - activation.function(order=1)(x)[:, None])
        bends = [gap ** (-k / 2) * np.sum(bend * hermite[k], axis=-1) for k in range(1, _DERIVATIVES - 1)]
    else:
        bends = [np.sum(weights * activation.function(order=k)(u), axis=-1) for k in range(2, _DERIVATIVES)]
    means = np.array([site[1, 0], site[0, 1], *bends])

    def joint(features: tuple[int, ...], slopes: tuple[int, ...]) -> float:
        """E of φ at the labels ``features`` and φ' at ``slopes``."""
        a, b = Counter(features), Counter(slopes)
        return float(x_weights @ math.prod(site[a[s], b[s]] for s in {*a, *b}))

    by_class = [[joint(c, ()), joint(c[:2], c[2:]), joint((), c)] for c in CLASSES]
    return np.concatenate(
        [
            np.ravel(by_class),
            [joint((), tuple(range(6)))],
            np.ravel((means * x_weights) @ means.T),
            np.ravel([_variance_derivatives(x_weights, weights * f * f, u, q) for f in (phi, slope)]),
        ]
    )


def _by_weights(activation: Activation, q: float, gap: float) -> bool:
    """Whether A_2 .. A_5 are taken by Hermite weights, which see kinks, rather than as means of φ'' .. φ^(5)."""
    return bool(activation.breakpoints) or gap > _NEARLY_ONE * q


def _rounding(values: Floats, q: float, gap: float) -> float:
    """What rounding makes of χ's Hessian, relative to χ/q²: A_k is off by about ε √(E[φ'²] (k-1)!) g^{-(k-1)/2}."""
    products = values[3 * len(CLASSES) + 1 :][: _DERIVATIVES**2].reshape(_DERIVATIVES, _DERIVATIVES)
    square = float(values[-3])  # E[φ'²]
    size = np.sqrt(np.abs(np.diag(products)))
    rms = np.array([1.0, 1.0, *(math.sqrt(math.factorial(k)) for k in range(1, _DERIVATIVES - 1))])  # of He_{k-1}
    off = np.finfo(float).eps * math.sqrt(square) * rms * gap ** (-(np.arange(_DERIVATIVES) - 1) / 2)
    # The sum of the Hessian: E[A_1 A_5]/2 + 2 E[A_2 A_4] + 3 E[A_3²]/2.
    weights = {(1, 5): 0.5, (2, 4): 2.0, (3, 3): 1.5}
    worst = sum(w * (size[j] * off[k] + size[k] * off[j] + off[j] * off[k]) for (j, k), w in weights.items())
    return float(worst * q**2 / square) if square > 0 else 0.0


def _power_table(values: Floats) -> list[Floats]:
    table = [np.ones_like(values), values]
    for _ in range(3):
        table.append(table[-1] * values)
    return table


def _hermite(z: Floats, order: int) -> list[Floats]:
    """He_0..He_order."""
    table = [np.ones_like(z), z]
    for k in range(1, order):
        table.append(z * table[k] - k * table[k - 1])
    return table


def _variance_derivatives(x_weights: Floats, integrand: Floats, u: Floats, q: float) -> list[float]:
    """E[g(u)], its first and second derivative with respect to q: E[g He_2k(u/√q)]/(2q)^k."""
    hermite = _hermite(u / math.sqrt(q), 4)
    return [float(x_weights @ np.sum(integrand * hermite[2 * k], axis=-1)) / (2 * q) ** k for k in range(3)]


def _difference(fine: Floats, coarse: Floats) -> float:
    """The largest relative difference; below a thousandth of the largest, values count as absolute."""
    scale = np.maximum(np.abs(fine), 1e-3 * np.max(np.abs(fine)))
    error = np.max(np.abs(fine - coarse) / scale)
    return float(error) if np.isfinite(error) else math.inf


def _named(values: Floats, error: float) -> Neurons:
    classes, rest = values[: 3 * len(CLASSES)].reshape(-1, 3).T, values[3 * len(CLASSES) :]
    products = rest[1 : 1 + _DERIVATIVES**2].reshape(_DERIVATIVES, _DERIVATIVES)
    squares = rest[1 + _DERIVATIVES**2 :].reshape(2, 3)
    return Neurons(
        feature=pair_function(products, squares, 0),
        slope=pair_function(products, squares, 1),
        feature4=classes[0],
        mixed4=classes[1],
        slope4=classes[2],
        slope6=float(rest[0]),
        error=error,
    )
