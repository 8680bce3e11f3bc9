"""How far from 1 the ratio measured / predicted may be, declared before any data are seen."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["WIDEST", "Tolerance"]

WIDEST = 0.5
"""A factor of two is no agreement, however small the width."""


@dataclass(frozen=True)
class Tolerance:
    """``δ(M) = limit + slope / M^power``, at most ``WIDEST``: ``power`` is the order of what the theory leaves out."""

    limit: float
    slope: float
    power: int

    def at(self, inverse_width: float) -> float:
        """δ at this 1/M; 0 is the limit of infinite width."""
        return min(self.limit + self.slope * inverse_width**self.power, WIDEST)

    def __str__(self) -> str:
        return f"{self.limit:g} + {self.slope:g}/M{'²' if self.power == 2 else ''}"
