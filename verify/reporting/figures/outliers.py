"""Outliers by rank, where theory tells them apart: predicted, measured, and the paper's bounds on the largest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from meanfield.figures.ticks import log_ticks
from verify.judging.ranks import Ranks
from verify.reporting.figures import style
from verify.reporting.figures.picture import IN_A_ROW, Drawing, Picture, Section

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from verify.judging.verdict import Comparison

__all__ = ["draw_outliers", "outliers_section"]

_CAPTION = (
    "The widest networks of each kind. Bars: predicted means over networks. Markers: measured means with 95 % "
    "intervals. Shaded: Theorem 3.3's bounds on the largest."
)


def outliers_section(comparison: Comparison, names: Mapping[str, str]) -> Section:
    """The pictures of each metric whose outliers differ, a panel for each network."""
    pictures = []
    for metric in dict.fromkeys(r.metric for r in comparison.ranks):
        found = [r for r in comparison.ranks if r.metric == metric]
        for start in range(0, len(found), IN_A_ROW):
            name = style.slug(f"outliers {metric.label} {start // IN_A_ROW + 1}")
            pictures.append(Picture(name, metric.label, draw_outliers(name, found[start : start + IN_A_ROW], names)))
    return Section("Outliers one by one", _CAPTION, tuple(pictures))


def draw_outliers(name: str, shown: Sequence[Ranks], names: Mapping[str, str]) -> Drawing:
    """A row of panels of one metric, one for each network law."""
    titles = [f"{names[r.cell.law.digest]}, M = {r.cell.width}" for r in shown]
    with style.panels(titles, height=2.5) as (figure, axes):
        for ax, one in zip(axes, shown, strict=True):
            _draw(ax, one, list(names).index(one.cell.law.digest))
        axes[0].set_ylabel("outlier")
        return style.drawing(
            figure, name, f"Outliers of {shown[0].metric.label} by rank, theory and measurement: {'; '.join(titles)}"
        )


def _draw(ax: Axes, one: Ranks, number: int) -> None:
    rank = np.arange(1, len(one.predicted) + 1)
    if one.bounds:
        ax.fill_between([0.7, 1.3], *one.bounds, color=style.SHADE, alpha=0.3, linewidth=0)
    ax.hlines(one.predicted, rank - 0.3, rank + 0.3, color=style.INK, linewidth=1.1)
    ax.errorbar(rank, [e.value for e in one.measured], yerr=style.whiskers(one.measured), **style.marker_style(number))
    ax.set_yscale("log")
    log_ticks(ax.yaxis)
    ax.set_xticks(rank)
    ax.set_xlabel("rank")
