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


@njit(cache=True, error_model="numpy")
def _chebyshev(x: float, out: Floats) -> None:
    """T_0(x), T_1(x), ... into ``out``."""
    out[0], out[1] = 1.0, x
    for k in range(2, len(out)):
        out[k] = 2.0 * x * out[k - 1] - out[k - 2]


@njit(cache=True, fastmath=True, error_model="numpy")
def _bilinear(left: Floats, table: Floats, right: Floats) -> float:
    total = 0.0
    for i in range(len(left)):
        row = 0.0
        for j in range(len(right)):
            row += table[i, j] * right[j]
        total += left[i] * row
    return total


@njit(cache=True, fastmath=True, error_model="numpy")
def _dot(left: Floats, right: Floats) -> float:
    total = 0.0
    for i in range(len(left)):
        total += left[i] * right[i]
    return total


@njit(cache=True, error_model="numpy")
def table_moments(
    q: Floats, gap: Floats, coordinate: Floats, place: NDArray[np.int64], square: Floats, mean: Floats, near: Floats,
    far: Floats, origin: Floats, width: Floats, out: Floats,
) -> None:  # fmt: skip
    """Square, product and gap of φ and φ' into ``out`` of shape (3, 2, len(q)), from the panels' coefficients.

    ``coordinate`` in [-1, 1] is where q lies in its panel, ``place`` the panel's place in the stacked tables. See
    :mod:`meanfield.gaussian.interpolants` for what the tables hold.
    """
    cut, right_angle = np.pi / 3, np.pi / 2
    in_q = np.empty(square.shape[2])
    in_near, in_far = np.empty(near.shape[3]), np.empty(far.shape[3])
    for i in range(len(q)):
        p = place[i]
        _chebyshev(coordinate[i], in_q)
        one_minus_c = gap[i] / q[i]
        theta = 2 * np.arcsin(np.sqrt(min(one_minus_c / 2, 1.0)))
        close = theta <= cut
        if close:
            _chebyshev(2 * np.arcsinh(theta / width[p]) / np.arcsinh(cut / width[p]) - 1, in_near)
        else:
            _chebyshev(2 * (theta - cut) / (right_angle - cut) - 1, in_far)
        for k in range(2):
            whole = _dot(in_q, square[p, k]) * (q[i] + origin[k])
            out[0, k, i] = whole
            if close:
                distance = one_minus_c if k == 0 else np.sqrt(one_minus_c)
                out[2, k, i] = whole * distance * _bilinear(in_q, near[p, k], in_near)
                out[1, k, i] = whole - out[2, k, i]
            else:
                average = _dot(in_q, mean[p, k])
                # 1 - (1 - c) and not cos θ: independent inputs have exactly c = 0.
                out[1, k, i] = average * average + whole * (1 - one_minus_c) * _bilinear(in_q, far[p, k], in_far)
                out[2, k, i] = whole - out[1, k, i]
