"""The elementwise nonlinearity: ``h = φ(u)``."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from empirical.backends.base import Array, Backend
from empirical.networks.layers.base import DrawnLayer, Fed, PassedLayer, Signal
from empirical.networks.streams import Source
from meanfield.spec import Activate

__all__ = ["DrawnActivate", "PassedActivate", "draw_activate"]


@dataclass(frozen=True)
class DrawnActivate(DrawnLayer):
    """φ; nothing of it is random."""

    law: Activate

    def forward(self, given: Array, backend: Backend) -> tuple[Array, PassedActivate]:
        phi = self.law.activation
        made = phi.function(backend.functions)(given)
        return made, PassedActivate(phi.function(backend.functions, order=1)(given))


def draw_activate(layer: Activate, before: int, widths: Sequence[int], source: Source) -> DrawnActivate:
    """As it is."""
    return DrawnActivate(layer)


@dataclass(frozen=True)
class PassedActivate(PassedLayer):
    """The slopes φ'(u), (N, M)."""

    slopes: Array

    def rows(self, start: int, stop: int) -> PassedActivate:
        return PassedActivate(self.slopes[start:stop, :])

    def backward(self, value: Array, backend: Backend) -> Generator[Signal, None, Array]:
        """``∂f/∂u = φ'(u) ∘ ∂f/∂h``; no signal of its own."""
        yield from ()
        return value * self.slopes

    def tangent(self, value: Array, fed: Fed) -> Array:
        return None if value is None else value * self.slopes
