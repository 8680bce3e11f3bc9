"""Small dense systems inside compiled code, where a singular one may not raise."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["eliminate"]

Complexes = NDArray[np.complex128]


@njit(cache=True, error_model="numpy")
def eliminate(matrix: Complexes, right: Complexes) -> None:
    """The solution of a small system into ``right`` (a few columns), by elimination; of a singular one it is NaN.

    It is asked: numba raises where a complex number is divided by zero, whatever its error model.
    """
    n, columns = right.shape
    for k in range(n):
        pivot = k
        for i in range(k + 1, n):
            if abs(matrix[i, k]) > abs(matrix[pivot, k]):
                pivot = i
        if pivot != k:
            for j in range(k, n):
                matrix[k, j], matrix[pivot, j] = matrix[pivot, j], matrix[k, j]
            for j in range(columns):
                right[k, j], right[pivot, j] = right[pivot, j], right[k, j]
        if matrix[k, k] == 0:
            right[:] = np.nan
            return
        inverse = 1 / matrix[k, k]
        for i in range(k + 1, n):
            factor = matrix[i, k] * inverse
            if factor != 0:
                for j in range(k + 1, n):
                    matrix[i, j] -= factor * matrix[k, j]
                for j in range(columns):
                    right[i, j] -= factor * right[k, j]
    for k in range(n - 1, -1, -1):
        for j in range(columns):
            for i in range(k + 1, n):
                right[k, j] -= matrix[k, i] * right[i, j]
            right[k, j] /= matrix[k, k]
