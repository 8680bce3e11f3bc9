"""What a loss puts between the outputs' dual and the metric's: one class a loss (theory.md §4).

Axes: blocks of a dual (C, I, C, J), vectors (C, N, b), logits (N, C).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from empirical.backends.base import Array, Backend

__all__ = ["HEADS", "Head"]


class Head(Protocol):
    """``R_n`` of one network's logits, with the loss's Hessian ``Q_n = R_n R_nᵀ``."""

    def __init__(self, logits: Array, backend: Backend) -> None: ...

    def block(self, block: Array, rows: slice, columns: slice) -> Array:
        """``Rᵀ G R`` for a block of a dual, which is overwritten."""

    def enter(self, vectors: Array) -> Array:
        """``R v``."""

    def leave(self, vectors: Array) -> Array:
        """``Rᵀ v``."""


class Bare:
    """The squared error: R = 1."""

    def __init__(self, logits: Array, backend: Backend) -> None:
        pass

    def block(self, block: Array, rows: slice, columns: slice) -> Array:
        return block

    def enter(self, vectors: Array) -> Array:
        return vectors

    def leave(self, vectors: Array) -> Array:
        return vectors


class Softmax:
    """Cross-entropy: ``R_n = diag √g - g √gᵀ`` with g = softmax f(n)."""

    def __init__(self, logits: Array, backend: Backend) -> None:
        xp = backend.xp
        weights = xp.exp(logits - xp.max(logits, axis=1, keepdims=True))
        self._g = (weights / xp.sum(weights, axis=1, keepdims=True)).T  # (C, N)
        self._xp = xp

    def block(self, block: Array, rows: slice, columns: slice) -> Array:
        swap = self._xp.permute_dims
        block = self._sandwich(block, self._g[:, rows, None, None])
        return swap(self._sandwich(swap(block, (2, 3, 0, 1)), self._g[:, columns, None, None]), (2, 3, 0, 1))

    def enter(self, vectors: Array) -> Array:
        g, xp = self._g[:, :, None], self._xp
        return xp.sqrt(g) * vectors - g * xp.sum(xp.sqrt(g) * vectors, axis=0, keepdims=True)

    def leave(self, vectors: Array) -> Array:
        g, xp = self._g[:, :, None], self._xp
        return xp.sqrt(g) * (vectors - xp.sum(g * vectors, axis=0, keepdims=True))

    def _sandwich(self, dual: Array, g: Array) -> Array:
        """``Rᵀ G``, overwriting G: ``Rᵀ x = √g (x - g·x)`` on the first axis; g is (C, I, 1, 1)."""
        mean = sum(g[k, ...] * dual[k, ...] for k in range(dual.shape[0]))
        for k in range(dual.shape[0]):
            dual[k, ...] = self._xp.sqrt(g[k, ...]) * (dual[k, ...] - mean)
        return dual


HEADS: Mapping[str, type[Head]] = {"mse": Bare, "cross_entropy": Softmax}
"""Loss → its head, made from the logits (N, C)."""
