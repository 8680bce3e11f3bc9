"""Two stores side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from verify.judging.difference import Difference
from verify.reporting.names import STATISTIC_TITLES
from verify.reporting.tables import columns as c
from verify.reporting.tables.table import Column, Table

__all__ = ["difference_table"]


def difference_table(differences: Iterable[Difference], names: Mapping[str, str]) -> Table:
    """A row for each difference; ``names`` are those of the networks, by digest."""
    columns: tuple[Column[Difference], ...] = (
        c.words("metric", "metric", lambda d: d.metric.label, uncut=True),
        c.words("statistic", "statistic", lambda d: STATISTIC_TITLES[d.statistic]),
        c.network(names, lambda d: d.cell.law),
        c.width(lambda d: d.cell),
        c.samples(lambda d: d.cell),
        Column("networks", "networks", lambda d: "{} / {}".format(*d.networks), number=True),
        c.estimate("first", "A (95 % CI)", lambda d: d.first),
        c.estimate("second", "B (95 % CI)", lambda d: d.second),
        c.estimate("ratio", "B / A (95 % CI)", lambda d: d.ratio),
        c.number("p", "p equal", lambda d: d.p, "{:.2g}"),
        c.number("farthest", "same network, farthest", lambda d: d.farthest, "{:.1e}"),
    )
    return Table.of("Both stores", "What both stores have measured: A first, B second", columns, differences)
