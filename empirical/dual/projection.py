"""What stands between the Jacobian's dual and the metric's: mean subtraction, then the softmax sandwich.

Mean subtraction replaces f by f - E_n f: ``P G P`` with ``P = I_C ⊗ (I - 11ᵀ/N)`` (theory.md §3). Cross-entropy
weighs the outputs of sample n by ``Q_n = diag g - g gᵀ = R_n R_nᵀ``, ``R_n = diag √g - g √gᵀ``, g = softmax f: the
dual is ``Rᵀ G R`` (theory.md §4). Both together: ``Rᵀ P G P R``, with the softmax of the centred logits.

Axes: duals (C, I, C, J), vectors (C, N, b), logits and probabilities (N, C).
"""

from __future__ import annotations

from dataclasses import dataclass

from empirical.backends.base import Array, Backend
from meanfield.spec import Metric

__all__ = ["Projection"]


@dataclass(frozen=True)
class Projection:
    """P and R of one metric on one network's logits, applied to a whole dual, to a block of it, or to vectors."""

    metric: Metric
    logits: Array
    backend: Backend

    def probabilities(self) -> Array:
        """g (N, C): softmax of the logits, mean-subtracted first if the metric is centred."""
        xp, logits = self.backend.xp, self.logits
        if self.metric.centered:
            logits = logits - xp.mean(logits, axis=0, keepdims=True)
        weights = xp.exp(logits - xp.max(logits, axis=1, keepdims=True))
        return weights / xp.sum(weights, axis=1, keepdims=True)

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
        if self.metric.loss == "cross_entropy":
            g, swap = self.probabilities().T, self.backend.xp.permute_dims
            block = _sandwich(block, g[:, rows, None, None], self.backend)
            block = swap(_sandwich(swap(block, (2, 3, 0, 1)), g[:, columns, None, None], self.backend), (2, 3, 0, 1))
        return block

    def enter(self, vectors: Array) -> Array:
        """``P R v`` for vectors (C, N, b)."""
        xp = self.backend.xp
        if self.metric.loss == "cross_entropy":
            g = self.probabilities().T[:, :, None]
            vectors = xp.sqrt(g) * vectors - g * xp.sum(xp.sqrt(g) * vectors, axis=0, keepdims=True)
        return self._centre(vectors)

    def leave(self, vectors: Array) -> Array:
        """``Rᵀ P v`` for vectors (C, N, b)."""
        xp, vectors = self.backend.xp, self._centre(vectors)
        if self.metric.loss == "cross_entropy":
            g = self.probabilities().T[:, :, None]
            vectors = xp.sqrt(g) * (vectors - xp.sum(g * vectors, axis=0, keepdims=True))
        return vectors

    def _centre(self, vectors: Array) -> Array:
        if not self.metric.centered:
            return vectors
        return vectors - self.backend.xp.mean(vectors, axis=1, keepdims=True)


def _sandwich(dual: Array, g: Array, backend: Backend) -> Array:
    """``Rᵀ G``, overwriting G: ``Rᵀ x = √g (x - g·x)`` on the first axis; g is (C, I, 1, 1)."""
    mean = sum(g[k, ...] * dual[k, ...] for k in range(dual.shape[0]))
    for k in range(dual.shape[0]):
        dual[k, ...] = backend.xp.sqrt(g[k, ...]) * (dual[k, ...] - mean)
    return dual
