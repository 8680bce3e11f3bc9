"""Functions of a variance at many variances, by interpolation in its logarithm.

What belongs to one input alone, its second moment or its Hermite coefficients, is a smooth function of log q. A few
nodes between the smallest and the largest variance of a data set then serve all its samples.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from meanfield.gaussian.chebyshev import chebyshev_nodes, coefficients, mapped

__all__ = ["VarianceGrid", "interpolated"]

Floats = NDArray[np.float64]

_GOAL = 1e-13  # of the last coefficients
_COUNTS = (8, 16, 32, 64, 128)  # nodes: the first that are enough


class VarianceGrid:
    """``nodes`` in between positive ``variances``, or these themselves where they are few; and the way back."""

    def __init__(self, variances: Floats, count: int) -> None:
        different, which = np.unique(variances, return_inverse=True)
        self._which = which if len(different) <= count else None
        if self._which is not None:
            self.nodes = different
            return
        low, high = np.log(different[0]), np.log(different[-1])
        self.nodes = np.exp(mapped(chebyshev_nodes(count), low, high))
        x = np.clip((2 * np.log(variances) - low - high) / (high - low), -1.0, 1.0)
        self._basis = np.polynomial.chebyshev.chebvander(x, count - 1)

    @property
    def exact(self) -> bool:
        """Whether the nodes are the variances."""
        return self._which is not None

    def spread(self, values: Floats) -> Floats:
        """From values at the nodes (nodes, ...) to those at the variances (N, ...)."""
        if self._which is not None:
            return values[self._which]
        return np.tensordot(self._basis, coefficients(values, (0,)), axes=(1, 0))

    def tail(self, values: Floats) -> float:
        """What interpolation of values (nodes, ...) misses: the norm over columns of the last coefficients."""
        last = coefficients(values.reshape(len(values), -1), (0,))[-3:]
        return 0.0 if self.exact else float(np.max(np.linalg.norm(last, axis=1)))


def interpolated(function: Callable[[Floats], Floats], variances: Floats) -> tuple[Floats, float]:
    """``function``, of order 1, from nodes to (nodes, ...), at ``variances``, and the absolute error of interpolation:
    the norm over what is interpolated together."""
    for count in _COUNTS:
        grid = VarianceGrid(variances, count)
        values = function(grid.nodes)
        error = grid.tail(values)
        if not error > _GOAL:
            break
    return grid.spread(values), error
