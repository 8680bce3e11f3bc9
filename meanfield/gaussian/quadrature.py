"""The Gaussian moments of one and of two preactivations by quadrature, refined until two rules agree.

Coordinates: u = s + t and v = s - t with independent s ~ N(0, q - gap/2) and t ~ N(0, gap/2). Each rule of
:mod:`meanfield.gaussian.rules` is applied at two resolutions; their difference is the error estimate of the finer one,
which is the value.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.gaussian.lattice import sees
from meanfield.gaussian.rules import pair_rule
from meanfield.spec.activations import Activation

__all__ = ["FINEST", "GAP_TOLERANCE", "ROUNDING", "TOLERANCE", "Moments", "natural_level", "quadrature"]

Floats = NDArray[np.float64]

TOLERANCE = 1e-11  # of two resolutions' difference, relative to the square: the finer one is then far better
GAP_TOLERANCE = 1e-9  # the same for the gap, relative to itself
FINEST = 12  # halvings of the step before giving up
ROUNDING = 4 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Moments:
    """E[φ(u)²], E[φ(u)φ(v)] and half their mean square difference, with absolute error estimates.

    ``status`` is ``"ok"``, or says why the values are not to be used: ``"infinite"`` (a jump's derivative),
    ``"overflow"``, or ``"unresolved"`` (the error estimate is above the goal, and stated).
    """

    square: float
    product: float
    gap: float
    square_error: float
    product_error: float
    gap_error: float
    status: str = "ok"


@functools.cache
def natural_level(activation: Activation, order: int) -> int:
    """The refinement φ needs at variance 1. Its poles and not q decide, so that other variances can start there.

    Both rules of a lattice miss what turns by a whole number of times between its nodes, as sin(30u) nearly does: so φ
    must look the same on shifted lattices first.
    """
    first = 0
    while first < FINEST - 1 and not (activation.breakpoints or sees(activation.function(order=order), first)):
        first += 1
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        return _resolved(activation, order, 1.0, 0.5, first)[1]


def quadrature(activation: Activation, order: int, q: float, gap: float, level: int = 0) -> Moments:
    """The moments of φ^(order) at variance q and covariance q - gap, from ``level`` of refinement on."""
    return _resolved(activation, order, q, gap, level)[0]


def _resolved(activation: Activation, order: int, q: float, gap: float, first: int) -> tuple[Moments, int]:
    """The moments at the first level of refinement, from ``first`` on, at which two rules agree; and that level."""
    rule = pair_rule(activation, order, q, gap)
    found: list[Moments] = []
    for level in range(first, FINEST):
        sums = rule(level)
        if sums is None:
            break
        found.append(_moments(*sums))
        if found[-1].status != "unresolved" or _stuck(found):
            return found[-1], level
    while not found and level > 0:  # even the first grid was too large: a coarser one, with its larger error
        level -= 1
        sums = rule(level)
        found += [] if sums is None else [_moments(*sums)]
    return (found[-1] if found else _UNKNOWN), level


_UNKNOWN = Moments(*(math.nan,) * 3, *(math.inf,) * 3, "unresolved")


def _stuck(found: list[Moments]) -> bool:
    """Three refinements without a gain of four: more nodes won't find what is left, such as E[φ'²] of √|u|."""
    return len(found) > 3 and found[-1].product_error > found[-4].product_error / 4


def _moments(fine: Floats, coarse: Floats) -> Moments:
    """``fine`` and ``coarse``: (square, product, gap, mean magnitude of the product's terms) by the two rules."""
    square, product, gap, size = fine.tolist()  # plain floats: a handful of them is not worth an array
    if not math.isfinite(square + product + gap + size):
        return Moments(square, product, gap, math.inf, math.inf, math.inf, "overflow")
    differences = [abs(x - y) for x, y in zip(fine.tolist(), coarse.tolist(), strict=True)]
    gap_rounding = ROUNDING * (gap + math.sqrt(max(gap * square, 0.0)))
    # A gap that rounding has eaten will not come back on a finer grid.
    gap_goal = max(GAP_TOLERANCE * gap, 8 * gap_rounding)
    resolved = max(differences[:2]) <= TOLERANCE * square and differences[2] <= gap_goal
    return Moments(
        square,
        product,
        gap,
        square_error=differences[0] + ROUNDING * square,
        product_error=differences[1] + ROUNDING * size,
        gap_error=differences[2] + gap_rounding,
        status="ok" if resolved else "unresolved",
    )
