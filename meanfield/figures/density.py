"""The law of a whole spectrum as a figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from meanfield.figures.saving import saved_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from meanfield.bulk.law import SpectralDensity

__all__ = ["draw_density", "plot_density"]


def plot_density(density: SpectralDensity, path: str | Path, eigenvalues: ArrayLike | None = None) -> None:
    """Write :func:`draw_density` as a figure; the file's suffix says the format.

    Raises
    ------
    ValueError
        For a format that matplotlib does not know, a file that can't be written, or a law whose density was not found.
    """
    if np.isnan(density.quantile(1.0)):
        raise ValueError(f"plot: expected a law whose density was found, got {density.status}")
    with saved_figure(path, (5.6, 3.2)) as figure:
        axes = figure.subplots()
        draw_density(axes, density, eigenvalues)
        axes.set_title(density.metric.label)


def draw_density(axes: Axes, density: SpectralDensity, eigenvalues: ArrayLike | None = None) -> None:
    """Draw the bulk's density per unit of log λ with its edges (dotted) and outliers (with their spread), over the
    histogram of one network's non-zero ``eigenvalues`` where they are given."""
    d = density
    low = max(d.lower, 1e-4 * d.upper)
    x = np.geomspace(low, d.upper, 402)[1:-1]
    if eigenvalues is not None:
        top = max(float(np.max(eigenvalues)), d.upper)
        bins = np.geomspace(low / 1.1, top * 1.01, 90)
        counts, _ = np.histogram(eigenvalues, bins)
        axes.stairs(counts / d.multiplicity / np.diff(np.log(bins)), bins, fill=True, alpha=0.35, label="one network")
    axes.plot(x, x * d.density(x), label="theory")
    for edge in d.edges:
        if edge.position > 0:
            axes.axvline(edge.position, linewidth=0.8, linestyle=":", color="black")
    for value, spread in zip(d.outliers.values, d.outliers.std, strict=True):
        axes.axvline(value, linewidth=0.8, color="C3")
        axes.axvspan(value - spread, value + spread, alpha=0.15, color="C3", linewidth=0)
    axes.set(xscale="log", xlabel=r"eigenvalue $\lambda$", ylabel=r"$\lambda$ × density")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize="small")
