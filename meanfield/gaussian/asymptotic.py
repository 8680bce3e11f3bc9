"""Moments at very large variance of an activation that is linear far out, φ(u) → a u for u → ∞ and b u for u → -∞.

There φ is (a + b)/2 u + (a - b)/2 |u| up to a bounded rest, and with A and B these two slopes and c = cos θ (Cho & Saul
2009)

    E[φφ] = q (A² c + B² (2/π) (sin θ + (π/2 - θ) c)),      E[φ'φ'] = A² + B² (2/π) (π/2 - θ).

The rest counts by its size over √q. A deep network whose variance grows from layer to layer so costs no more a layer.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np

from meanfield.gaussian.quadrature import ROUNDING, TOLERANCE, Moments
from meanfield.spec.activations import Activation

__all__ = ["asymptotic_moments"]

_FAR = 1e3  # variance below which quadrature costs less than asking
_ENDS = np.array([1e9, 1e12])


class _Slopes(NamedTuple):
    """A, B and the size of what is left of φ, and of the mass of φ' - A ∓ B."""

    even: float
    odd: float
    rest: float


def asymptotic_moments(activation: Activation, q: float, gap: float, order: int) -> Moments | None:
    """The moments of φ^(order), as of :func:`meanfield.gaussian.moments.gaussian_moments`, or ``None`` where the rest
    counts."""
    slopes = _slopes(activation) if q > _FAR else None
    if slopes is None:
        return None
    a, b = slopes.even**2, slopes.odd**2
    error = 8 * slopes.rest * math.sqrt(a + b) / ((a + b) * math.sqrt(q)) + ROUNDING
    if not error <= TOLERANCE:
        return None
    theta = 2 * math.asin(math.sqrt(min(gap / q / 2, 1.0)))
    square, difference = a + b, b * 2 / math.pi * theta
    if order == 0:
        square, difference = q * (a + b), gap * a + q * b * 2 / math.pi * _absolute_gap(theta)
    product = square - difference
    return Moments(square, product, difference, error * square, error * square, error * max(difference, 0.0))


def _absolute_gap(theta: float) -> float:
    """(1 - cos θ) π/2 - (sin θ - θ cos θ), which is (π/2) times the gap of |u| over q."""
    if theta > 0.1:
        rest = math.sin(theta) - theta * math.cos(theta)
    else:
        rest = theta**3 * (1 / 3 - theta**2 / 30 + theta**4 / 840 - theta**6 / 45360)
    return math.pi * math.sin(theta / 2) ** 2 - rest


@functools.cache
def _slopes(activation: Activation) -> _Slopes | None:
    """``None`` if φ isn't linear far out."""
    function, slope = activation.function(), activation.function(order=1)
    with np.errstate(all="ignore"):
        right, left = slope(_ENDS), slope(-_ENDS)
        a, b = float(right[-1]), float(left[-1])
        u = np.geomspace(1e-3, 1e6, 400)
        rest = np.stack([function(u) - a * u, function(-u) + b * u])
        settled = np.all(np.abs([right - a, left - b]) <= 1e-13 * max(abs(a), abs(b)))
        bounded = np.all(np.abs(rest) <= 1e3) and np.allclose(rest[:, -1], rest[:, -40], rtol=1e-3, atol=1e-9)
    if not (np.all(np.isfinite(rest)) and settled and bounded and max(abs(a), abs(b)) > 0):
        return None
    turn = max((abs(x) for x in activation.breakpoints or ()), default=0.0)
    size = float(np.max(np.abs(rest)))
    return _Slopes((a + b) / 2, (a - b) / 2, 0.0 if size <= 1e-14 * turn else max(size, turn))
