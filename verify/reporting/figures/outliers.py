"""Outliers by rank, where theory tells them apart: predicted, measured, and the paper's bounds on the largest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from verify.judging.ranks import Ranks
from verify.reporting.figures import style
from verify.reporting.figures.ticks import log_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_outliers"]


def draw_outliers(name: str, shown: Sequence[Ranks], names: Mapping[str, str]) -> str:
    """A row of panels of one metric, one for each network law, as SVG."""
    titles = [f"{names[r.cell.network.digest]}, M = {r.cell.width}" for r in shown]
    with style.panels(titles, height=2.5) as (figure, axes):
        for ax, one in zip(axes, shown, strict=True):
            _draw(ax, one, list(names).index(one.cell.network.digest))
        axes[0].set_ylabel("outlier")
        return style.svg(
            figure, name, f"Outliers of {shown[0].metric.label} by rank, theory and measurement: {'; '.join(titles)}"
        )


def _draw(ax: Axes, one: Ranks, number: int) -> None:
    rank = np.arange(1, len(one.predicted) + 1)
    half = np.nan_to_num([e.interval()[1] - e.value for e in one.measured])
    if one.bounds:
        ax.fill_between([0.7, 1.3], *one.bounds, color=style.SHADE, alpha=0.3, linewidth=0)
    ax.hlines(one.predicted, rank - 0.3, rank + 0.3, color=style.INK, linewidth=1.1)
    ax.errorbar(rank, [e.value for e in one.measured], yerr=half, **style.marker_style(number))
    ax.set_yscale("log")
    log_ticks(ax.yaxis)
    ax.set_xticks(rank)
    ax.set_xlabel("rank")
