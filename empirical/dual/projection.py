"""What stands between the Jacobian's dual and the metric's: mean subtraction, then the head of the loss.

Mean subtraction replaces f by f - E_n f: ``P G P`` with ``P = I_C ⊗ (I - 11ᵀ/N)`` (theory.md §3). A loss weighs the
outputs of sample n by ``Q_n = R_n R_nᵀ``: the dual is ``Rᵀ G R`` (theory.md §4, :mod:`empirical.dual.heads`). Both
together: ``Rᵀ P G P R``, with R of the centred logits.

Axes: duals (C, I, C, J), vectors (C, N, b), logits (N, C).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from empirical.backends.base import Array, Backend
from empirical.dual.heads import HEADS, Head
from meanfield.spec import Metric

__all__ = ["Projection"]


@dataclass(frozen=True)
class Projection:
    """P and R of one metric on one network's logits, applied to a whole dual, to a block of it, or to vectors."""

    metric: Metric
    logits: Array
    backend: Backend

    @functools.cached_property
    def head(self) -> Head:
        """R, of the logits less their mean over the samples if the metric is centred."""
        logits = self.logits
        if self.metric.centered:
            logits = logits - self.backend.xp.mean(logits, axis=0, keepdims=True)
        return HEADS[self.metric.loss](logits, self.backend)

    def dual(self, dual: Array) -> Array:
        """``Rᵀ P G P R`` of a whole dual (C, N, C, N), which is overwritten."""
        if not self.metric.centered:
            return self.block(dual, slice(None), slice(None), None)
        return self.block(dual, slice(None), slice(None), self.backend.xp.mean(dual, axis=1))

    def block(self, block: Array, rows: slice, columns: slice, mean: Array | None) -> Array:
        """The same for the block (rows, columns) of samples, which is overwritten.

        ``mean`` (C, C, N) is the dual's mean over its row samples; needed if the metric is centred.
        """
        if mean is not None:
            grand = self.backend.xp.mean(mean, axis=2)  # (C, C)
            of_columns = self.backend.xp.permute_dims(mean, (1, 2, 0))[:, rows, :]  # the dual is symmetric
            block -= mean[:, None, :, columns]
            block -= of_columns[:, :, :, None]
            block += grand[:, None, :, None]
        return self.head.block(block, rows, columns)

    def enter(self, vectors: Array) -> Array:
        """``P R v`` for vectors (C, N, b)."""
        return self._centre(self.head.enter(vectors))

    def leave(self, vectors: Array) -> Array:
        """``Rᵀ P v`` for vectors (C, N, b)."""
        return self.head.leave(self._centre(vectors))

    def _centre(self, vectors: Array) -> Array:
        if not self.metric.centered:
            return vectors
        return vectors - self.backend.xp.mean(vectors, axis=1, keepdims=True)
