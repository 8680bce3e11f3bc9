"""The ratios that decide, with their verdicts."""

from __future__ import annotations

from collections.abc import Mapping

from verify.judging.judged import Limit, Row
from verify.judging.verdict import Comparison
from verify.reporting.names import sizes
from verify.reporting.tables import columns as c
from verify.reporting.tables.table import Column, Table

__all__ = ["deciding_table"]


def deciding_table(comparison: Comparison, names: Mapping[str, str]) -> Table:
    """A row for each of ``comparison.deciding``, in the same order."""
    columns: tuple[Column[Row | Limit], ...] = (
        *c.kind(names),
        c.words("at", "at", sizes, uncut=True),
        c.ORDER,
        c.estimate("ratio", "ratio (95 % CI)", lambda judged: judged.ratio),
        c.number("tolerance", "tolerance ±", lambda judged: judged.tolerance),
        c.VERDICT,
        c.NEEDS,
        c.words("remarks", "remarks", _remarks),
    )
    caption = "What decides: measured / predicted, and how many more networks a decision needs"
    return Table.of("What decides", caption, columns, comparison.deciding)


def _remarks(judged: Row | Limit) -> str:
    return "form does not fit" if isinstance(judged, Limit) and not judged.fits else ""
