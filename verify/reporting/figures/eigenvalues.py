"""All eigenvalues at given inputs by their number, on logarithmic axes: predicted, the networks' band, the control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from meanfield.figures.ticks import log_ticks
from verify.judging.eigenvalues import Eigenvalues
from verify.judging.pairing import widest
from verify.reporting.figures import style
from verify.reporting.figures.picture import IN_A_ROW, Drawing, Picture, Section

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from verify.judging.verdict import Comparison

__all__ = ["draw_eigenvalues", "eigenvalues_section"]

_CAPTION = (
    "Eigenvalues by their number, from the largest, at the greatest width. Line: predicted. Band: from the least to "
    "the greatest of the networks. Dashed, where the refined theory has it: the ends between which it expects 95 % of "
    "networks. Dotted: predicted for isotropic inputs of the same N, d and mean |x|²."
)


def eigenvalues_section(comparison: Comparison, names: Mapping[str, str]) -> Section:
    """The pictures of each metric, a row of panels each: one for each law at its greatest width, controls left out."""
    found = widest(comparison.eigenvalues, lambda x: (x.cell, (x.cell.law.digest, x.metric)))
    controls = {_twins(x): x for x in comparison.eigenvalues if x.cell.inputs and x.cell.inputs.control}
    pictures = []
    for metric in dict.fromkeys(x.metric for x in found):
        shown = [x for x in found if x.metric == metric and x.cell.inputs and not x.cell.inputs.control]
        for number, first in enumerate(range(0, len(shown), IN_A_ROW), start=1):
            row, name = shown[first : first + IN_A_ROW], style.slug(f"eigenvalues {metric.label} {number}")
            pictures.append(Picture(name, metric.label, draw_eigenvalues(name, row, controls, names)))
    return Section("Eigenvalue by eigenvalue", _CAPTION, tuple(pictures))


def draw_eigenvalues(
    name: str, shown: Sequence[Eigenvalues], controls: Mapping[object, Eigenvalues], names: Mapping[str, str]
) -> Drawing:
    """A row of spectra of one metric, each on its own vertical axis: their sizes may be many decades apart."""
    titles = [names[x.cell.law.digest] for x in shown]
    with style.panels(style.wrapped(titles), height=2.7) as (figure, axes):
        for ax, one in zip(axes, shown, strict=True):
            _draw(ax, one, controls.get(_twins(one)), list(names).index(one.cell.law.digest))
        axes[0].set_ylabel("eigenvalue")
        description = f"Eigenvalues of {shown[0].metric.label}, predicted and measured: {'; '.join(titles)}"
        return style.drawing(figure, name, description)


def _draw(ax: Axes, one: Eigenvalues, control: Eigenvalues | None, number: int) -> None:
    place = np.arange(1, len(one.predicted) + 1)
    known = np.isfinite(one.measured).any(axis=0)
    low = np.min(one.measured, axis=0, where=np.isfinite(one.measured), initial=np.inf)
    high = np.max(one.measured, axis=0, where=np.isfinite(one.measured), initial=0.0)
    ax.fill_between(place[known], low[known], high[known], color=style.colour(number), alpha=0.45, linewidth=0.6)
    ax.plot(place, one.predicted, color=style.INK, linewidth=1.0)
    for edge in () if one.band is None else one.band:
        ax.plot(place, edge, color=style.INK, linewidth=0.6, linestyle=(0, (4, 2)))
    if control is not None:
        isotropic = np.arange(1, len(control.predicted) + 1)
        ax.plot(isotropic, control.predicted, color=style.SHADE, linestyle=(0, (1, 2)), linewidth=1.1)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel(f"number (M = {one.cell.width}, N = {one.cell.samples})")
    log_ticks(ax.xaxis)
    log_ticks(ax.yaxis)


def _twins(one: Eigenvalues) -> object:
    """What a spectrum has in common with that of its control."""
    return one.cell.network, one.cell.width, one.metric, one.cell.inputs and one.cell.inputs.twins
