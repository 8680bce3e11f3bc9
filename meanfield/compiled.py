"""The numba kernels. They take node values, never functions, so that their machine code can be cached on disk."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@njit(cache=True, fastmath=True, error_model="numpy")
def _row_sums(a: Floats, b: Floats, weights: Floats) -> tuple[float, float, float, float]:
    square, product, gap, size = 0.0, 0.0, 0.0, 0.0
    for j in range(len(weights)):
        w, x, y = weights[j], a[j], b[j]
        square += w * (x * x + y * y)
        product += w * (x * y)
        size += w * abs(x * y)
        gap += w * ((x - y) * (x - y))
    return square / 2, product, gap / 2, size


@njit(cache=True, error_model="numpy")
def pair_sums(
    plus: Floats,
    minus: Floats,
    plus_stride: int,
    minus_start: int,
    minus_stride: int,
    s_weights: Floats,
    t_weights: Floats,
) -> tuple[Floats, Floats]:
    """Weighted sums of (½(a² + b²), ab, ½(a - b)², |ab|) over a grid (s_i, t_j): all nodes, and every second one.

    Row i of a = φ(s_i + t_j) is the stretch of ``plus`` from ``i * plus_stride`` on; row i of b = φ(s_i - t_j) is
    the stretch of ``minus`` that starts at ``minus_start + i * minus_stride``. So a lattice, whose rows overlap, and a
    full matrix are the same to this loop, and both are contiguous. A line of one node belongs to both rules.
    """
    count = len(t_weights)
    second = np.zeros(count)
    second[::2] = t_weights[::2] * (2.0 if count > 1 else 1.0)
    s_double = 2.0 if len(s_weights) > 1 else 1.0
    fine, coarse = np.zeros(4), np.zeros(4)
    for i in range(len(s_weights)):
        a = plus[i * plus_stride : i * plus_stride + count]
        start = minus_start + i * minus_stride
        b = minus[start : start + count]
        row = _row_sums(a, b, t_weights)
        for k in range(4):
            fine[k] += s_weights[i] * row[k]
        if i % 2 == 0:
            row = _row_sums(a, b, second)
            for k in range(4):
                coarse[k] += s_double * s_weights[i] * row[k]
    return fine, coarse
