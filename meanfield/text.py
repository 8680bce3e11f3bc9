"""Plain data → aligned tables, JSON-ready values, the sentences that apply, and the spelling of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import NamedTuple, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike

__all__ = [
    "MOST_ROWS", "Json", "Table", "Tabled", "alike", "applying", "column_table", "format_table", "plain",
    "plain_record", "power",
]  # fmt: skip

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
T = TypeVar("T")


def _slashed(values: Sequence[object]) -> str:
    return "/".join(map(str, values))


def alike(values: Sequence[T], apart: Callable[[Sequence[T]], str] = _slashed) -> T | str:
    """The value that all are; where they differ, all of them as ``apart`` spells them: with slashes between."""
    return values[0] if len(set(values)) == 1 else apart(values)


def applying(reasons: Mapping[str, ArrayLike]) -> tuple[str, ...]:
    """The sentences that hold: those with a true value, or with one among an array's."""
    return tuple(reason for reason, applies in reasons.items() if np.any(applies))


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned to the right, the first to the left."""
    widths = [max(len(str(row[i])) for row in (header, *rows)) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        return "  ".join(cells).rstrip()

    return "\n".join([line(header), "  ".join("-" * w for w in widths), *map(line, rows)])


class Table(NamedTuple):
    """A table of words under a caption, which may be empty."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        return "\n".join(([self.caption] if self.caption else []) + [format_table(self.header, self.rows)])

    def to_html(self) -> str:
        """The same as an HTML fragment."""

        def line(cells: Sequence[str], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{escape(c)}</{tag}>" for c in cells) + "</tr>"

        title = f"<caption>{escape(self.caption)}</caption>" if self.caption else ""
        return f"<table>{title}{line(self.header, 'th')}{''.join(line(row, 'td') for row in self.rows)}</table>"


class Tabled:
    """What shows itself as tables with notes below: as text on a terminal, as HTML in a notebook."""

    def _tables(self) -> Iterable[Table]:
        raise NotImplementedError

    def _notes(self) -> Iterable[str]:
        return ()

    def __str__(self) -> str:
        return "\n".join([*map(str, self._tables()), *self._notes()])

    def _repr_html_(self) -> str:
        notes = (f"<p>{escape(note)}</p>" for note in self._notes())
        return "".join([*(table.to_html() for table in self._tables()), *notes])


MOST_ROWS = 60


def column_table(caption: str, *parts: Mapping[str, ArrayLike], most: int = MOST_ROWS, digits: int = 5) -> Table:
    """A row of words for each place of the arrays, which broadcast; ``parts`` with the same columns one below the
    other. Of more than ``most`` rows the first ones."""
    header = list(parts[0])
    places = [
        place
        for columns in parts
        for place in zip(*(np.ravel(x) for x in np.broadcast_arrays(*columns.values())), strict=True)
    ]
    rows = [[f"{x:.{digits}g}" if isinstance(x, np.floating) else str(x) for x in place] for place in places[:most]]
    left = len(places) - len(rows)
    return Table(caption, header, rows + [[f"… {left} more", *[""] * (len(header) - 1)]] * (left > 0))


def plain_record(record: Mapping[str, object]) -> dict[str, Json]:
    """Each of its values made :func:`plain`."""
    return {name: plain(value) for name, value in record.items()}


def plain(values: object) -> Json:
    """Numbers for JSON, which has neither NaN nor infinity: they become ``None``."""
    if isinstance(values, Mapping):
        return plain_record(values)
    if isinstance(values, list | tuple):
        return [plain(v) for v in values]
    if hasattr(values, "tolist"):
        return plain(values.tolist())
    return None if isinstance(values, float) and not math.isfinite(values) else cast(Json, values)


def power(exponent: float) -> str:
    """An exponent as people read it; a question mark where there is none."""
    return "?" if math.isnan(exponent) else f"{exponent:g}"
