"""Histograms of the measured eigenvalues, with the predicted outliers and the bulk's mean marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from verify.pairing import Spectrum
from verify.reporting.figures import style
from verify.reporting.figures.ticks import log_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_spectra"]

BINS = 50


def draw_spectra(name: str, shown: Sequence[Spectrum], names: Mapping[str, str]) -> str:
    """A row of spectra of one metric, eigenvalues on a log axis, counted per network, as SVG."""
    titles = [f"{names[s.cell.network.digest]}, M = {s.cell.width}" for s in shown]
    with style.panels(titles, height=2.5) as (figure, axes):
        for place, (ax, spectrum) in enumerate(zip(axes, shown, strict=True)):
            _draw(ax, spectrum, place)
        axes[0].set_ylabel("eigenvalues per bin and network")
        return style.svg(
            figure,
            name,
            f"Eigenvalues of {shown[0].metric.label} with the predicted outliers: {'; '.join(titles)}",
        )


def _draw(ax: Axes, spectrum: Spectrum, place: int) -> None:
    positive = np.concatenate([e[e > 0] for e in spectrum.eigenvalues])
    marked = [x for x in {*spectrum.outliers, spectrum.bulk} if np.isfinite(x) and x > 0]
    low, high = min(positive.min(), *marked, positive.max()), max(positive.max(), *marked, positive.min())
    edges = np.geomspace(low / 1.1, high * 1.1, BINS + 1)
    counted, _ = np.histogram(positive, edges)
    ax.stairs(counted / len(spectrum.eigenvalues), edges, fill=True, color=style.colour(place), alpha=0.55)
    ax.set_xscale("log")
    ax.set_yscale("log")
    bottom = 0.5 / len(spectrum.eigenvalues)
    ax.set_ylim(bottom=bottom)
    for outlier in sorted(set(spectrum.outliers)):
        if np.isfinite(outlier):
            ax.axvline(outlier, color=style.INK, linewidth=0.9, linestyle=(0, (4, 2)))
            ax.plot([outlier], [0.97], marker="v", color=style.INK, transform=ax.get_xaxis_transform(), clip_on=False)
    if np.isfinite(spectrum.bulk):
        ax.plot([spectrum.bulk], [0.97], marker="|", markersize=9, color=style.INK, transform=ax.get_xaxis_transform())
    ax.set_xlabel("eigenvalue")
    log_ticks(ax.xaxis)
    log_ticks(ax.yaxis)
