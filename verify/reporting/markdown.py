"""The report as Markdown, and the verdict table for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from verify.judging.verdict import Comparison
from verify.reporting import model
from verify.reporting.pictures import Section
from verify.reporting.summary import counts, headline, remarks, rule
from verify.reporting.tables import Table, escaped

__all__ = ["render_markdown", "verdict_table"]


ROWS = 40
"""Up to how many rows a terminal is given whether they pass or not."""


def verdict_table(comparison: Comparison, columns: int = 100) -> str:
    """What decides, as plain text that fits a terminal of so many columns; then counts and the headline.

    What all rows share is said once. Of more than ``ROWS`` only those that don't pass are shown.
    """
    lines = [*_counted(counts(comparison)), *textwrap.wrap(headline(comparison), columns)]
    table = model.deciding_table(comparison).without("tolerance")
    passed = 0
    if len(table.rows) > ROWS:
        rest = tuple(row for row, d in zip(table.rows, comparison.deciding, strict=True) if d.verdict != "pass")
        passed, table = len(table.rows) - len(rest), replace(table, rows=rest)
    table, shared = table.common()
    above = textwrap.wrap("; ".join(shared), columns)
    below = [f"{passed} more that pass are not shown; the report has them"] if passed else []
    return "\n".join([*above, *([table.to_text(columns)] if table.rows else []), *below, "", *lines])


def render_markdown(comparison: Comparison, facts: Mapping[str, Any], pictures: Sequence[Section]) -> str:
    """The whole report; figures are links into the folder ``figures`` beside it."""
    parts = [
        f"# Verification report: {escaped(comparison.title)}",
        *(escaped(text) for text in (headline(comparison), *remarks(comparison, facts), rule(comparison))),
        "\n".join(f"* {line}" for line in _counted(counts(comparison))),
    ]
    parts += _table("What was measured", model.measured_table(comparison))
    for section in pictures:
        parts += [f"## {section.title}", section.caption]
        parts += [f"### {(name := escaped(p.heading))}\n\n![{name}](figures/{p.name}.svg)" for p in section.pictures]
    for title, table in model.tables(comparison, facts):
        parts += _table(title, table)
    return "\n\n".join(parts) + "\n"


def _table(title: str, table: Table) -> list[str]:
    return [f"## {title}", table.to_markdown(), f"*{escaped(table.caption)}.*"] if table.rows else []


def _counted(found: Mapping[str, Mapping[str, int]]) -> list[str]:
    titles = {"deciding": "decides", "cells": "cells"}
    return [f"{titles[what]}: " + ", ".join(f"{n} {kind}" for kind, n in c.items()) for what, c in found.items()]
