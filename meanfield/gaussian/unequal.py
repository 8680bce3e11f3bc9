"""E[F(u)F(v)] of single pairs of unequal variances by quadrature: u outside, v given u inside."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from meanfield.gaussian.pieces import pieces
from meanfield.gaussian.quadrature import FINEST, ROUNDING, natural_level
from meanfield.gaussian.rules import of_nodes, unequal_rules
from meanfield.spec.activations import Activation

__all__ = ["pair_by_quadrature", "pairs_by_quadrature"]

Floats = NDArray[np.float64]

_GOAL = 1e-12  # of two rules' difference, in units of the value's own size
_LARGEST = 8e6  # nodes
_NODES = (12, 11)  # of a panel, by the fine and the coarse rule
_EXACT = 9  # for polynomials of degree 17


def pair_by_quadrature(
    activation: Activation, order: int, q_s: float, q_t: float, cosine: float, sine: float
) -> tuple[float, float]:
    """E[F(u)F(v)] for F = φ^(order), variances ``q_s`` and ``q_t`` and the correlation ``cosine``, and its error.

    ``sine`` is √(1 - cosine²), which a subtraction would lose. (NaN, inf) where the grid would be too large.
    """
    large, small = max(q_s, q_t), min(q_s, q_t)
    slope, inner = math.sqrt(small / large) * cosine, math.sqrt(small) * sine
    function, best = of_nodes(activation, order), (math.nan, math.inf)
    for level in range(natural_level(activation, order), FINEST):
        rules = unequal_rules(activation, order, large, slope, inner, level, _LARGEST)
        if rules is None:
            break
        values, sizes = [], []
        for u, outer, v, weights in rules:
            terms, given_u = outer * function(u), np.sum(weights * function(v), axis=1)
            values.append(float(terms @ given_u))
            sizes.append(float(np.abs(terms) @ np.abs(given_u)))
        best = min(best, (values[0], abs(values[0] - values[1]) + ROUNDING * sizes[0]), key=lambda x: x[1])
        if not best[1] > _GOAL * sizes[0]:
            break
    return best


def pairs_by_quadrature(
    activation: Activation, order: int, largest: float, q_s: Floats, q_t: Floats, cosines: Floats, sines: Floats
) -> tuple[Floats, Floats]:
    """The same of many pairs (P,) of variances up to ``largest``: by compiled polynomials where φ has breakpoints, and
    by :func:`pair_by_quadrature` where they are not good enough."""
    value, error, size = _by_pieces(activation, order, largest, q_s, q_t, cosines, sines)
    for i in np.flatnonzero(~(error <= _GOAL * size)):
        found = pair_by_quadrature(activation, order, *(float(x[i]) for x in (q_s, q_t, cosines, sines)))
        if not found[1] >= error[i]:
            value[i], error[i] = found
    return value, error


def _by_pieces(
    activation: Activation, order: int, largest: float, q_s: Floats, q_t: Floats, cosines: Floats, sines: Floats
) -> tuple[Floats, Floats, Floats]:
    """Value, error and E|F(u)||E[F(v)|u]| by two rules; NaN and infinite where φ has no such pieces."""
    made = pieces(activation, order, largest)
    if made is None:
        return np.full_like(q_s, np.nan), np.full_like(q_s, np.inf), np.ones_like(q_s)
    from meanfield.gaussian.compiled_near import pair_integrals

    large, small = np.maximum(q_s, q_t), np.minimum(q_s, q_t)
    points, found = np.asarray(activation.breakpoints, dtype=np.float64), []
    for nodes in _NODES:
        found.append(np.empty((2, len(large))))
        pair_integrals(
            large, small, cosines, sines, points, made.reach, made.edges, made.coefficients, *_rules(nodes), found[-1]
        )
    (value, size), (coarse, _) = found
    return value, np.abs(value - coarse) + ROUNDING * size + made.error(large, small), size


@functools.cache
def _rules(nodes: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Legendre's nodes and weights, and Hermite's for the polynomials of pieces."""
    z, p = np.polynomial.hermite_e.hermegauss(_EXACT)
    return *np.polynomial.legendre.leggauss(nodes), z, p / math.sqrt(2 * math.pi)
