"""Products with a dual matrix that is never formed: v ↦ Rᵀ P J (Jᵀ (P R v)), theory.md §7.

Jᵀv is a backward pass with the cotangents v; J of it is a forward pass of tangents, into which every layer feeds the
part of its own parameters: ``a h (hᵀ x) + b 1 (1ᵀ x)`` with the signal x of that layer and (a, b) as in `gram`. So one
product costs a backward and a forward pass with two products of h in each layer, 8 N Σ M_l M_{l-1} flops in all.
"""

from __future__ import annotations

from dataclasses import dataclass

from empirical.backends.base import Array
from empirical.dual.gram import Drawn, coefficients, signals, wanted
from empirical.dual.projection import Projection
from empirical.networks.passes import ACTIVATION, PREACTIVATION
from meanfield.spec import Metric

__all__ = ["DualOperator", "eigenvectors"]


@dataclass(frozen=True)
class DualOperator:
    """One metric's dual as a linear operator on vectors (CN,), given as the columns of a matrix (CN, b)."""

    metric: Metric
    drawn: Drawn

    @property
    def projection(self) -> Projection:
        return Projection(self.metric, self.drawn.passed.logits, self.drawn.backend)

    def __call__(self, vectors: Array) -> Array:
        """The metric's dual times vectors (CN, b)."""
        projection, xp = self.projection, self.drawn.backend.xp
        cubes = projection.enter(self._cubes(vectors))
        return xp.reshape(projection.leave(self.bare(cubes)), vectors.shape)

    def bare(self, vectors: Array) -> Array:
        """``ν J Jᵀ v`` of the bare outputs, for vectors (C, N, b)."""
        xp = self.drawn.backend.xp
        products = [self._product(vectors[:, :, i]) for i in range(vectors.shape[2])]
        return xp.stack(products, axis=2)

    def pull_back(self, vectors: Array) -> Array:
        """``√ν (Jᵀ P R v)ᵀ`` (b, P) for vectors (CN, b): into parameter space (FIM: W^l row by row, then b^l, layer by
        layer) or feature space. The NTK is its own dual: its vectors come back as they are."""
        xp = self.drawn.backend.xp
        if self.metric.family == "ntk":
            return vectors.T
        entered = self.projection.enter(self._cubes(vectors))
        rows = [xp.concat(self._gradient(entered[:, :, i])) for i in range(vectors.shape[1])]
        return xp.stack(rows) / float(self.drawn.passed.samples) ** 0.5

    def _cubes(self, vectors: Array) -> Array:
        samples, outputs = self.drawn.passed.logits.shape
        return self.drawn.backend.xp.reshape(vectors, (outputs, samples, vectors.shape[1]))

    def _product(self, vector: Array) -> Array:
        """``ν J Jᵀ v`` for one vector (C, N)."""
        passed, layers = self.drawn.passed, self.drawn.layers
        fed = self._fed(vector)
        u: Array = None
        for l, layer in enumerate(layers, start=1):
            h = _sum(None if u is None else u * passed.slopes[l - 2], fed.get((ACTIVATION, l - 1)))
            u = _sum(None if h is None else h @ layer.weight.T, fed.get((PREACTIVATION, l)))
        return u.T

    def _fed(self, vector: Array) -> dict[tuple[str, int], Array]:
        """What each layer feeds into the forward pass of tangents, (N, M_l), by signal."""
        fed: dict[tuple[str, int], Array] = {}
        drawn, samples = self.drawn, self.drawn.passed.samples
        for signal in signals([self.metric], drawn, drawn.passed, vector.T[None, :, :]):
            if wanted(self.metric, signal, drawn.network.depth):
                x = signal.value[0, :, :]
                h = drawn.passed.activations[signal.layer - (signal.kind == PREACTIVATION)]
                a, b = coefficients(self.metric, drawn.network, signal.layer, h.shape[1], samples)
                xp = drawn.backend.xp
                everywhere = xp.broadcast_to(xp.sum(x, axis=0, keepdims=True) * b, x.shape)
                fed[signal.kind, signal.layer] = everywhere + (h @ (h.T @ x)) * a if a else everywhere
        return fed

    def _gradient(self, vector: Array) -> list[Array]:
        """``Jᵀ v`` for one vector (C, N), flat, in the order of layers."""
        xp, drawn = self.drawn.backend.xp, self.drawn
        parts: list[Array] = []
        for signal in signals([self.metric], drawn, drawn.passed, vector.T[None, :, :]):
            if wanted(self.metric, signal, drawn.network.depth):
                x = signal.value[0, :, :]
                of_bias = xp.sum(x, axis=0)
                weights = signal.kind == PREACTIVATION
                of_weight = [xp.reshape(x.T @ drawn.passed.activations[signal.layer - 1], (-1,))] if weights else []
                parts = [*of_weight, of_bias, *parts]
        return parts


def eigenvectors(operator: DualOperator, vectors: Array) -> Array:
    """Unit eigenvectors (b, P) of the metric itself from unit eigenvectors (CN, b) of its dual (see ``pull_back``)."""
    rows = operator.pull_back(vectors)
    xp = operator.drawn.backend.xp
    norms = xp.sqrt(xp.linalg.vecdot(rows, rows))
    return rows / norms[:, None]


def _sum(x: Array, y: Array) -> Array:
    """The sum of two arrays, of which either may be missing (None)."""
    if x is None or y is None:
        return y if x is None else x
    return x + y
