"""Writing a report: all its files, each of them whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path

from meanfield.text import plain
from verify.reporting.document import Document
from verify.reporting.html import render_html
from verify.reporting.markdown import render_markdown

__all__ = ["as_json", "write_report"]


def write_report(document: Document, directory: str | os.PathLike[str]) -> dict[str, Path]:
    """Write ``report.html``, ``report.md``, ``report.json``, ``cells.csv``, ``fits.csv`` and ``figures/*.svg``.

    Other SVG files in the folder's ``figures`` are those of an earlier report and are removed.

    Returns
    -------
    dict
        The paths by kind: "html", "markdown", "json", "csv" (the cells), "fits".

    Raises
    ------
    OSError
        If the directory can't be made or written.
    """
    folder = Path(directory)
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    texts = {
        "html": ("report.html", render_html(document)),
        "markdown": ("report.md", render_markdown(document)),
        "json": ("report.json", as_json(document)),
        "csv": ("cells.csv", document.tables["cells"].to_csv()),
        "fits": ("fits.csv", document.tables["series"].to_csv()),
    }
    pictures = {f"{p.name}.svg": p.svg for section in document.sections for p in section.pictures}
    for name, svg in pictures.items():
        _write(folder / "figures" / name, svg)
    for old in (folder / "figures").glob("*.svg"):
        if old.name not in pictures:  # of an earlier report
            old.unlink()
    return {kind: _write(folder / name, text) for kind, (name, text) in texts.items()}


def as_json(document: Document) -> str:
    """The verdict and the tables for programs: NaN is null. Failures and facts are there as they came."""
    c = document.comparison
    found = {
        "schema": 1,
        "name": c.name,
        "title": c.title,
        "verdict": c.verdict,
        "headline": document.headline,
        "remarks": document.remarks,
        "settings": {
            "theory": c.theory,
            "alpha": c.alpha,
            "tolerances": {order: asdict(tolerance) for order, tolerance in c.tolerances.items()},
        },
        "counts": document.counts,
        "sweep": c.asked,
        "coverage": {statistic: {**asdict(found), "share": found.share} for statistic, found in c.coverage.items()},
        **{key: table.records() for key, table in document.tables.items()},
        "failures": c.failures,
        "provenance": plain(document.facts),
    }
    return json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def _write(path: Path, text: str) -> Path:
    """Through a neighbour that takes the name only when it is whole."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
            out.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path
