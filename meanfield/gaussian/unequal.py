"""E[F(u)F(v)] of one pair of unequal variances by quadrature: u outside, v given u inside."""

from __future__ import annotations

import math

import numpy as np

from meanfield.gaussian.quadrature import FINEST, ROUNDING, natural_level
from meanfield.gaussian.rules import of_nodes, unequal_rules
from meanfield.spec.activations import Activation

__all__ = ["pair_by_quadrature"]

_GOAL = 1e-12  # of two rules' difference, in units of the value's own size
_LARGEST = 8e6  # nodes


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
