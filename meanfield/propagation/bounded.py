"""The largest σ_w² at which the variance of a deep network stays bounded.

The variance map q ↦ σ_w² E[φ²] + σ_b² increases with q. From q^1 = σ_w² + σ_b² it stays bounded if it has a fixed point
above, σ_w² E[φ²](q) + σ_b² <= q for some q >= q^1, or falls at once: if σ_w² max(E[φ²](q), 1) <= q - σ_b² for some q.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from meanfield.gaussian.interpolants import MomentTable
from meanfield.gaussian.moments import gaussian_moments
from meanfield.propagation.fixed_points import ESCAPED, slope_at_infinity

__all__ = ["largest_bounded"]

Floats = NDArray[np.float64]

_FALLING = 1e-6  # relative fall of E[φ²] from one q to the next that is no rounding
_SUBLINEAR = 0.98  # growth of E[φ²] with q, as a power, below which every σ_w² is bounded


def largest_bounded(table: MomentTable, bias: float) -> float:
    """sup_q (q - σ_b²)/max(E[φ²](q), 1), ``inf`` if E[φ²] grows slower than q, NaN if it falls before it grows."""
    from scipy.optimize import minimize_scalar

    grid = bias + np.geomspace(1e-6, ESCAPED, 241)

    def bounded(q: Floats) -> Floats:
        return np.asarray((q - bias) / np.maximum(_squares(table, q), 1))

    squares = _squares(table, grid)
    if np.any(squares[1:] < squares[:-1] * (1 - _FALLING)) and squares[-1] > squares[0]:
        return math.nan  # the map neither rises nor stays below
    values = bounded(grid)
    best = int(np.argmax(values))
    if values[-1] >= values[best] * (1 - 1e-4):
        far = _squares(table, grid[[-25, -1]])
        growth = math.log(far[1] / far[0]) / math.log(grid[-1] / grid[-25]) if far[0] > 0 else 0.0
        limit = slope_at_infinity(table.activation)
        if growth < _SUBLINEAR:
            return math.inf
        return 1 / limit if limit > 0 else float(values[-1])
    ends = np.log(grid[max(best - 1, 0)] - bias), np.log(grid[best + 1] - bias)
    found = minimize_scalar(
        lambda x: -float(bounded(np.array(bias + math.exp(x)))), bounds=ends, method="bounded", options={"xatol": 1e-10}
    )
    return max(float(-found.fun), float(values[best]))


def _squares(table: MomentTable, q: Floats) -> Floats:
    """E[φ²] at an array of q, by quadrature where the table ends; ``inf`` where that does."""
    square = np.atleast_1d(table.squares(q)[0])
    for i in np.flatnonzero(np.isnan(square)):
        found = gaussian_moments(table.activation, float(np.ravel(q)[i]), 0.0).square
        square[i] = found if math.isfinite(found) else math.inf
    return square.reshape(np.shape(q))
