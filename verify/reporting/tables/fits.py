"""The series: exponents beside theory's, and the ratio fitted along widths."""

from __future__ import annotations

import math
from collections.abc import Mapping

from verify.judging.inference import UNKNOWN, Estimate
from verify.judging.scaling import Series
from verify.judging.verdict import Comparison
from verify.reporting.tables import columns as c
from verify.reporting.tables.table import Column, Table

__all__ = ["fits_table"]

_COEFFICIENTS = {0.0: "a₀", 0.5: "a½", 1.0: "a₁", 2.0: "a₂"}


def fits_table(comparison: Comparison, names: Mapping[str, str]) -> Table:
    """A row for each series; a column for each power that a fit of this comparison has."""
    limits = {limit.series.key: limit.judgement for limit in comparison.limits}
    used = sorted({p for s in comparison.series if s.fit for p in s.fit.powers})
    columns: tuple[Column[Series], ...] = (
        *c.kind(names),
        c.words("held", "held", lambda s: s.held),
        c.ORDER,
        c.estimate("exponent", "exponent (95 % CI)", lambda s: s.exponent),
        c.number("asymptotic", "leading order", lambda s: s.asymptotic),
        c.number("expected", "theory at these points", lambda s: s.expected, "{:z.3f}"),
        *(_coefficient(power) for power in used),
        c.number("goodness_of_fit", "goodness of fit p", lambda s: s.fit.goodness if s.fit else math.nan, "{:.2g}"),
        c.number(
            "detectable", "detects ±", lambda s: limits[s.key].detectable if s.key in limits else math.nan, "{:.3f}"
        ),
    )
    caption = "Exponents, and the weighted fit measured / predicted = a₀ + Σ aₚ M⁻ᵖ"
    return Table.of("Fits", caption, columns, comparison.series)


def _coefficient(power: float) -> Column[Series]:
    def value(s: Series) -> Estimate:
        known = dict(zip(s.fit.powers, s.fit.coefficients, strict=True)) if s.fit else {}
        return known.get(power, UNKNOWN)

    return c.estimate(f"a_{power:g}", f"{_COEFFICIENTS[power]} (95 % CI)", value)
