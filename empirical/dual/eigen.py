"""Moments and eigenvalues of a dual matrix, and the checks every result passes.

λ are the eigenvalues of the dual G (n × n), largest first. Moments need no eigensolver: Σλ = tr G, Σλ² = ‖G‖²_F.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from empirical.backends.base import Array, Backend
from empirical.dual.lanczos import NotConverged, RitzPairs, largest_pairs

__all__ = ["check_close", "check_part", "floor", "lanczos_is_cheaper", "moments", "spectrum", "top"]

# LAPACK's n³ against Lanczos' 25 n² for each vector sought: measured, they cost the same at about n = 100 (count + 2).
_CROSSOVER = 100


def moments(matrix: Array, backend: Backend) -> tuple[float, float]:
    """``(tr G, ‖G‖²_F)``: Σλ and Σλ² of a symmetric matrix.

    Each row is summed on the device, and the rows in float64: a long float32 sum stands still where a term is less than
    half an ulp of it.

    Raises
    ------
    ArithmeticError
        If they are not finite.
    """
    rows, xp = matrix.shape[0], backend.xp
    found = backend.host(xp.concat([xp.linalg.vecdot(matrix, matrix), xp.linalg.diagonal(matrix)]))
    return finite(float(found[rows:].sum())), finite(float(found[:rows].sum()))


def finite(value: float) -> float:
    """``value``, or ArithmeticError if it isn't a number."""
    if not math.isfinite(value):
        raise ArithmeticError("dual matrix: expected finite entries, got infinity or NaN; did the network overflow?")
    return value


def spectrum(matrix: Array, backend: Backend) -> NDArray[np.float64]:
    """All eigenvalues of a symmetric matrix, descending."""
    return backend.host(backend.eigvalsh(matrix))[::-1].copy()


def lanczos_is_cheaper(size: int, count: int) -> bool:
    """Than LAPACK, for the ``count`` largest eigenvalues of a matrix."""
    return size > _CROSSOVER * (count + 2)


def top(matrix: Array, count: int, vectors: bool, floor: float, backend: Backend) -> RitzPairs:
    """The ``count`` largest eigenvalues of a symmetric matrix, by the cheaper of LAPACK and Lanczos; vectors (n, count)
    if asked for. Eigenvalues up to ``floor`` are as good as 0."""
    size = matrix.shape[0]
    if lanczos_is_cheaper(size, count):
        try:
            return largest_pairs(_product_with(matrix), size, count, backend, floor=floor)
        except NotConverged:  # a spectrum without gaps: LAPACK doesn't mind
            pass
    if not vectors:
        return RitzPairs(spectrum(matrix, backend)[:count], matrix[:, :0], np.zeros(1))
    values, basis = backend.eigh(matrix)
    chosen = backend.xp.flip(basis, axis=1)[:, :count]
    return RitzPairs(backend.host(values)[::-1][:count].copy(), chosen, np.zeros(1))


def _product_with(matrix: Array) -> Callable[[Array], Array]:
    return lambda vectors: matrix @ vectors


def floor(size: int, squares: float, precision: str) -> float:
    """The size below which an eigenvalue is as good as 0: ``n ε ‖G‖_F`` with G the dual (n × n) of the bare outputs,
    in which rounding happened, and ``squares`` = ‖G‖²_F."""
    return size * float(np.finfo(precision).eps) * math.sqrt(squares)


def check_close(what: str, got: float, expected: float, scale: float, size: int, precision: str) -> None:
    """That two ways to one number agree to rounding: within ``4 max(n, 64) ε`` of ``scale``.

    Raises
    ------
    ArithmeticError
        If they don't.
    """
    if not abs(got - expected) <= _rounding(size, precision) * scale:
        raise ArithmeticError(f"{what}: expected {expected!r}, got {got!r}")


def check_part(what: str, part: float, whole: float, size: int, precision: str) -> None:
    """That some terms of a sum of positive terms don't exceed it.

    Raises
    ------
    ArithmeticError
        If they do.
    """
    if not part <= whole * (1 + _rounding(size, precision)):
        raise ArithmeticError(f"{what}: expected at most {whole!r}, got {part!r}")


def _rounding(size: int, precision: str) -> float:
    """‖G‖²_F is a sum of n² terms, whose rounding errors add up like √(n²); measured at n = 1000: up to 0.9 n ε."""
    return 4 * max(size, 64) * float(np.finfo(precision).eps)
