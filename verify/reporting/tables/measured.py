"""What was measured: each network with all its fields, where, and how often."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from verify.judging.judged import Row
from verify.judging.verdict import Comparison
from verify.reporting.names import SYMBOLS, Named, brief
from verify.reporting.tables import columns as c
from verify.reporting.tables.table import Column, Table

__all__ = ["measured_table"]


class _Measured(NamedTuple):
    named: Named
    rows: list[Row]


def measured_table(comparison: Comparison, names: Mapping[str, str]) -> Table:
    """A row for each law."""
    columns: tuple[Column[_Measured], ...] = (
        c.network(names, lambda one: one.named.law),
        *(_field(key, sign) for key, sign in SYMBOLS.items()),
        c.words("metrics", "metrics", lambda one: "; ".join(dict.fromkeys(r.metric.label for r in one.rows))),
        c.words("width", "M", lambda one: _listed(r.observation.cell.width for r in one.rows)),
        c.words("samples", "N", lambda one: _listed(r.observation.cell.samples for r in one.rows)),
        c.words("trials", "networks a cell", lambda one: _range([r.trials for r in one.rows])),
    )
    run = comparison.asked.get("run", {})
    how = ", ".join(f"{key} {run[key]}" for key in ("spectrum", "backend", "dtype", "seed") if key in run)
    caption = "Each law; one value where all layers have the same" + (how and f". Run: {how}")
    told = [
        _Measured(Named(names[law.digest], law), [r for r in comparison.rows if r.law == law])
        for law in comparison.laws
    ]
    return Table.of("What was measured", caption, columns, told)


def _field(key: str, sign: str) -> Column[_Measured]:
    return Column(key, sign, lambda one: one.named.law.fields()[key], brief)


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(set(numbers))))


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"
