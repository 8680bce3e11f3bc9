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

__all__ = ["STEPS", "NotConverged", "RitzPairs", "basis_size", "largest_pairs", "tolerance"]

STEPS = 25  # that a network's outliers and the edge of its bulk take


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


def basis_size(count: int, size: int) -> int:
    """The most vectors a basis has where ``count`` eigenvalues are sought."""
    return min(max(400, STEPS * (count + 2)), size)


def largest_pairs(
    apply: Callable[[Array], Array],
    size: int,
    count: int,
    backend: Backend,
    *,
    floor: float = 0.0,
    most: int | None = None,
) -> RitzPairs:
    """The ``count`` largest eigenpairs of a positive operator of the given size, from products with blocks (n, b).

    Residuals are accepted up to ``tolerance`` of λ_max and ``floor``, the rounding of the products: what is left of an
    operator that is zero.

    Raises
    ------
    NotConverged
        If a basis of ``most`` vectors (:func:`basis_size` of them by default) is not enough.
    """
    width = min(size, count + 2)
    most = basis_size(count, size) if most is None else min(most, size)
    steps = max(most // width, 1)
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
        if len(values) == count and estimate.max() <= 0.5 * _accepted(values, floor, backend):
            return _measured(apply, values, basis[:, :stop] @ backend.asarray(small), floor, backend)
    raise NotConverged(f"Lanczos: expected the {count} largest eigenvalues from {most} vectors, got no convergence")


def _extend(basis: Array, image: Array, backend: Backend) -> tuple[Array, NDArray[np.float64], NDArray[np.float64]]:
    """The next block, the new column of T = QᵀGQ, and the factor R that G's image has left outside the basis."""
    column = basis.T @ image
    block, first = backend.xp.linalg.qr(image - basis @ column)
    # Once is not enough (Parlett: "twice is"), least of all for directions that are rounding alone.
    block, second = backend.xp.linalg.qr(block - basis @ (basis.T @ block))
    return block, backend.host(column), backend.host(second @ first)


def _measured(
    apply: Callable[[Array], Array], values: NDArray[np.float64], vectors: Array, floor: float, backend: Backend
) -> RitzPairs:
    defect = apply(vectors) - vectors * backend.asarray(values)
    residuals = np.sqrt(backend.host(backend.xp.vecdot(defect, defect, axis=-2)))
    accepted = _accepted(values, floor, backend)
    if not residuals.max() <= accepted:
        raise NotConverged(f"Lanczos: expected residuals up to {accepted:g}, got {residuals.max():g}")
    return RitzPairs(values, vectors, residuals)


def _accepted(values: NDArray[np.float64], floor: float, backend: Backend) -> float:
    return tolerance(backend.precision) * abs(float(values[0])) + floor


def _start(size: int, width: int, backend: Backend) -> Array:
    """A random block, always the same one: a result depends on the operator alone."""
    numbers = np.random.default_rng(20191022).standard_normal((size, width))
    return backend.xp.linalg.qr(backend.asarray(numbers))[0]
