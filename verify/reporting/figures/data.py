"""The spectrum of the data's covariance against that of the metric, predicted and measured, eigenvalue by eigenvalue.

Both are scaled and shifted so that the data's second eigenvalue stands on the metric's third: where the metric copies
the data the two run together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from meanfield.figures.ticks import log_ticks
from verify.asking.inputs import Inputs
from verify.judging.eigenvalues import Eigenvalues
from verify.judging.pairing import widest
from verify.judging.slopes import DATA_WINDOW, METRIC_WINDOW, covariance_spectrum
from verify.reporting.figures import style
from verify.reporting.figures.picture import IN_A_ROW, Drawing, Picture, Section

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from verify.judging.verdict import Comparison

__all__ = ["data_section", "draw_data"]

LOWEST = 1e-16  # of the first eigenvalue shown: below, a covariance is rounding

_CAPTION = (
    "Dashed: eigenvalues of the data's covariance. Line: predicted eigenvalues of the metric; dots: their geometric "
    "means over networks. The metric's are shifted by one and all scaled, so that the data's second stands on the "
    "metric's third."
)


def data_section(comparison: Comparison, names: Mapping[str, str]) -> Section:
    """The pictures of each metric, a row of panels each: a panel for each law, controls too, at its greatest width."""
    found = widest(comparison.eigenvalues, lambda x: (x.cell, (x.cell.law.digest, x.metric)))
    pictures = []
    for metric in dict.fromkeys(x.metric for x in found):
        shown = [x for x in found if x.metric == metric and len(x.predicted) > METRIC_WINDOW.start]
        for number, first in enumerate(range(0, len(shown), IN_A_ROW), start=1):
            row, name = shown[first : first + IN_A_ROW], style.slug(f"data {metric.label} {number}")
            pictures.append(Picture(name, metric.label, draw_data(name, row, names)))
    return Section("Data against the metric", _CAPTION, tuple(pictures))


def draw_data(name: str, shown: Sequence[Eigenvalues], names: Mapping[str, str]) -> Drawing:
    """A row of panels, one for each law."""
    titles = [names[x.cell.law.digest] for x in shown]
    with style.panels(style.wrapped(titles), height=2.7) as (figure, axes):
        for ax, one in zip(axes, shown, strict=True):
            _draw(ax, one, list(names).index(one.cell.law.digest))
        axes[0].set_ylabel("eigenvalue, scaled")
        description = f"Spectrum of the data against that of {shown[0].metric.label}: {'; '.join(titles)}"
        return style.drawing(figure, name, description)


def _draw(ax: Axes, one: Eigenvalues, number: int) -> None:
    data = covariance_spectrum(cast(Inputs, one.cell.inputs))  # no other has its eigenvalues one by one
    data = data[data > LOWEST * data[0]]
    shift = METRIC_WINDOW.start - DATA_WINDOW.start
    if len(data) > DATA_WINDOW.start:
        ax.plot(np.arange(1, len(data) + 1), data / data[DATA_WINDOW.start], **style.theory_style(number) | _DASHED)
    level = one.predicted[METRIC_WINDOW.start]
    place = np.arange(1, len(one.predicted) + 1) - shift
    known = np.isfinite(one.measured).all(axis=0) & (place > 0)
    measured = np.exp(np.mean(np.log(one.measured[:, known]), axis=0))
    ax.plot(place[known], measured / level, ".", color=style.colour(number), markersize=3)
    ax.plot(place[shift:], one.predicted[shift:] / level, color=style.INK, linewidth=1.0)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel(f"number (M = {one.cell.width}, N = {one.cell.samples})")
    log_ticks(ax.xaxis)
    log_ticks(ax.yaxis)


_DASHED = {"linestyle": (0, (6, 2))}
