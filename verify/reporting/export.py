"""Writing a report: all its files, each of them whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from verify.judging.verdict import Comparison
from verify.reporting import model
from verify.reporting.html import render_html
from verify.reporting.markdown import render_markdown
from verify.reporting.pictures import sections
from verify.reporting.summary import counts, headline, remarks
from verify.reporting.tables import plain

__all__ = ["as_json", "write_report"]


def write_report(
    comparison: Comparison, facts: Mapping[str, Any], directory: str | os.PathLike[str]
) -> dict[str, Path]:
    """Write ``report.html``, ``report.md``, ``report.json``, ``cells.csv``, ``fits.csv`` and ``figures/*.svg``.

    ``facts`` is where the figures come from (versions, seeds, wall time, failures, ...): any plain data; a date is in
    the report only if it is in there, so the same input gives the same bytes. Other SVG files in the folder's
    ``figures`` are those of an earlier report and are removed.

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
    drawn = sections(comparison)
    texts = {
        "html": ("report.html", render_html(comparison, facts, drawn)),
        "markdown": ("report.md", render_markdown(comparison, facts, drawn)),
        "json": ("report.json", as_json(comparison, facts)),
        "csv": ("cells.csv", model.cells_table(comparison).to_csv()),
        "fits": ("fits.csv", model.fits_table(comparison).to_csv()),
    }
    pictures = {f"{p.name}.svg": p.svg for section in drawn for p in section.pictures}
    for name, svg in pictures.items():
        _write(folder / "figures" / name, svg)
    for old in (folder / "figures").glob("*.svg"):
        if old.name not in pictures:  # of an earlier report
            old.unlink()
    return {kind: _write(folder / name, text) for kind, (name, text) in texts.items()}


def as_json(comparison: Comparison, facts: Mapping[str, Any]) -> str:
    """The verdict and the tables for programs: NaN is null."""
    c = comparison
    document = {
        "schema": 1,
        "name": c.name,
        "title": c.title,
        "verdict": c.verdict,
        "headline": headline(c),
        "remarks": remarks(c, facts),
        "settings": {
            "theory": c.theory,
            "alpha": c.alpha,
            "tolerances": {order: asdict(tolerance) for order, tolerance in c.tolerances.items()},
        },
        "counts": counts(c),
        "sweep": c.asked,
        "measured": model.measured_table(c).records(),
        "coverage": {statistic: {**asdict(found), "share": found.share} for statistic, found in c.coverage.items()},
        "deciding": model.deciding_table(c).records(),
        "series": model.fits_table(c).records(),
        "cells": model.cells_table(c).records(),
        "outliers": model.outliers_table(c).records(),
        "order_parameters": model.order_parameters_table(c).records(),
        "spectra": model.bulks_table(c).records(),
        "void": model.void_table(c).records(),
        "failures": c.failures,
        "provenance": plain(facts),
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


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
