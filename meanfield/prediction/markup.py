"""Predictions in notebooks: HTML tables."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from meanfield.prediction.tables import prediction_rows

if TYPE_CHECKING:
    from meanfield.prediction.answer import Prediction

__all__ = ["prediction_html"]


def prediction_html(prediction: Prediction) -> str:
    """The table of :func:`meanfield.prediction.tables.prediction_table` as HTML, with the warnings below."""
    header, rows = prediction_rows(prediction)

    def line(cells: list[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(c)}</{tag}>" for c in cells) + "</tr>"

    body = "".join(line(row, "td") for row in rows)
    warnings = "".join(f"<p>warning: {escape(w)}</p>" for w in prediction.warnings)
    caption = escape(f"{prediction.metric.label}, {prediction.order} order")
    return f"<table><caption>{caption}</caption>{line(header, 'th')}{body}</table>{warnings}"
