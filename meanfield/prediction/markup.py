"""Predictions in notebooks: HTML tables and LaTeX."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from meanfield.prediction.tables import prediction_rows

if TYPE_CHECKING:
    from meanfield.prediction.answer import Prediction

__all__ = ["prediction_html", "prediction_latex"]


def prediction_html(prediction: Prediction) -> str:
    """The table of :func:`meanfield.prediction.tables.prediction_table` as HTML, with the warnings below."""
    header, rows = prediction_rows(prediction)

    def line(cells: list[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(c)}</{tag}>" for c in cells) + "</tr>"

    body = "".join(line(row, "td") for row in rows)
    warnings = "".join(f"<p>warning: {escape(w)}</p>" for w in prediction.warnings)
    caption = escape(f"{prediction.metric.label}, {prediction.order} order")
    return f"<table><caption>{caption}</caption>{line(header, 'th')}{body}</table>{warnings}"


def prediction_latex(prediction: Prediction) -> str:
    """Mean, second moment and largest eigenvalue with their exponents, as displayed mathematics."""
    symbols = {"mean": "m", "second_moment": "s", "largest": r"\lambda_{\max}"}
    lines = []
    for name, symbol in symbols.items():
        in_width, in_samples = (_power(x) for x in prediction.exponents[name])
        values = ",\\,".join(_number(float(x)) for x in np.ravel(getattr(prediction, name)))
        lines.append(rf"{symbol} &= {values} &\propto M^{{{in_width}}} N^{{{in_samples}}}")
    return r"$$\begin{aligned}" + r" \\ ".join(lines) + r"\end{aligned}$$"


def _number(value: float) -> str:
    if not np.isfinite(value):
        return r"\text{void}"
    mantissa, _, exponent = f"{value:.4g}".partition("e")
    return mantissa + (rf" \times 10^{{{int(exponent)}}}" if exponent else "")


def _power(exponent: float) -> str:
    return "?" if np.isnan(exponent) else f"{exponent:g}"
