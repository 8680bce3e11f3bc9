"""What the figures of a report are, whatever they show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["FORMATS", "IN_A_ROW", "Drawing", "Picture", "Section"]

FORMATS = ("svg", "pdf", "png")

IN_A_ROW = 4
"""At most so many panels share a picture."""


class Drawing(NamedTuple):
    """A figure in each of ``FORMATS``."""

    svg: str
    pdf: bytes
    png: bytes


@dataclass(frozen=True)
class Picture:
    """A figure: the files' ``name``, the ``heading`` above it, and the drawing."""

    name: str
    heading: str
    drawing: Drawing

    @property
    def svg(self) -> str:
        """For a page."""
        return self.drawing.svg

    def files(self) -> dict[str, str | bytes]:
        """What is in its files, by their names."""
        return {f"{self.name}.{kind}": getattr(self.drawing, kind) for kind in FORMATS}


@dataclass(frozen=True)
class Section:
    """Figures of one kind, with the caption that explains them; none where the comparison has nothing to show."""

    title: str
    caption: str
    pictures: tuple[Picture, ...]
