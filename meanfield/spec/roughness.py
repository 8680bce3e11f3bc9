"""How rough a function is at a point, read off its values nearby: whether it jumps, whether ∫ f² diverges."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from meanfield.spec.elementwise import Elementwise

__all__ = ["diverges", "gapes", "grows"]

Floats: TypeAlias = NDArray[np.float64]

_DYADIC = np.arange(20, 46)  # distances 2^-k at which a singularity's exponent is read off
_LEAST_GAP = 1e-9  # of the size nearby: less is rounding
_LEAST_DECAY = 0.01  # in log2 a halving: |u|^0.505 is taken for |u|^0.5


def gapes(function: Elementwise, x: float) -> bool:
    """Whether the two sides of ``x`` differ, and still do nearer by."""
    with np.errstate(all="ignore"):
        far, near = (_gap(function, x, step * max(1.0, abs(x))) for step in (1e-7, 1e-11))
        size = float(np.max(np.abs(function(x + np.array([-1e-3, -1e-6, 1e-6, 1e-3]))), initial=0.0))
    return far > min(1e-5, _LEAST_GAP * size) and not near < far / 2


def _gap(function: Elementwise, x: float, step: float) -> float:
    right, left = function(np.array([x + step, x - step]))
    return float(abs(right - left))


def diverges(function: Elementwise, point: float) -> bool:
    """Whether ∫ f² is infinite at ``point``: then the masses h f² of the dyadic shells do not decay towards it."""
    shells = 2.0**-_DYADIC * (2.0 ** math.ceil(math.log2(abs(point))) if abs(point) > 1 else 1.0)
    with np.errstate(all="ignore"):
        sides = [shells * function(point + sign * shells) ** 2 for sign in (-1.0, 1.0)]
        return any(bool(x[-1] > 0) and not _decay(x) > _LEAST_DECAY for x in sides)


def grows(function: Elementwise, point: float) -> bool:
    """Whether f grows without bound towards ``point``, from either side."""
    far, near = (step * max(1.0, abs(point)) for step in (1e-3, 1e-7))
    with np.errstate(all="ignore"):
        sides = [np.abs(function(point + sign * np.array([far, near]))) for sign in (-1.0, 1.0)]
    return any(bool(x[1] > 5 * x[0] + 1e-3) for x in sides)


def _decay(masses: Floats) -> float:
    """log2 a halving, over the outer half; near a point other than 0 the inner one has lost digits to its shift."""
    first, last = masses[0], masses[len(masses) // 2]
    return float(np.log2(first / last)) / (len(masses) // 2) if last > 0 else math.inf
