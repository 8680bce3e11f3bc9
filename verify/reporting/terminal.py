"""The verdict on a terminal."""

from __future__ import annotations

import textwrap
from dataclasses import replace

from verify.reporting.document import Document
from verify.reporting.summary import counted

__all__ = ["verdict_table"]

ROWS = 40
"""Up to how many rows a terminal is given whether they pass or not."""


def verdict_table(document: Document, columns: int = 100) -> str:
    """What decides, as plain text that fits a terminal of so many columns; then counts and the headline.

    What all rows share is said once. Of more than ``ROWS`` only those that don't pass are shown.
    """
    lines = [*counted(document.counts), *textwrap.wrap(document.headline, columns)]
    table = document.tables["deciding"].without("tolerance")
    passed = 0
    if len(table.rows) > ROWS:
        judged = zip(table.rows, document.comparison.deciding, strict=True)
        rest = tuple(row for row, d in judged if d.verdict != "pass")
        passed, table = len(table.rows) - len(rest), replace(table, rows=rest)
    table, shared = table.common()
    above = textwrap.wrap("; ".join(shared), columns)
    below = [f"{passed} more that pass are not shown; the report has them"] if passed else []
    return "\n".join([*above, *([table.to_text(columns)] if table.rows else []), *below, "", *lines])
