"""What every layer of a network tells of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from meanfield.spec.activations import Activation
    from meanfield.spec.layers.linear import Linear

__all__ = ["Layer"]


class Layer:
    """One layer. A type that holds layers of its own, such as a residual one, hands on theirs."""

    kind: ClassVar[str]
    """What plain data call it."""

    @property
    def linear(self) -> tuple[Linear, ...]:
        """The weight layers in it, in the order of their numbers."""
        return ()

    @property
    def activations(self) -> tuple[Activation, ...]:
        """The activations in it, in order."""
        return ()

    def to_dict(self) -> dict[str, object]:
        """The layer as JSON-ready plain data, ``kind`` among them."""
        raise NotImplementedError

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Layer:
        """The inverse of :meth:`to_dict`."""
        return cls(**{name: value for name, value in plain.items() if name != "kind"})
