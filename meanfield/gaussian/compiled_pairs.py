"""The numba kernels of pairs with unequal variances. They take arrays, never functions: see :mod:`.compiled`."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LANES = 16
"""Columns that one loop serves at once."""


@njit(cache=True, error_model="numpy")
def _product(x: float, y: float) -> tuple[float, float]:
    """x y and what its rounding lost (Dekker, Veltkamp)."""
    split = 134217729.0
    high_x, high_y = split * x, split * y
    high_x, high_y = high_x - (high_x - x), high_y - (high_y - y)
    low_x, low_y = x - high_x, y - high_y
    product = x * y
    return product, ((high_x * high_y - product) + high_x * low_y + low_x * high_y) + low_x * low_y


@njit(cache=True, error_model="numpy")
def determinants(rows: Floats, columns: Floats, covariances: Floats, out: Floats) -> None:
    """``q_s q_t - b²`` of every pair, to its last digits, and 0 where rounding made the covariance too large."""
    for i in range(len(rows)):
        for j in range(len(columns)):
            product, lost = _product(rows[i], columns[j])
            square, square_lost = _product(covariances[i, j], covariances[i, j])
            out[i, j] = max((product - square) + (lost - square_lost), 0.0)


@njit(cache=True, fastmath={"contract", "reassoc"}, error_model="numpy")
def hermite_coefficients(z: Floats, terms: Floats, count: int) -> Floats:
    """``Σ_i terms_i h_k(z_i)`` for k < ``count``, of normalised Hermite polynomials.

    ``terms`` holds a function's values times Gaussian weights at the nodes ``z``. The recursion is that of h_k times
    the root of the density, which stays of order 1, and so is stable.
    """
    out = np.zeros(count)
    now = np.exp(-0.25 * z * z)
    scaled, before = terms / now, np.zeros_like(z)
    for k in range(count):
        total, low, high = 0.0, np.sqrt(float(k)), 1 / np.sqrt(k + 1.0)
        for i in range(len(z)):
            value = now[i]
            total += scaled[i] * value
            now[i] = (z[i] * value - low * before[i]) * high
            before[i] = value
        out[k] = total
    return out


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def mehler_sums(rows: Floats, packed: Floats, correlations: Floats, cuts: NDArray[np.int64], out: Floats) -> None:
    """``Σ_k ρ^k c_k(s) c_k(t)`` by Horner's scheme, up to the largest cut of :data:`LANES` neighbouring columns.

    ``rows`` (S, K) and ``packed`` (chunks, K, LANES) hold the coefficients, ``correlations`` and ``out`` are
    (S, chunks * LANES), ``cuts`` (S, chunks) says how many terms count.
    """
    total = np.empty(LANES)
    rho = np.empty(LANES)
    for i in range(len(rows)):
        for chunk in range(len(packed)):
            first = chunk * LANES
            for lane in range(LANES):
                total[lane] = 0.0
                rho[lane] = correlations[i, first + lane]
            for k in range(cuts[i, chunk] - 1, -1, -1):
                c = rows[i, k]
                for lane in range(LANES):
                    total[lane] = total[lane] * rho[lane] + c * packed[chunk, k, lane]
            for lane in range(LANES):
                out[i, first + lane] = total[lane]


@njit(cache=True, error_model="numpy")
def near_values(rows: NDArray[np.int64], columns: NDArray[np.int64], coordinates: Floats, left: Floats, right: Floats,
                out: Floats) -> None:  # fmt: skip
    """``Σ_qm left[s, q, m] right[t, q] T_m(x)`` for pairs (s, t) with the Chebyshev coordinate x."""
    count = left.shape[2]
    for p in range(len(rows)):
        i, j, x = rows[p], columns[p], coordinates[p]
        total, one, two = 0.0, 0.0, 0.0
        for m in range(count - 1, -1, -1):
            c = 0.0
            for q in range(left.shape[1]):
                c += left[i, q, m] * right[j, q]
            total = c + 2.0 * x * one - two
            if m > 0:
                two, one = one, total
        out[p] = total - x * one
