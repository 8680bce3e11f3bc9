"""Given inputs: the samples themselves, or their Gram matrix. Either gives blocks of q̂^0_st = x_s·x_t/d."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["GivenSamples", "Gram", "Rows", "given_samples"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_ROUNDING = float(np.finfo(np.float64).eps)
_SYMMETRIC = 1e-10  # relative to the norms


class Rows:
    """The rows of an array (N, d)."""

    def __init__(self, values: Floats) -> None:
        self.values, self.features = values, values.shape[1]
        self.norms: Floats = np.einsum("sd,sd->s", values, values) / values.shape[1]
        places: dict[bytes, int] = {}  # of rows by their bytes; 0.0 is added since -0.0 has others
        self._first = np.array([places.setdefault((row + 0.0).tobytes(), i) for i, row in enumerate(values)])

    def gram(self, rows: slice, columns: slice) -> tuple[Floats, Floats]:
        """Equal inputs have exactly their norm, so that rounding opens no angle between them."""
        d = self.values.shape[1]
        block = self.values[rows] @ self.values[columns].T / d
        unit = np.sqrt(self.norms[rows])[:, None] * np.sqrt(self.norms[columns])
        block = np.clip(block, -unit, unit)
        self._join(block, rows, columns)
        return block, _ROUNDING * np.sqrt(d) * unit

    def total(self) -> float:
        """That of the samples' sum with itself."""
        whole = self.values.sum(axis=0)
        return float(whole @ whole / self.values.shape[1])

    def firsts(self, part: slice) -> Integers:
        """Equal rows are known by their bytes."""
        _, places, back = np.unique(self._first[part], return_index=True, return_inverse=True)
        return np.asarray(places[back], dtype=np.int64)

    def _join(self, block: Floats, rows: slice, columns: slice) -> None:
        equal = self._first[rows, None] == self._first[columns]
        np.copyto(block, self.norms[rows, None], where=equal)


@dataclass(frozen=True, eq=False)
class Gram:
    """The Gram matrix X Xᵀ/d (N × N) of inputs that need not be at hand.

    Raises
    ------
    ValueError, TypeError
        If it is no symmetric matrix of finite numbers with |K_st| <= √(K_ss K_tt), or has a negative eigenvalue.
    """

    matrix: Floats
    features: int | None = None

    def __init__(self, matrix: ArrayLike) -> None:
        found = _numbers("inputs: expected a Gram matrix of numbers", matrix)
        if found.ndim != 2 or found.shape[0] != found.shape[1] or found.size == 0:
            raise ValueError(f"inputs: expected a Gram matrix (N, N), got the shape {found.shape}")
        norms = np.diagonal(found)
        if not np.all(np.isfinite(found)) or np.any(norms < 0):
            raise ValueError("inputs: expected a Gram matrix of finite numbers with a positive diagonal, got others")
        unit = np.sqrt(np.outer(norms, norms))
        bounded, symmetric = np.abs(found) <= unit * (1 + _SYMMETRIC), np.abs(found - found.T) <= _SYMMETRIC * unit
        if not (np.all(bounded) and np.all(symmetric)):
            raise ValueError("inputs: expected a symmetric Gram matrix with |K_st| <= √(K_ss K_tt), got another")
        if not _is_covariance(found, norms):
            raise ValueError("inputs: expected a Gram matrix without negative eigenvalues, got one with some")
        object.__setattr__(self, "matrix", np.clip((found + found.T) / 2, -unit, unit))
        object.__setattr__(self, "features", None)

    @property
    def norms(self) -> Floats:
        """q̂^0_ss, (N,)."""
        return np.diagonal(self.matrix).copy()

    def gram(self, rows: slice, columns: slice) -> tuple[Floats, Floats]:
        """What was given counts as exact up to rounding."""
        block = self.matrix[rows, columns].copy()
        return block, _ROUNDING * np.abs(block)

    def total(self) -> float:
        """The sum of its entries."""
        return float(np.sum(self.matrix))

    def firsts(self, part: slice) -> Integers:
        """Two inputs are equal where their product is both norms."""
        norms, block = self.norms[part], self.matrix[part, part]
        places: Integers = np.argmax((block == norms[:, None]) & (block == norms), axis=1)
        return places


GivenSamples: TypeAlias = Rows | Gram
"""Both have ``norms`` q̂^0_ss (N,), ``features`` d (``None`` where it isn't known), ``gram`` of a block with its
absolute error, the ``total`` Σ_st q̂^0_st, and ``firsts``: for each input of a part the place in it of the first one
that is equal."""


def given_samples(field: str, value: Any) -> GivenSamples:
    """Rows of an array (N, d), or a :class:`Gram`.

    Raises
    ------
    ValueError, TypeError
        For anything else, no samples, or numbers that are not finite.
    """
    if isinstance(value, Gram | Rows):
        return value
    array = _numbers(f"{field}: expected an array of numbers (N, d)", value)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"{field}: expected the shape (N, d) with N, d >= 1, got {array.shape}")
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{field}: expected finite numbers, got {np.sum(~np.isfinite(array))} that are not")
    if np.abs(array).max() > 1e100:
        raise ValueError(f"{field}: expected numbers below 1e100 in size, got {np.abs(array).max():g}")
    return Rows(array)


def _numbers(expected: str, value: Any) -> Floats:
    """A copy as real numbers; texts of numbers are none, nor is what a mask hides."""
    try:
        found = np.asarray(value)
        if found.dtype.kind not in "biufO" or np.ma.is_masked(value):
            raise TypeError
        return np.array(found, dtype=np.float64, order="C")
    except (TypeError, ValueError):
        raise TypeError(f"{expected}, got {type(value).__name__}") from None


def _is_covariance(matrix: Floats, norms: Floats) -> bool:
    """Whether its eigenvalues are at least 0, up to the rounding that is forgiven."""
    slack = _SYMMETRIC * len(matrix) * float(np.max(norms))
    try:
        np.linalg.cholesky(matrix + (slack or 1.0) * np.eye(len(matrix)))
    except np.linalg.LinAlgError:
        return False
    return True
