"""The weight layer: ``u = W h + b``."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

from empirical.backends.base import Array, Backend
from empirical.networks.layers.base import ACTIVATION, PREACTIVATION, DrawnLayer, Fed, PassedWeights, Signal
from empirical.networks.layers.hadamard import Hadamard, product
from empirical.networks.overlaps import Sums
from empirical.networks.streams import BIASES, WEIGHTS, Source
from meanfield.spec import Linear

__all__ = ["DrawnLinear", "PassedLinear", "draw_linear"]


@dataclass(frozen=True)
class DrawnLinear(DrawnLayer):
    """Weights ``W^l`` (M_l, M_{l-1}) and biases ``b^l`` (M_l,) of the weight layer number l."""

    law: Linear
    number: int
    weight: Array
    bias: Array

    def forward(self, given: Array, backend: Backend) -> tuple[Array, PassedLinear]:
        """``u = h Wᵀ + b``. It isn't kept, but for its overlaps."""
        u = given @ self.weight.T
        u += self.bias
        overlaps = Sums(backend).add(u, u.shape[0]).overlaps(u.shape[0]) / u.shape[1]
        return u, PassedLinear(self, given, overlaps)


def draw_linear(layer: Linear, before: int, widths: Sequence[int], source: Source) -> DrawnLinear:
    """``W^l_ij ~ N(0, σ_w²/fan_in)``, ``b^l_i ~ N(0, σ_b²)`` for l = ``before`` + 1, with ``widths`` M_0..M_L."""
    entering, leaving = widths[before : before + 2]
    deviation = math.sqrt(layer.weight_variance / layer.fan_in(entering))
    weight = source.normal(WEIGHTS, before + 1, (leaving, entering), deviation)
    bias = source.normal(BIASES, before + 1, (leaving,), math.sqrt(layer.bias_variance))
    return DrawnLinear(layer, before + 1, weight, bias)


@dataclass(frozen=True)
class PassedLinear(PassedWeights):
    """A weight layer and its inputs."""

    drawn: DrawnLinear
    given: Array
    overlaps: Array

    @property
    def law(self) -> Linear:
        return self.drawn.law

    @property
    def number(self) -> int:
        return self.drawn.number

    @property
    def weights(self) -> tuple[PassedLinear, ...]:
        return (self,)

    def rows(self, start: int, stop: int) -> PassedLinear:
        return replace(self, given=self.given[start:stop, :])

    def backward(self, value: Array, backend: Backend) -> Generator[Signal, None, Array]:
        """``∂f/∂h = δ W``."""
        yield Signal(PREACTIVATION, self.number, value, self)
        value = _times(value, self.drawn.weight, backend)
        yield Signal(ACTIVATION, self.number - 1, value, self)
        return value

    def tangent(self, value: Array, fed: Fed) -> Array:
        h = _sum(value, fed.get((ACTIVATION, self.number - 1)))
        return _sum(None if h is None else h @ self.drawn.weight.T, fed.get((PREACTIVATION, self.number)))

    def held(self, kind: str, a: float, b: float) -> int:
        own = self.drawn
        by_shift = own.bias.shape if kind == PREACTIVATION else self.given.shape[1:]
        parts = ((own.weight.shape, a if kind == PREACTIVATION else 0.0), (by_shift, b))
        return sum(int(math.prod(shape)) for shape, coefficient in parts if coefficient)

    def contract(self, x: Array, other: PassedWeights, y: Array, backend: Backend) -> Hadamard:
        h = other.given
        return Hadamard(x, y, self.given.shape[0], lambda: product(self.given, h, backend), backend)

    def diagonal(self, x: Array, a: float, b: float, backend: Backend) -> Array:
        squares = backend.xp.linalg.vecdot
        return squares(x, x) * (squares(self.given, self.given) * a + b)[None, :]

    def response(self, x: Array, a: float, b: float, backend: Backend) -> Array:
        everywhere = backend.xp.broadcast_to(backend.xp.sum(x, axis=0, keepdims=True) * b, x.shape)
        return everywhere + (self.given @ (self.given.T @ x)) * a if a else everywhere

    def gradient(self, kind: str, x: Array, a: float, b: float, backend: Backend) -> list[Array]:
        of_weight = [backend.xp.reshape(x.T @ self.given, (-1,)) * a**0.5] if a and kind == PREACTIVATION else []
        return [*of_weight, backend.xp.sum(x, axis=0) * b**0.5] if b else of_weight


def _times(signal: Array, weight: Array, backend: Backend) -> Array:
    """``signal W``: (B, n, M_l) × (M_l, M_{l-1}), as one matrix product."""
    batch, samples, units = signal.shape
    flat = backend.xp.reshape(signal, (batch * samples, units)) @ weight
    return backend.xp.reshape(flat, (batch, samples, weight.shape[1]))


def _sum(x: Array, y: Array) -> Array:
    """The sum of two arrays, of which either may be missing (None)."""
    if x is None or y is None:
        return y if x is None else x
    return x + y
