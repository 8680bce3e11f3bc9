"""The numba kernels. They take node values, never functions, so that their machine code can be cached on disk."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"})
def _row(plus: Floats, minus: Floats, weights: Floats, start: int, step: int) -> tuple[float, float, float, float]:
    square, product, gap, size = 0.0, 0.0, 0.0, 0.0
    for j in range(start, len(weights), step):
        a, b, w = plus[j], minus[j], weights[j]
        square += w * (a * a + b * b)
        product += w * a * b
        size += w * abs(a * b)
        gap += w * (a - b) * (a - b)
    return square / 2, product, gap / 2, size


@njit(cache=True)
def pair_sums(plus: Floats, minus: Floats, s_weights: Floats, t_weights: Floats) -> tuple[Floats, Floats]:
    """Weighted sums of (½(a² + b²), ab, ½(a - b)², |ab|) over a grid: all nodes, and every second one.

    ``plus`` and ``minus`` are φ(s_i + t_j) and φ(s_i - t_j), of shape ``(len(s), len(t))``. A line of one node belongs
    to both rules with weight 1.
    """
    fine, coarse = np.zeros(4), np.zeros(4)
    s_double = 2.0 if len(s_weights) > 1 else 1.0
    t_double = 2.0 if len(t_weights) > 1 else 1.0
    for i in range(len(s_weights)):
        row = _row(plus[i], minus[i], t_weights, 0, 1)
        for k in range(4):
            fine[k] += s_weights[i] * row[k]
        if i % 2 == 0:
            every_second = _row(plus[i], minus[i], t_weights, 0, 2)
            for k in range(4):
                coarse[k] += s_double * t_double * s_weights[i] * every_second[k]
    return fine, coarse
