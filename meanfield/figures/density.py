"""The law of a whole spectrum as a figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from meanfield.figures.saving import canvas
from meanfield.figures.titles import network_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from meanfield.bulk.law import SpectralDensity

__all__ = ["draw_density", "plot_density"]

_95 = 1.96  # standard deviations to each side


def plot_density(
    density: SpectralDensity,
    path: str | Path | None = None,
    eigenvalues: ArrayLike | None = None,
    *,
    ax: Axes | None = None,
) -> Figure:
    """:func:`draw_density` on a figure of its own or on ``ax``, written where ``path`` is given; its suffix says the
    format.

    Raises
    ------
    ValueError
        For a format that matplotlib does not know, a file that can't be written, or a law whose density was not found.
    """
    if np.isnan(density.quantile(1.0)):
        raise ValueError(f"plot: expected a law whose density was found, got {density.status}")
    with canvas((6.4, 3.4), path, ax) as (figure, (axes,)):
        draw_density(axes, density, eigenvalues)
        sizes = f"$M$ = {density.width}, $N$ = {density.samples}"
        title = f"{density.metric.label}: {network_title(density.network)}, {sizes}"
        axes.set_title(title, fontsize="medium", pad=22.0)  # above the legend
    return figure


def draw_density(axes: Axes, density: SpectralDensity, eigenvalues: ArrayLike | None = None) -> None:
    """Draw the bulk's density per unit of log λ with its edges (dotted) and outliers (with the interval of 95 % of
    networks), over the histogram of one network's non-zero ``eigenvalues`` where they are given."""
    d = density
    low = max(d.lower, 1e-4 * d.upper)
    x = np.geomspace(low, d.upper, 402)[1:-1]
    if eigenvalues is not None:
        top = max(float(np.max(eigenvalues)), d.upper)
        bins = np.geomspace(low / 1.1, top * 1.01, 90)
        counts, _ = np.histogram(eigenvalues, bins)
        axes.stairs(counts / d.multiplicity / np.diff(np.log(bins)), bins, fill=True, alpha=0.35, label="one network")
    axes.plot(x, x * d.density(x), label="bulk, theory")
    edges = [e.position for e in d.edges if e.position > 0]
    for position, label in zip(edges, ["edges of the bulk", *["_"] * len(edges)], strict=False):
        axes.axvline(position, linewidth=0.8, linestyle=":", color="black", label=label)
    names = ["outliers, 95 % of networks" if len(d.outliers.values) > 1 else "outlier, 95 % of networks"]
    outliers = zip(d.outliers.values, d.outliers.std, [*names, *["_"] * len(d.outliers.values)], strict=False)
    for value, spread, label in outliers:
        axes.axvline(value, linewidth=0.8, color="C3", label=label)
        axes.axvspan(max(value - _95 * spread, low), value + _95 * spread, alpha=0.15, color="C3", linewidth=0)
    axes.set(xscale="log", xlabel=r"eigenvalue $\lambda$", ylabel=r"$\lambda$ × density")
    axes.set_ylim(bottom=0)
    # Above the axes, off the lines.
    axes.legend(fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, frameon=False)
