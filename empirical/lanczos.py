"""The largest eigenvalues of a symmetric positive operator: block Lanczos with full orthogonalisation.

From a random block V_1 (n × b) it builds an orthonormal basis Q of the Krylov space span(V, GV, G²V, ...); the
eigenpairs (θ, s) of T = QᵀGQ give Ritz pairs (θ, Qs). A block of at least as many vectors as eigenvalues asked finds
eigenvalues of that multiplicity: a network's outliers come in clusters of C, exactly equal at L = 1. The residual
‖G Qs - θ Qs‖ bounds the error of θ, and is measured at the end, not only estimated.

Golub and Van Loan, Matrix Computations, §10.3.6; Parlett, The Symmetric Eigenvalue Problem, §4.5 (the bound).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from empirical.backends.base import Array, Backend

__all__ = ["NotConverged", "RitzPairs", "largest_pairs", "tolerance"]


class NotConverged(ArithmeticError):
    """The iteration ended before the residuals were small enough."""


@dataclass(frozen=True)
class RitzPairs:
    """``values`` descending (k,), orthonormal ``vectors`` (n, k), ``residuals`` ‖G v - θ v‖ (k,)."""

    values: NDArray[np.float64]
    vectors: Array
    residuals: NDArray[np.float64]


def tolerance(precision: str) -> float:
    """The largest residual accepted, relative to λ_max."""
    return max(1e-8, 64 * float(np.finfo(precision).eps))


def largest_pairs(
    apply: Callable[[Array], Array], size: int, count: int, backend: Backend, most: int = 400
) -> RitzPairs:
    """The ``count`` largest eigenpairs of a positive operator of the given size, from products with blocks (n, b).

    Raises
    ------
    NotConverged
        If a basis of ``most`` vectors (or n of them) is not enough.
    """
    width = min(size, count + 2)
    steps = max(min(most, size) // width, 1)
    basis = backend.zeros((size, steps * width))
    reduced = np.zeros((steps * width, steps * width))
    block = _start(size, width, backend)
    for start in range(0, steps * width, width):
        stop = start + width
        basis[:, start:stop] = block
        block, column, tail = _extend(basis[:, :stop], apply(block), backend)
        reduced[:stop, start:stop] = column
        values, small = np.linalg.eigh(reduced[:stop, :stop], UPLO="U")
        values, small = values[::-1][:count].copy(), small[:, ::-1][:, :count].copy()
        estimate = np.linalg.norm(tail @ small[-width:], axis=0)
        if len(values) == count and estimate.max() <= 0.5 * tolerance(backend.precision) * abs(values[0]):
            return _measured(apply, values, basis[:, :stop] @ backend.asarray(small), backend)
    raise NotConverged(f"Lanczos: expected the {count} largest eigenvalues from {most} vectors, got no convergence")


def _extend(basis: Array, image: Array, backend: Backend) -> tuple[Array, NDArray[np.float64], NDArray[np.float64]]:
    """The next block, the new column of T = QᵀGQ, and the factor R that G's image has left outside the basis."""
    column = basis.T @ image
    block, first = backend.xp.linalg.qr(image - basis @ column)
    # Once is not enough (Parlett: "twice is"), least of all for directions that are rounding alone.
    block, second = backend.xp.linalg.qr(block - basis @ (basis.T @ block))
    return block, backend.host(column), backend.host(second @ first)


def _measured(
    apply: Callable[[Array], Array], values: NDArray[np.float64], vectors: Array, backend: Backend
) -> RitzPairs:
    defect = apply(vectors) - vectors * backend.asarray(values)
    residuals = np.sqrt(backend.host(backend.xp.vecdot(defect, defect, axis=-2)))
    if not residuals.max() <= tolerance(backend.precision) * abs(values[0]):
        raise NotConverged(
            f"Lanczos: expected residuals up to {tolerance(backend.precision):g}, got {residuals.max():g}"
        )
    return RitzPairs(values, vectors, residuals)


def _start(size: int, width: int, backend: Backend) -> Array:
    """A random block, always the same one: a result depends on the operator alone."""
    numbers = np.random.default_rng(20191022).standard_normal((size, width))
    return backend.xp.linalg.qr(backend.asarray(numbers))[0]
