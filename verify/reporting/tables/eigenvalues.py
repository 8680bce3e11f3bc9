"""Eigenvalue by eigenvalue: how far measured and predicted are apart on a logarithmic scale, by decade below λ_1."""

from __future__ import annotations

import math
from collections.abc import Mapping

from verify.judging.eigenvalues import Eigenvalues
from verify.judging.pairing import LEVEL
from verify.judging.verdict import Comparison
from verify.reporting.tables import columns as c
from verify.reporting.tables.table import Column, Table

__all__ = ["eigenvalues_table"]


def eigenvalues_table(comparison: Comparison, names: Mapping[str, str]) -> Table:
    """A row for each metric and cell with given inputs and stored spectra; a column for each decade that one has."""
    found = comparison.eigenvalues
    decades = sorted({decade.first for one in found for decade in one.decades})
    columns: tuple[Column[Eigenvalues], ...] = (
        c.words("metric", "metric", lambda x: x.metric.label),
        c.network(names, lambda x: x.cell.law),
        c.width(lambda x: x.cell),
        c.samples(lambda x: x.cell),
        c.whole("trials", "networks", lambda x: len(x.measured)),
        c.words("theory", "theory", lambda x: x.order),
        c.words("resolved", "resolved", lambda x: f"{len(x.predicted)} of {x.total}"),
        c.number("distance", "median |Δ|", lambda x: x.distance, "{:.3f}"),
        c.number("inside", f"inside {LEVEL:.0%}", lambda x: x.inside, "{:.1%}"),
        *(_decade(first) for first in decades),
        c.words("remarks", "remarks", lambda x: x.remarks),
    )
    caption = (
        "Eigenvalue by eigenvalue: Δ = log10(measured / predicted) over the resolved eigenvalues and all networks. "
        "Median of |Δ|; the share inside the interval that the refined theory has for single networks; then by decade "
        "below λ₁ the median of Δ, ± that of |Δ|"
    )
    return Table.of("Eigenvalues by decade", caption, columns, found)


def _decade(first: int) -> Column[Eigenvalues]:
    def value(one: Eigenvalues) -> tuple[float, float]:
        known = {d.first: (d.shift, d.distance) for d in one.decades}
        return known.get(first, (math.nan, math.nan))

    return Column(
        f"decade_{first}",
        f"{first}–{first + 1}",
        value,
        lambda pair: "–" if math.isnan(pair[0]) else f"{pair[0]:+.3f} ± {pair[1]:.3f}",
        number=True,
        export=lambda pair: dict(zip(("_shift", "_distance"), pair, strict=True)),
    )
