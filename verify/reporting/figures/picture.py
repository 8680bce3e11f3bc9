"""What the figures of a report are, whatever they show."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["IN_A_ROW", "Picture", "Section"]

IN_A_ROW = 4
"""At most so many panels share a picture."""


@dataclass(frozen=True)
class Picture:
    """A figure: the file's ``name``, the ``heading`` above it, and its ``svg`` text."""

    name: str
    heading: str
    svg: str


@dataclass(frozen=True)
class Section:
    """Figures of one kind, with the caption that explains them; none where the comparison has nothing to show."""

    title: str
    caption: str
    pictures: tuple[Picture, ...]
