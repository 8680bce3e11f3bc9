"""The elementwise nonlinearity: ``h = φ(u)``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from empirical.backends.base import Array, Backend
from empirical.networks.layers.base import DrawnLayer, PassedMap
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
        return made, PassedActivate((phi.function(backend.functions, order=1)(given),), backend)


def draw_activate(layer: Activate, before: int, widths: Sequence[int], source: Source) -> DrawnActivate:
    """As it is."""
    return DrawnActivate(layer)


class PassedActivate(PassedMap):
    """The slopes φ'(u), (N, M)."""

    def derivative(self, value: Array) -> Array:
        """``∂f/∂u = φ'(u) ∘ ∂f/∂h``."""
        (slopes,) = self.kept
        return value * slopes
