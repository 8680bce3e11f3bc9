"""Measured / predicted against 1/M: the fitted curves run into a₀ on the left, which is what the theory claims is 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from meanfield.figures.ticks import plain_ticks
from verify.reporting.figures import style
from verify.reporting.figures.lines import Block, Line, blocks
from verify.reporting.figures.picture import Drawing, Picture, Section
from verify.reporting.names import STATISTIC_TITLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from verify.asking.tolerance import Tolerance
    from verify.judging.verdict import Comparison

__all__ = ["draw_extrapolation", "extrapolation_section"]

_CAPTION = (
    "Weighted fits of measured / predicted. Filled markers at the left edge: a₀ with its 95 % interval, which "
    "tests the theory; how the curves bend is finite-width bias. Grey: tolerance."
)


def extrapolation_section(comparison: Comparison, names: Mapping[str, str]) -> Section:
    """A picture for each metric with a fit."""
    pictures = tuple(
        Picture(style.slug(f"extrapolation {block.metric}"), block.metric, draw_extrapolation(block, comparison))
        for block in blocks(comparison, names)
        if any(line.series.fit for panel in block.panels.values() for line in panel)
    )
    return Section("Extrapolation to infinite width", _CAPTION, pictures)


def draw_extrapolation(block: Block, comparison: Comparison) -> Drawing:
    """One panel a statistic, one line a network, the tolerance in grey."""
    with style.panels([STATISTIC_TITLES[s] for s in block.panels]) as (figure, axes):
        for ax, panel in zip(axes, block.panels.values(), strict=True):
            right = 1.08 * max(1 / o.cell.width for line in panel for o in line.series.observations)
            for order in dict.fromkeys(line.series.order for line in panel):
                _draw_tolerance(ax, comparison.tolerances[order], right)
            for number, line in enumerate(panel):
                _draw(ax, line, right, dodge=0.008 * right * (number - (len(panel) - 1) / 2))
            ax.set_xlabel("1 / M")
            plain_ticks(ax.xaxis)
            plain_ticks(ax.yaxis)
        axes[0].set_ylabel("measured / predicted")
        style.key(figure, {line.style: line.name for line in block.lines})
        names = ", ".join(line.name for line in block.lines)
        return style.drawing(
            figure,
            f"extrapolation {block.metric}",
            f"{block.metric}: measured over predicted against one over the width, with fits, for {names}",
        )


def _draw_tolerance(ax: Axes, tolerance: Tolerance, right: float) -> None:
    x = np.linspace(0.0, right, 30)
    band = np.array([tolerance.at(v) for v in x])
    ax.fill_between(x, 1 - band, 1 + band, color=style.SHADE, alpha=0.25, linewidth=0)
    ax.axhline(1, color=style.SHADE, linewidth=0.8, zorder=1)
    ax.set_xlim(-0.04 * right, right)


def _draw(ax: Axes, line: Line, right: float, dodge: float) -> None:
    seen = line.series.observations
    ratios = [o.ratio for o in seen]
    x = np.array([1 / o.cell.width for o in seen]) + dodge
    marks = style.marker_style(line.style)
    ax.errorbar(x, [r.value for r in ratios], yerr=style.whiskers(ratios), **marks)
    if line.series.fit is not None:
        limit = line.series.fit.limit
        grid = right * np.linspace(0, 1, 50) ** 2  # denser where 1/√M is steep
        ax.plot(grid, line.series.fit.at(grid), **style.theory_style(line.style))
        filled = {**marks, "markerfacecolor": marks["color"]}
        ax.errorbar([dodge], [limit.value], yerr=style.whiskers([limit]), **filled)
