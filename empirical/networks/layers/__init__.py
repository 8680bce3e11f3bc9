"""The layers of a random network, one file a type, and the table of how each is drawn.

A layer's forward, backward and tangent pass, and what a weight layer gives to a metric: see `base`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from empirical.networks.layers.activate import draw_activate
from empirical.networks.layers.base import DrawnLayer
from empirical.networks.layers.linear import draw_linear
from meanfield.spec import Activate, Layer, Linear

__all__ = ["DRAW", "draw_of"]

DRAW: dict[type[Layer], Callable[[Any, int, Any, Any], DrawnLayer]] = {
    Linear: draw_linear,
    Activate: draw_activate,
}
"""Layer type → the function that draws one: (layer, weight layers before it, widths M_0..M_L, source)."""


def draw_of(kind: type[Layer]) -> Callable[[Any, int, Any, Any], DrawnLayer]:
    """The row of a layer type, or a ``ValueError``."""
    if kind not in DRAW:
        known = ", ".join(other.kind for other in DRAW)
        raise ValueError(f"layers: expected those that can be drawn ({known}), got {kind.__name__}")
    return DRAW[kind]
