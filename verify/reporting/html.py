"""The report as one HTML file that needs nothing else: figures inlined, no outside request, a few lines of script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from verify.judging.verdict import Comparison
from verify.reporting import model
from verify.reporting.figures.style import DARK_PALETTE, PALETTE, inline, slug
from verify.reporting.names import VERDICT_TITLES
from verify.reporting.pictures import Section
from verify.reporting.summary import counts, headline, remarks, rule

__all__ = ["render_html"]


def render_html(comparison: Comparison, facts: Mapping[str, Any], pictures: Sequence[Section]) -> str:
    """The report; every name in it (from a sweep, a store or a host) is escaped by the template."""
    from jinja2 import Environment, PackageLoader
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("verify.reporting", "template"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    # The figures are SVG that Matplotlib has written and escaped: the one thing put in as it is.
    environment.filters["zipped"] = lambda columns, row: list(zip(columns, row, strict=True))
    environment.filters["inline"] = lambda svg: Markup(inline(svg))  # noqa: S704
    environment.filters["anchor"] = lambda title: f"section-{slug(title)}"
    measured = model.measured_table(comparison)
    tables = model.tables(comparison, facts)
    headings = [
        *(["What was measured"] if measured.rows else []),
        *(s.title for s in pictures),
        *(t for t, _ in tables),
    ]
    return environment.get_template("report.html").render(
        contents=headings,
        comparison=comparison,
        headline=headline(comparison),
        remarks=remarks(comparison, facts),
        rule=rule(comparison),
        counts=counts(comparison),
        titles=VERDICT_TITLES,
        sections=pictures,
        measured=measured,
        tables=tables,
        palette=list(zip(PALETTE, DARK_PALETTE, strict=True)),
    )
