"""Measured statistics against width (or samples) on log axes, with the theory's lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np

from meanfield.figures.ticks import legible, log_ticks
from verify.reporting.figures import style
from verify.reporting.figures.lines import Block, Line, blocks
from verify.reporting.figures.picture import Drawing, Picture, Section
from verify.reporting.names import AXES, STATISTIC_TITLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from verify.judging.verdict import Comparison

__all__ = ["draw_scaling", "samples_section", "widths_section"]

_CAPTION = (
    "Lines: theory; where it is refined, thin dotted lines are its leading order, and shaded is where it expects "
    "95 % of single networks. Markers: mean over networks with 95 % intervals. Both axes are logarithmic. Shaded "
    "for cross-entropy: proven bounds of the largest eigenvalue."
)


def widths_section(comparison: Comparison, names: Mapping[str, str]) -> Section:
    """A picture for each metric along widths."""
    return Section("Width scaling", _CAPTION, _pictures(comparison, names, "width"))


def samples_section(comparison: Comparison, names: Mapping[str, str]) -> Section:
    """A picture for each metric along sample numbers."""
    return Section("Scaling with the number of samples", _CAPTION, _pictures(comparison, names, "samples"))


def _pictures(
    comparison: Comparison, names: Mapping[str, str], axis: Literal["width", "samples"]
) -> tuple[Picture, ...]:
    return tuple(
        Picture(style.slug(f"scaling {axis} {block.metric}"), block.metric, draw_scaling(block))
        for block in blocks(comparison, names)
        if block.axis == axis
    )


def draw_scaling(block: Block) -> Drawing:
    """One panel a statistic, one line a network."""
    with style.panels([STATISTIC_TITLES[s] for s in block.panels]) as (figure, axes):
        for ax, panel in zip(axes, block.panels.values(), strict=True):
            for line in panel:
                _draw(ax, line, block.axis)
            _scale(ax, sorted({x for line in panel for x in _positions(line, block.axis)}), AXES[block.axis])
        style.key(figure, {line.style: line.name for line in block.lines})
        names = ", ".join(line.name for line in block.lines)
        return style.drawing(
            figure,
            f"scaling {block.axis} {block.metric}",
            f"{block.metric} against {AXES[block.axis]}, theory and measurement, for {names}",
        )


def _positions(line: Line, axis: str) -> list[int]:
    return [getattr(o.cell, axis) for o in line.series.observations]


def _draw(ax: Axes, line: Line, axis: str) -> None:
    x = _positions(line, axis)
    measured = [o.measured for o in line.series.observations]
    # What is not positive (a mean over few networks of a centred spectrum, say) has no place on a log axis.
    values = np.array([e.value if e.value > 0 else np.nan for e in measured])
    below, above = style.whiskers(measured)
    # An interval that reaches 0 has no lower end on a log axis: it's cut well below the point.
    below = np.minimum(below, 0.9 * values)
    for spans in ([o.bounds for o in line.series.observations], [o.band for o in line.series.observations]):
        if all(spans):
            lower, upper = np.transpose([span for span in spans if span])
            ax.fill_between(x, lower, upper, color=style.colour(line.style), alpha=0.12, linewidth=0)
    ax.plot(x, [o.predicted for o in line.series.observations], **style.theory_style(line.style))
    if line.series.order == "refined":
        ax.plot(x, [o.leading for o in line.series.observations], **style.leading_style(line.style))
    ax.errorbar(x, values, yerr=np.stack([below, above]), **style.marker_style(line.style))


def _scale(ax: Axes, ticks: list[int], label: str) -> None:
    ax.set_xscale("log")
    ax.set_yscale("log")
    log_ticks(ax.yaxis)
    ax.set_xticks(ticks, [str(t) if t in legible(ticks) else "" for t in ticks])
    ax.set_xticks([], minor=True)
    ax.set_xlabel(label)
