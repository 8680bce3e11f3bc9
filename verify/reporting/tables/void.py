"""Where theory says of itself that it does not hold, and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from verify.asking.records import Law
from verify.judging.verdict import Comparison
from verify.reporting.names import STATISTIC_TITLES
from verify.reporting.tables import columns as c
from verify.reporting.tables.table import Column, Table

__all__ = ["void_table"]


class _Void(NamedTuple):
    metric: str
    statistic: str
    law: Law
    reason: str


def void_table(comparison: Comparison, names: Mapping[str, str]) -> Table:
    """A row for each reason, with the widths where it holds."""
    widths: defaultdict[_Void, list[str]] = defaultdict(list)
    for void, width in _voids(comparison):
        widths[void].append(f"{width}")
    columns: tuple[Column[_Void], ...] = (
        c.words("metric", "metric", lambda void: void.metric, uncut=True),
        c.words("statistic", "statistic", lambda void: void.statistic),
        c.network(names, lambda void: void.law),
        c.words("width", "M", lambda void: ", ".join(dict.fromkeys(widths[void]))),
        c.words("reason", "reason", lambda void: void.reason),
    )
    caption = "Void: the theory names no number here, and the verdict leaves it out"
    return Table.of("Void", caption, columns, list(widths))


def _voids(comparison: Comparison) -> Iterator[tuple[_Void, int]]:
    for row in comparison.rows:
        if row.judgement is None:
            statistic = STATISTIC_TITLES[row.statistic]
            yield _Void(row.metric.label, statistic, row.law, row.observation.reason), row.observation.cell.width
    for bulk in comparison.bulks:
        if bulk.law is None:
            yield _Void(bulk.metric.label, "law of the bulk", bulk.cell.law, bulk.reason), bulk.cell.width
