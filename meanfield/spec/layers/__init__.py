"""The layers a network is made of, one file a type: what they are, and what numbers of units they take and give."""

from meanfield.spec.layers.activate import Activate
from meanfield.spec.layers.base import Layer
from meanfield.spec.layers.linear import Linear

__all__ = ["LAYERS", "Activate", "Layer", "Linear"]

LAYERS: dict[str, type[Layer]] = {kind.kind: kind for kind in (Linear, Activate)}
"""Layer types by the name that plain data call them."""
