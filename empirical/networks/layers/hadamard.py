"""What a layer gives to a dual matrix where each sample has one position: ``(x·x') ∘ (a h·h + b)``."""

from __future__ import annotations

import functools
from collections.abc import Callable

from empirical.backends.base import Array, Backend
from empirical.networks.layers.base import Contraction

__all__ = ["Hadamard", "product"]


class Hadamard(Contraction):
    """For signals x (C, i, M) and y (C, j, M) and samples I × J; i is I or 1, j is J or 1.

    ``overlap`` makes h·h' (I, J): only where a metric needs it, and once. Where x and y are one array the block is on
    the diagonal, and half of the product is computed.
    """

    def __init__(self, x: Array, y: Array, samples: int, overlap: Callable[[], Array], backend: Backend) -> None:
        self._signal, self._other, self._samples, self._backend = x, y, samples, backend
        self._overlap = functools.cache(overlap)

    def add_to(self, dual: Array, a: float, b: float) -> None:
        xp, outputs, kernel = self._backend.xp, dual.shape[0], self._kernel(a, b)
        # Side by side C times, and then output by output: long contiguous loops, and a temporary of one slab.
        wide = xp.reshape(xp.tile(kernel, (1, outputs)), (kernel.shape[0], outputs, kernel.shape[1]))
        for k in range(outputs):
            dual[k, ...] += self._product[k, ...] * wide

    def add_alike_to(self, dual: Array, a: float, b: float) -> None:
        kernel = self._kernel(a, b)
        for k in range(dual.shape[0]):
            x = self._signal[k, ...]
            y = x if self._signal is self._other else self._other[k, ...]
            dual[k, ...] += product(x, y, self._backend) * kernel

    def trace(self, a: float, b: float) -> Array:
        xp = self._backend.xp
        squares = xp.linalg.vecdot(self._signal, self._signal)
        terms = squares * xp.linalg.diagonal(self._kernel(a, b))[None, :]
        return xp.sum(terms) * (self._samples / terms.shape[1])

    @functools.cached_property
    def _product(self) -> Array:
        """``x_k(n) · y_k'(m)``, (C, i, C, j)."""
        x, y, backend = self._signal, self._other, self._backend
        left = _flat(x, backend)
        made = product(left, left if x is y else _flat(y, backend), backend)
        return backend.xp.reshape(made, (*x.shape[:2], *y.shape[:2]))

    def _kernel(self, a: float, b: float) -> Array:
        """B (I, J), or (1, 1) where it is constant."""
        return self._overlap() * a + b if a else self._backend.zeros((1, 1)) + b


def product(x: Array, y: Array, backend: Backend) -> Array:
    """``x yᵀ``, by the symmetric product where both are the same array."""
    return backend.gram(x) if x is y else x @ y.T


def _flat(x: Array, backend: Backend) -> Array:
    outputs, samples, units = x.shape
    return backend.xp.reshape(x, (outputs * samples, units))
