"""The report as one HTML file that needs nothing else: figures inlined, no outside request, a few lines of script."""

from __future__ import annotations

from verify.reporting.document import Document
from verify.reporting.figures.style import DARK_PALETTE, PALETTE, inline, slug
from verify.reporting.names import VERDICT_TITLES

__all__ = ["render_html"]


def render_html(document: Document) -> str:
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
    first, *others = document.tables.values()
    above, below = ([table for table in tables if table.rows] for tables in ([first], others))
    return environment.get_template("report.html").render(
        document=document,
        comparison=document.comparison,
        above=above,
        below=below,
        contents=[*(t.title for t in above), *(s.title for s in document.sections), *(t.title for t in below)],
        titles=VERDICT_TITLES,
        palette=list(zip(PALETTE, DARK_PALETTE, strict=True)),
    )
