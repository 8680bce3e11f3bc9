"""Why trials failed, the commonest reasons first."""

from __future__ import annotations

from verify.judging.verdict import Comparison
from verify.reporting.tables import columns as c
from verify.reporting.tables.table import Column, Table

__all__ = ["REASONS", "failures_table"]

REASONS = 20
"""More reasons than this are summed up in one row."""


def failures_table(comparison: Comparison) -> Table:
    """A row for each reason, with the number of trials."""
    counted = list(comparison.failures.items())
    rest = sum(count for _, count in counted[REASONS:])
    told = [*counted[:REASONS], *([(f"{len(counted) - REASONS} other reasons", rest)] if rest else [])]
    columns: tuple[Column[tuple[str, int]], ...] = (
        c.words("reason", "reason", lambda reason: reason[0]),
        c.whole("trials", "trials", lambda reason: reason[1]),
    )
    return Table.of("Failures", "Trials that failed and are in no figure", columns, told)
