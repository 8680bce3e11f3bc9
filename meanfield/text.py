"""Plain data → aligned tables, JSON-ready values, and the spelling of numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import TypeAlias, cast

__all__ = ["Json", "format_table", "html_table", "plain", "power"]

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned to the right, the first to the left."""
    widths = [max(len(str(row[i])) for row in (header, *rows)) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        return "  ".join(cells).rstrip()

    return "\n".join([line(header), "  ".join("-" * w for w in widths), *map(line, rows)])


def html_table(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str]) -> str:
    """The same as an HTML fragment, with the notes below."""

    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(c)}</{tag}>" for c in cells) + "</tr>"

    body = "".join(line(row, "td") for row in rows)
    below = "".join(f"<p>{escape(note)}</p>" for note in notes)
    return f"<table><caption>{escape(caption)}</caption>{line(header, 'th')}{body}</table>{below}"


def plain(values: object) -> Json:
    """Numbers for JSON, which has neither NaN nor infinity."""
    if isinstance(values, dict):
        return {k: plain(v) for k, v in values.items()}
    if isinstance(values, list | tuple):
        return [plain(v) for v in values]
    if hasattr(values, "tolist"):
        return plain(values.tolist())
    return None if isinstance(values, float) and not math.isfinite(values) else cast(Json, values)


def power(exponent: float) -> str:
    """An exponent as people read it; a question mark where there is none."""
    return "?" if math.isnan(exponent) else f"{exponent:g}"
