"""The elementwise nonlinearity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from meanfield.spec.activations import Activation, as_activation
from meanfield.spec.checks import table
from meanfield.spec.layers.base import Layer

__all__ = ["Activate"]


@dataclass(frozen=True)
class Activate(Layer):
    """``h = φ(u)``, elementwise.

    Parameters
    ----------
    activation
        φ: a registered name, an :class:`~meanfield.Activation` or a SymPy expression in one symbol.

    Raises
    ------
    ValueError, TypeError
        If it is none of these.
    """

    activation: Activation

    kind = "activate"

    def __post_init__(self) -> None:
        object.__setattr__(self, "activation", as_activation(self.activation))

    @property
    def activations(self) -> tuple[Activation, ...]:
        return (self.activation,)

    def to_dict(self) -> dict[str, object]:
        return {"kind": self.kind, "activation": self.activation.to_dict()}

    @classmethod
    def from_dict(cls, plain: Mapping[str, object]) -> Activate:
        return cls(Activation.from_dict(table("layers.activate", plain, ("kind", "activation"))["activation"]))
