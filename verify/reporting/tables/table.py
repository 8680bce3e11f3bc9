"""Plain tables: named columns of values. HTML, Markdown, text, JSON and CSV are spellings of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from meanfield.text import plain

__all__ = ["Column", "Table", "escaped"]

Told_contra = TypeVar("Told_contra", contravariant=True)
Told = TypeVar("Told")


@dataclass(frozen=True)
class Column(Generic[Told_contra]):
    """``value`` is read off each thing that the table tells of.

    ``heading`` and ``show`` are for people, ``key`` and ``export`` for programs; numbers are set to the right.
    ``export`` gives the parts of a value that isn't plain (an estimate, an interval), to be named ``key`` + suffix. A
    ``whole`` column of words is never cut.
    """

    key: str
    heading: str
    value: Callable[[Told_contra], object]
    show: Callable[[Any], str] = str
    number: bool = False
    whole: bool = False
    export: Callable[[Any], Mapping[str, object]] = lambda value: {"": value}


@dataclass(frozen=True)
class Table:
    """Rows of values, one for each column, under a title and a caption."""

    title: str
    caption: str
    columns: tuple[Column[Any], ...]
    rows: tuple[tuple[object, ...], ...]

    @classmethod
    def of(cls, title: str, caption: str, columns: Sequence[Column[Told]], told: Iterable[Told]) -> Table:
        """A row for each thing told of."""
        rows = tuple(tuple(column.value(one) for column in columns) for one in told)
        return cls(title=title, caption=caption, columns=tuple(columns), rows=rows)

    def without(self, key: str) -> Table:
        """The table less the column of this key."""
        kept = [i for i, c in enumerate(self.columns) if c.key != key]
        rows = tuple(tuple(row[i] for i in kept) for row in self.rows)
        return replace(self, columns=tuple(self.columns[i] for i in kept), rows=rows)

    def common(self) -> tuple[Table, list[str]]:
        """The table less the columns that are the same in all of several rows, and what these say."""
        if len(self.rows) < 2:
            return self, []
        columns = list(zip(self.columns, zip(*self.shown(), strict=True), strict=True))
        same = {c.key: f"{c.heading}: {shown[0]}" for c, shown in columns if len(set(shown)) == 1}
        blank = {c.key for c, shown in columns if not any(shown)}
        table = self
        for key in same:
            table = table.without(key)
        return table, [said for key, said in same.items() if key not in blank]

    def shown(self) -> list[list[str]]:
        """The rows as people read them."""
        return [[c.show(v) for c, v in zip(self.columns, row, strict=True)] for row in self.rows]

    def records(self) -> list[dict[str, object]]:
        """The rows as programs read them, flat: NaN becomes ``None``."""
        return [
            {c.key + part: plain(v) for c, x in zip(self.columns, row, strict=True) for part, v in c.export(x).items()}
            for row in self.rows
        ]

    def to_text(self, limit: int = 1000) -> str:
        """Aligned columns in lines of at most ``limit`` characters: the widest columns of words are cut if need be."""
        cells = [[c.heading for c in self.columns], *self.shown()]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        words = [i for i, c in enumerate(self.columns) if not c.number and not c.whole]
        while sum(widths) + 2 * (len(widths) - 1) > limit and max((widths[i] for i in words), default=0) > 4:
            widths[max(words, key=lambda i: widths[i])] -= 1
        cells = [[v if len(v) <= w else v[: w - 1] + "…" for v, w in zip(row, widths, strict=True)] for row in cells]
        lines = [
            "  ".join(v.rjust(w) if c.number else v.ljust(w) for v, w, c in zip(row, widths, self.columns, strict=True))
            for row in cells
        ]
        rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
        return "\n".join(line.rstrip() for line in [lines[0], rule, *lines[1:]])

    def to_markdown(self) -> str:
        """A pipe table."""
        rule = ["---:" if c.number else "---" for c in self.columns]
        rows = [[escaped(c.heading) for c in self.columns], rule, *([escaped(v) for v in r] for r in self.shown())]
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)

    def to_csv(self) -> str:
        """Comma-separated values in full precision, nothing for NaN."""
        records = self.records()
        out = io.StringIO()
        writer = csv.DictWriter(
            out, list(records[0]) if records else [c.key for c in self.columns], lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(records)
        return out.getvalue()


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    for sign in "\\|*_`[]#$":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("<", "&lt;").replace(">", "&gt;").replace("\n", " ")
