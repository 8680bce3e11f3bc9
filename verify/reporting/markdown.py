"""The report as Markdown; figures are links into the folder ``figures`` beside it."""

from __future__ import annotations

from verify.reporting.document import Document
from verify.reporting.figures.picture import Section
from verify.reporting.summary import counted
from verify.reporting.tables.table import Table, escaped

__all__ = ["render_markdown"]


def render_markdown(document: Document) -> str:
    """The whole report."""
    first, *others = document.tables.values()
    parts = [
        f"# Verification report: {escaped(document.comparison.title)}",
        *(escaped(text) for text in (document.headline, *document.remarks, document.rule)),
        "\n".join(f"* {line}" for line in counted(document.counts)),
        *_table(first),
        *(part for section in document.sections for part in _section(section)),
        *(part for table in others for part in _table(table)),
    ]
    return "\n\n".join(parts) + "\n"


def _section(section: Section) -> list[str]:
    pictures = [(escaped(p.heading), p.name) for p in section.pictures]
    links = [
        f"### {heading}\n\n![{heading}](figures/{name}.svg)\n\n[PDF](figures/{name}.pdf) [PNG](figures/{name}.png)"
        for heading, name in pictures
    ]
    return [f"## {section.title}", section.caption, *links]


def _table(table: Table) -> list[str]:
    return [f"## {table.title}", table.to_markdown(), f"*{escaped(table.caption)}.*"] if table.rows else []
