"""Products with a dual matrix that is never formed: v ↦ Rᵀ P J (Jᵀ (P R v)), theory.md §7.

Jᵀv is a backward pass with the cotangents v; J of it is a forward pass of tangents, into which every layer feeds the
part of its own parameters: ``a h (hᵀ x) + b 1 (1ᵀ x)`` with the signal x of that layer and (a, b) of `families`. So one
product costs a backward and a forward pass with two products of h in each layer, 8 N Σ M_l M_{l-1} flops in all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from empirical.backends.base import Array
from empirical.dual.families import family_of
from empirical.dual.gram import Drawn, coefficients, signals, wanted
from empirical.dual.projection import Projection
from empirical.networks.layers.base import Signal
from empirical.networks.passes import tangent
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
        layer) or feature space, of what the family's coefficients let count. The NTK is its own dual: its vectors come
        back as they are."""
        xp, family = self.drawn.backend.xp, family_of(self.metric)
        if family.own_dual:
            return vectors.T
        entered = self.projection.enter(self._cubes(vectors))
        rows = [xp.concat(self._gradient(entered[:, :, i])) for i in range(vectors.shape[1])]
        return xp.stack(rows) / float(family.divisor(self.drawn.passed.samples)) ** 0.5

    def _cubes(self, vectors: Array) -> Array:
        samples, outputs = self.drawn.passed.logits.shape
        return self.drawn.backend.xp.reshape(vectors, (outputs, samples, vectors.shape[1]))

    def _product(self, vector: Array) -> Array:
        """``ν J Jᵀ v`` for one vector (C, N)."""
        return tangent(self.drawn.passed, self._fed(vector)).T

    def _fed(self, vector: Array) -> dict[tuple[str, int], Array]:
        """What each layer feeds into the forward pass of tangents, (N, M_l), by signal."""
        fed: dict[tuple[str, int], Array] = {}
        for signal in self._contracted(vector):
            a, b = coefficients(self.metric, signal, self.drawn.passed.samples)
            fed[signal.kind, signal.layer] = signal.at.response(signal.value[0, :, :], a, b, self.drawn.backend)
        return fed

    def _gradient(self, vector: Array) -> list[Array]:
        """``Jᵀ v`` for one vector (C, N), flat, in the order of layers."""
        family, parts = family_of(self.metric), list[Array]()
        for signal in self._contracted(vector):
            a, b = family.weighting(signal.at.law, signal.at.given.shape[1])  # ν stands outside
            parts = [*signal.at.gradient(signal.kind, signal.value[0, :, :], a, b, self.drawn.backend), *parts]
        return parts

    def _contracted(self, vector: Array) -> Iterator[Signal]:
        """The signals that the metric contracts, of the cotangents (C, N)."""
        drawn = self.drawn
        every = signals([self.metric], drawn, drawn.passed, vector.T[None, :, :])
        return (s for s in every if wanted(self.metric, s.kind, s.layer, drawn.depth))


def eigenvectors(operator: DualOperator, vectors: Array) -> Array:
    """Unit eigenvectors (b, P) of the metric itself from unit eigenvectors (CN, b) of its dual (see ``pull_back``)."""
    rows = operator.pull_back(vectors)
    xp = operator.drawn.backend.xp
    norms = xp.sqrt(xp.linalg.vecdot(rows, rows))
    return rows / norms[:, None]
