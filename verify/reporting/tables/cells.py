"""Every cell: prediction, measurement, ratio, tests, verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping

from verify.judging.judged import Row
from verify.judging.pairing import LEVEL
from verify.judging.verdict import Comparison
from verify.reporting.tables import columns as c
from verify.reporting.tables.table import Column, Table

__all__ = ["cells_table"]


def cells_table(comparison: Comparison, names: Mapping[str, str]) -> Table:
    """A row for each statistic of each metric at each width and sample number."""
    columns: tuple[Column[Row], ...] = (
        *c.kind(names),
        c.width(lambda row: row.observation.cell),
        c.samples(lambda row: row.observation.cell),
        c.whole("trials", "networks", lambda row: row.trials),
        c.ORDER,
        c.number("predicted", "predicted", lambda row: row.observation.predicted),
        _BAND,
        c.number("leading", "leading order", lambda row: row.observation.leading),
        c.number("measured", "measured", lambda row: row.measured.value),
        c.number("standard_error", "s.e.", lambda row: row.measured.standard_error, "{:.2g}"),
        c.estimate("ratio", "ratio (95 % CI)", lambda row: row.ratio),
        c.number("tolerance", "tolerance ±", lambda row: row.tolerance, "{:.3f}"),
        c.number("p_equivalent", "p inside", _inside, "{:.2g}"),
        c.number("p_outside", "p outside", _outside, "{:.2g}"),
        c.VERDICT,
        c.NEEDS,
    )
    caption = "Cells: one statistic of one metric at one width and sample number"
    return Table.of("Cells", caption, columns, comparison.rows)


def _inside(row: Row) -> float:
    return row.judgement.p_equivalent if row.judgement else math.nan


def _outside(row: Row) -> float:
    return row.judgement.p_outside if row.judgement else math.nan


def _band(row: Row) -> tuple[float, float] | None:
    return row.observation.band


_BAND = Column(
    "band",
    f"{LEVEL:.0%} of networks",
    _band,
    lambda band: f"{band[0]:.4g} .. {band[1]:.4g}" if band else "–",
    number=True,
    export=lambda band: dict(zip(("_low", "_high"), band or (math.nan, math.nan), strict=True)),
)
