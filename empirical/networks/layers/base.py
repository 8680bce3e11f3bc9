"""What a layer does once it is drawn, and once samples have passed through it. Passes know layers by this alone.

Axes: samples n = 1..N, outputs k = 1..C, units i = 1..M. Forward arrays are (N, M). Backward arrays are (C, N, M), or
(C, 1, M) where every sample has the same value: the output's own signal is the identity.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, Self, TypeAlias

from empirical.backends.base import Array, Backend
from meanfield.spec import Linear

__all__ = [
    "ACTIVATION", "PREACTIVATION", "Contraction", "DrawnLayer", "Fed", "PassedLayer", "PassedMap", "PassedWeights",
    "Signal",
]  # fmt: skip

PREACTIVATION, ACTIVATION = "preactivation", "activation"


class DrawnLayer(ABC):
    """One layer with its random arrays, if it has any."""

    @abstractmethod
    def forward(self, given: Array, backend: Backend) -> tuple[Array, PassedLayer]:
        """What leaves the layer where ``given`` (N, M) enters, and what the way back needs."""


class PassedLayer(ABC):
    """One layer with what it keeps of the samples that passed through it."""

    @property
    def weights(self) -> tuple[PassedWeights, ...]:
        """The weight layers in it, in the order of their numbers."""
        return ()

    @abstractmethod
    def rows(self, start: int, stop: int) -> Self:
        """The same of the samples start..stop-1 alone."""

    @abstractmethod
    def backward(self, value: Array, backend: Backend) -> Generator[Signal, None, Array]:
        """From ∂f by what leaves to ∂f by what enters, which it returns. It yields the signals that metrics contract,
        from the output down, and works no further than it is asked for them."""

    @abstractmethod
    def tangent(self, value: Array, fed: Fed) -> Array:
        """From a tangent (N, M) of what enters to that of what leaves; ``None`` stands for zero. ``fed`` has what a
        metric adds on the way, by the kind and number of the signal that it contracts there."""


@dataclass(frozen=True)
class PassedMap(PassedLayer):
    """A layer without weights whose derivative, sample by sample, is a symmetric matrix: the same on both ways.

    ``kept`` are arrays over samples (N, ...) from which it is made.
    """

    kept: tuple[Array, ...]
    backend: Backend

    @abstractmethod
    def derivative(self, value: Array) -> Array:
        """The derivative of each sample times ``value`` (..., N, M)."""

    def rows(self, start: int, stop: int) -> Self:
        return replace(self, kept=tuple(x[start:stop, :] for x in self.kept))

    def backward(self, value: Array, backend: Backend) -> Generator[Signal, None, Array]:
        """No signal of its own."""
        yield from ()
        return self.derivative(value)

    def tangent(self, value: Array, fed: Fed) -> Array:
        return None if value is None else self.derivative(value)


class PassedWeights(PassedLayer):
    """A weight layer l: what its input tells of the part that its own parameters give to a metric (theory.md §7).

    With the signal x = ∂f/∂u^l of one output that part is ``Σ_ij x_i(n) x_i(m) (a h_j(n) h_j(m) + b)``; for x = ∂f/∂h,
    of a shift of what enters, it is the one with a = 0. So one pair (a, b) says how a metric weighs weights and biases.

    Attributes
    ----------
    given
        h^{l-1}, what enters: (N, M_{l-1}).
    overlaps
        ``[u(n)·u(n), u(n)·u(m)] / M_l``, means over all samples of the pass and pairs of different ones.
    """

    given: Array
    overlaps: Array

    @property
    @abstractmethod
    def law(self) -> Linear:
        """The record that it was drawn from."""

    @property
    @abstractmethod
    def number(self) -> int:
        """l."""

    @abstractmethod
    def held(self, kind: str, a: float, b: float) -> int:
        """How many numbers a signal of this kind is about: weights and biases (PREACTIVATION), or units that enter. A
        part whose coefficient is 0 doesn't count."""

    @abstractmethod
    def contract(self, x: Array, other: PassedWeights, y: Array, backend: Backend) -> Contraction:
        """The part for signals x at the samples here and y at those of ``other``, the same layer. One array as both
        means a block on the diagonal."""

    @abstractmethod
    def diagonal(self, x: Array, a: float, b: float, backend: Backend) -> Array:
        """The part's diagonal (C, N), ``Σ_i x_i(n)² (a |h(n)|² + b)``, for a signal x (C, N or 1, ·)."""

    @abstractmethod
    def response(self, x: Array, a: float, b: float, backend: Backend) -> Array:
        """``a h (hᵀ x) + b 1 (1ᵀ x)`` for a signal x (N, ·): what the layer feeds into the tangents."""

    @abstractmethod
    def gradient(self, kind: str, x: Array, a: float, b: float, backend: Backend) -> list[Array]:
        """``Σ_n`` of the gradients for a signal x (N, ·), flat: by W row by row times √a, then by b times √b; for
        ACTIVATION that by h times √b. A part whose coefficient is 0 is left out."""


class Contraction(ABC):
    """What a layer gives to the duals of all metrics, but for their (a, b)."""

    @abstractmethod
    def add_to(self, dual: Array, a: float, b: float) -> None:
        """Add it to a block (C, I, C, J) of a dual, in place."""

    @abstractmethod
    def add_alike_to(self, dual: Array, a: float, b: float) -> None:
        """Add what it gives to pairs of equal outputs, to a block (C, I, J), in place."""

    @abstractmethod
    def trace(self, a: float, b: float) -> Array:
        """Its trace on a diagonal block, from the squared norms of what is contracted: without the products."""


class Signal(NamedTuple):
    """A backpropagated signal: ``∂f_k/∂u^l`` (kind PREACTIVATION, δ^l_k) or ``∂f_k/∂h^l`` (kind ACTIVATION), and the
    weight layer ``at`` which it appears: l, or the layer l + 1 that h^l enters."""

    kind: str
    layer: int
    value: Array
    at: PassedWeights


Fed: TypeAlias = Mapping[tuple[str, int], Array]
