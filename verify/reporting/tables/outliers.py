"""The outliers one by one, where theory tells them apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from verify.judging.inference import Estimate
from verify.judging.ranks import Ranks
from verify.judging.verdict import Comparison
from verify.reporting.tables import columns as c
from verify.reporting.tables.table import Column, Table

__all__ = ["outliers_table"]


class _Outlier(NamedTuple):
    """``bounds``: of Theorem 3.3, which knows of the first one."""

    of: Ranks
    rank: int
    predicted: float
    measured: Estimate
    bounds: tuple[float, float]


def outliers_table(comparison: Comparison, names: Mapping[str, str]) -> Table:
    """A row for each rank at the widest cell of each metric and network."""
    columns: tuple[Column[_Outlier], ...] = (
        c.metric(lambda x: x.of.metric),
        c.network(names, lambda x: x.of.cell.law),
        c.width(lambda x: x.of.cell),
        c.samples(lambda x: x.of.cell),
        c.whole("rank", "rank", lambda x: x.rank),
        c.number("predicted", "predicted", lambda x: x.predicted),
        c.estimate("measured", "measured (95 % CI)", lambda x: x.measured),
        c.estimate("ratio", "ratio (95 % CI)", lambda x: x.measured.scaled(1 / x.predicted)),
        c.words("inside", "predicted inside", lambda x: _inside(x.predicted, x.measured)),
        c.number("lower", "Theorem 3.3 from", lambda x: x.bounds[0]),
        c.number("upper", "to", lambda x: x.bounds[1]),
    )
    told = [
        _Outlier(r, rank, predicted, measured, r.bounds if r.bounds and rank == 1 else (math.nan, math.nan))
        for r in comparison.ranks
        for rank, (predicted, measured) in enumerate(zip(r.predicted, r.measured, strict=True), start=1)
    ]
    return Table.of("Outliers", "Each outlier of the widest networks, means over networks by rank", columns, told)


def _inside(predicted: float, measured: Estimate) -> str:
    low, high = measured.interval()
    return "–" if math.isnan(low) else "yes" if low <= predicted <= high else "no"
