"""A function with breakpoints as Chebyshev polynomials between them: arrays, for kernels that take no functions.

Panels double with the distance from a breakpoint, from the unit of length in which activations are written, so that a
piece that is smooth on the scale of that distance is known to rounding.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.gaussian.chebyshev import chebyshev_nodes, coefficients
from meanfield.gaussian.rules import of_nodes, reach_of
from meanfield.spec.activations import Activation

__all__ = ["Pieces", "pieces"]

Floats = NDArray[np.float64]

_NODES = 18  # of a panel at least its own length away from its breakpoint: 5.8⁻¹⁸ = 2e-14


@dataclass(frozen=True)
class Pieces:
    """Panels between ``edges`` (P + 1,), a polynomial's ``coefficients`` (P, 18) in each, and how far off it may be,
    ``missed`` (P,); out to ``reach`` standard deviations."""

    edges: Floats
    coefficients: Floats
    missed: Floats
    reach: float

    def error(self, variances: Floats) -> Floats:
        """√E[δ²] of what is missed, (N,)."""
        from scipy.special import ndtr

        below = ndtr(self.edges / np.sqrt(variances)[:, None])
        return np.sqrt(np.diff(below, axis=1) @ self.missed**2)


@functools.lru_cache(maxsize=64)
def pieces(activation: Activation, order: int, largest: float) -> Pieces | None:
    """φ^(order) for preactivations of variances up to ``largest``; ``None`` where it has no breakpoints, or a broken
    power at one."""
    if not activation.breakpoints or activation.powers:
        return None
    deviation = float(np.sqrt(largest))
    reach = reach_of(activation, deviation, order)
    edges = _edges(np.asarray(activation.breakpoints, dtype=np.float64), reach * deviation)
    middle, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
    with np.errstate(all="ignore"):
        values = of_nodes(activation, order)(middle[:, None] + half[:, None] * chebyshev_nodes(_NODES))
    found = coefficients(values, (1,))
    return Pieces(edges, found, 4 * np.abs(found[:, -2:]).max(axis=1), reach)


def _edges(points: Floats, limit: float) -> Floats:
    """All breakpoints, 1, 2, 4, … on both sides of each, and ±``limit``."""
    steps = 2.0 ** np.arange(np.ceil(np.log2(max(2 * limit, 2.0))) + 1)
    every = (points[:, None] + np.concatenate([-steps, [0.0], steps])).ravel()
    ends = max(limit, float(np.abs(points).max())) * np.array([-1.0, 1.0])
    return np.unique(np.concatenate([every[np.abs(every) < ends[1]], points, ends]))
