"""What every layer of a network tells of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import TYPE_CHECKING, ClassVar

from meanfield.spec.checks import table

if TYPE_CHECKING:
    from meanfield.spec.activations import Activation
    from meanfield.spec.layers.linear import Linear

__all__ = ["Layer"]


@dataclass(frozen=True)
class Layer:
    """One layer: a frozen record. A type that holds layers of its own, such as a residual one, hands on theirs."""

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

    @property
    def settings(self) -> str:
        """Its fields in words."""
        values = ((f.name.replace("_", " "), getattr(self, f.name)) for f in fields(self))
        return ", ".join(f"{name} {x:g}" if isinstance(x, float) else f"{name} {x}" for name, x in values)

    def to_dict(self) -> dict[str, object]:
        """The layer as JSON-ready plain data, ``kind`` among them."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, object]) -> Layer:
        """The inverse of :meth:`to_dict`.

        Raises
        ------
        ValueError, TypeError
            For a missing or unknown key, or a value that the type refuses.
        """
        needed = [f.name for f in fields(cls) if f.default is MISSING]
        optional = [f.name for f in fields(cls) if f.default is not MISSING]
        known = table(f"layers.{cls.kind}", plain, ["kind", *needed], optional)
        return cls(**{name: value for name, value in known.items() if name != "kind"})
