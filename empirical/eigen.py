"""Statistics of a spectrum from a dual matrix, and the checks every result passes.

λ are the eigenvalues of the dual, largest first. Moments need no eigensolver: Σλ is the trace, Σλ² = ‖G‖²_F.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from empirical.backends.base import Array, Backend

__all__ = ["check_spectrum", "check_trace", "floor", "moments", "spectrum"]


def moments(matrix: Array, backend: Backend) -> tuple[float, float]:
    """``(Σλ, Σλ²)`` of a symmetric matrix.

    Raises
    ------
    ArithmeticError
        If they are not finite.
    """
    xp = backend.xp
    flat = xp.reshape(matrix, (-1,))
    pair = backend.host(xp.stack([xp.linalg.trace(matrix), xp.vecdot(flat, flat)]))
    if not np.isfinite(pair).all():
        raise ArithmeticError("dual matrix: expected finite entries, got infinity or NaN; did the network overflow?")
    return float(pair[0]), float(pair[1])


def spectrum(matrix: Array, backend: Backend) -> NDArray[np.float64]:
    """All eigenvalues of a symmetric matrix, descending."""
    return backend.host(backend.eigvalsh(matrix))[::-1].copy()


def floor(size: int, squares: float, precision: str) -> float:
    """The size below which an eigenvalue is as good as 0: ``n ε ‖G‖_F`` with G the dual (n × n) of the bare outputs,
    in which rounding happened, and ``squares`` = ‖G‖²_F."""
    return size * float(np.finfo(precision).eps) * math.sqrt(squares)


def check_trace(trace: float, expected: float, size: int, precision: str) -> None:
    """The trace of a dual against its sum of squared norms.

    Raises
    ------
    ArithmeticError
        If they differ by more than rounding.
    """
    _check("trace of the dual matrix", trace, expected, size, precision)


def check_spectrum(values: NDArray[np.float64], total: float, squares: float, precision: str) -> None:
    """All eigenvalues against the trace and the squared Frobenius norm.

    Raises
    ------
    ArithmeticError
        If a sum differs by more than rounding.
    """
    scale = math.sqrt(len(values) * squares)  # Σ|λ| is at most this: a centred trace may be far smaller
    if abs(float(values.sum()) - total) > _tolerance(len(values), precision) * scale:
        raise ArithmeticError(f"sum of the eigenvalues: expected the trace {total!r}, got {float(values.sum())!r}")
    _check("sum of the squared eigenvalues", float(values @ values), squares, len(values), precision)


def _check(what: str, got: float, expected: float, size: int, precision: str) -> None:
    if not abs(got - expected) <= _tolerance(size, precision) * abs(expected):
        raise ArithmeticError(f"{what}: expected {expected!r}, got {got!r}")


def _tolerance(size: int, precision: str) -> float:
    return 16 * max(math.sqrt(size), 16.0) * float(np.finfo(precision).eps)
