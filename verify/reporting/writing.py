"""Writing a report: all its files, each of them whole or not at all."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict
from pathlib import Path

from meanfield.files import free, usable_folder, whole_files
from meanfield.text import plain
from verify.reporting.document import Document
from verify.reporting.html import render_html
from verify.reporting.markdown import render_markdown

__all__ = ["as_json", "report_folder", "write_report"]

FILES = ("report.html", "report.md", "report.json", "cells.csv", "fits.csv")


def write_report(document: Document, directory: str | os.PathLike[str], *, force: bool = False) -> dict[str, Path]:
    """Write ``report.html``, ``report.md``, ``report.json``, ``cells.csv``, ``fits.csv`` and in ``figures`` each figure
    as SVG, PDF and PNG: all of them, or none. An earlier report in the folder is replaced, and those of its figures
    that this one doesn't have are removed; other files are only written over with ``force``.

    Returns
    -------
    dict
        The paths by kind: "html", "markdown", "json", "csv" (the cells), "fits".

    Raises
    ------
    ValueError
        If the directory can't be made or written, or a file is in the way.
    """
    folder = report_folder("out", Path(directory), force=force)
    texts = {
        "html": ("report.html", render_html(document)),
        "markdown": ("report.md", render_markdown(document)),
        "json": ("report.json", as_json(document)),
        "csv": ("cells.csv", document.tables["cells"].to_csv()),
        "fits": ("fits.csv", document.tables["series"].to_csv()),
    }
    files = [p.files() for section in document.sections for p in section.pictures]
    pictures = {f"figures/{name}": content for of_one in files for name, content in of_one.items()}
    earlier = _earlier(folder)
    whole_files("out", folder, {**pictures, **dict(texts.values())}, force=force, ours=earlier.__contains__)
    for old in earlier - {folder / name for name in (*pictures, *FILES)}:
        old.unlink(missing_ok=True)
    return {kind: folder / name for kind, (name, _) in texts.items()}


def report_folder(field: str, folder: Path, *, force: bool = False) -> Path:
    """``folder``, if a report can be written there. Asked before the sweep, not after.

    Raises
    ------
    ValueError
        If it can't be made or written, or a file of another origin is in the way of one of the report's.
    """
    usable_folder(field, folder, "figures")
    earlier = _earlier(folder)
    for name in FILES:
        free(field, folder / name, force=force, ours=earlier.__contains__) if folder.is_dir() else None
    return folder


def _earlier(folder: Path) -> set[Path]:
    """The files of the report that the folder has already: those that every report has, and its own figures."""
    try:
        known = json.loads((folder / "report.json").read_text("utf-8"))
        if not {"schema", "verdict", "headline", "provenance"} <= known.keys():
            return set()
        figures = re.findall(r"\(figures/([\w.-]+\.\w+)\)", (folder / "report.md").read_text("utf-8"))
    except (OSError, ValueError, AttributeError, RecursionError):
        return set()
    return {folder / name for name in FILES} | {folder / "figures" / name for name in figures}


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
