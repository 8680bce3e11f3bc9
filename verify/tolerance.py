"""How far from 1 the ratio measured / predicted may be, declared before any data are seen."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Tolerance"]


@dataclass(frozen=True)
class Tolerance:
    """``δ(M) = limit + slope / M^power``: ``power`` is the order of what the theory leaves out."""

    limit: float
    slope: float
    power: int

    def at(self, inverse_width: float) -> float:
        """δ at this 1/M; 0 is the limit of infinite width."""
        return self.limit + self.slope * inverse_width**self.power

    def __str__(self) -> str:
        return f"{self.limit:g} + {self.slope:g}/M{'²' if self.power == 2 else ''}"
