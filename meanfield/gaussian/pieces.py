"""A function with breakpoints as Chebyshev polynomials between them: arrays, for kernels that take no functions.

Panels double with the distance from a breakpoint, from half the unit of length in which activations are written, so
that a piece that is smooth on the scale of that distance and of the unit is known to rounding.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.gaussian.chebyshev import chebyshev_nodes, coefficients
from meanfield.gaussian.rules import of_nodes, reach_of
from meanfield.spec.activations import Activation

__all__ = ["Pieces", "pieces"]

Floats = NDArray[np.float64]

_NODES = 18  # of a panel at least its own length away from its breakpoint: 5.8⁻¹⁸ = 2e-14
_BETWEEN = np.cos(np.pi * np.arange(1, _NODES) / _NODES)  # where an interpolant is farthest off
_FIRST = 0.5  # length of the panels beside a breakpoint


@dataclass(frozen=True)
class Pieces:
    """Panels between ``edges`` (P + 1,), a polynomial's ``coefficients`` (P, 18) in each, and how far off it may be,
    ``missed`` (P,); out to ``reach`` standard deviations
    of u, and as many of v beside."""

    edges: Floats
    coefficients: Floats
    missed: Floats
    reach: float

    def error(self, variances: Floats, others: Floats) -> Floats:
        """A bound on what E[F(u)F(v)] misses, by Cauchy and Schwarz: √(E[δ²] E[F²]) each way; (N,)."""
        sizes = np.abs(self.coefficients).sum(axis=1)  # at least |F| in a panel
        missed, whole = ([self._norm(of, q) for q in (variances, others)] for of in (self.missed, sizes))
        return missed[0] * whole[1] + missed[1] * whole[0]

    def _norm(self, bound: Floats, variances: Floats) -> Floats:
        """√E[f²] of an f that is at most ``bound`` (P,) in each panel, (N,)."""
        from scipy.special import ndtr

        below = ndtr(self.edges / np.sqrt(variances)[:, None])
        found: Floats = np.sqrt(np.diff(below, axis=1) @ bound**2)
        return found


@functools.lru_cache(maxsize=64)
def pieces(activation: Activation, order: int, largest: float) -> Pieces | None:
    """φ^(order) for preactivations of variances up to ``largest``; ``None`` where it has no breakpoints, or a broken
    power at one."""
    if not activation.breakpoints or activation.powers:
        return None
    deviation = math.sqrt(largest)
    reach = reach_of(activation, deviation, order)
    edges = _edges(np.asarray(activation.breakpoints, dtype=np.float64), math.sqrt(2) * reach * deviation)
    function = of_nodes(activation, order)
    middle, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
    with np.errstate(all="ignore"):
        found = coefficients(function(middle[:, None] + half[:, None] * chebyshev_nodes(_NODES)), (1,))
        between = np.polynomial.chebyshev.chebval(_BETWEEN, found.T)
        missed = np.abs(between - function(middle[:, None] + half[:, None] * _BETWEEN)).max(axis=1)
    return Pieces(edges, found, 2 * missed, reach)


def _edges(points: Floats, limit: float) -> Floats:
    """All breakpoints, ½, 1, 2, 4, … on both sides of each, and ±``limit``."""
    steps = _FIRST * 2.0 ** np.arange(np.ceil(np.log2(max(2 * limit, 2.0) / _FIRST)) + 1)
    every = (points[:, None] + np.concatenate([-steps, [0.0], steps])).ravel()
    ends = max(limit, float(np.abs(points).max())) * np.array([-1.0, 1.0])
    return np.unique(np.concatenate([every[np.abs(every) < ends[1]], points, ends]))
