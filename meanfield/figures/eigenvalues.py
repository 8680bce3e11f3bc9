"""All eigenvalues on given inputs as a figure: by rank, on log axes, with what networks have beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.figures.saving import canvas
from meanfield.figures.titles import network_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from meanfield.prediction.answer import Prediction

__all__ = ["draw_eigenvalues", "plot_eigenvalues"]

Floats = NDArray[np.float64]

_TAIL = 2.5  # percent of networks beyond each side of a band


def plot_eigenvalues(
    prediction: Prediction,
    path: str | Path | None = None,
    measured: ArrayLike | None = None,
    *,
    ax: Axes | None = None,
) -> Figure:
    """:func:`draw_eigenvalues` on a figure of its own or on ``ax``, written where ``path`` is given; its suffix says
    the format.

    Raises
    ------
    ValueError
        For a format that matplotlib does not know, a file that can't be written, a prediction without eigenvalues or at
        several widths, or measured ones of another number.
    """
    if prediction.eigenvalues is None or prediction.eigenvalues.ndim != 1:
        raise ValueError("plot: expected a prediction with inputs=X at one width, got none of its eigenvalues")
    with canvas((6.4, 3.4), path, ax) as (figure, (axes,)):
        draw_eigenvalues(axes, prediction, measured)
        sizes = f"$M$ = {prediction.width}, $N$ = {prediction.samples}"
        axes.set_title(f"{prediction.metric.label}: {network_title(prediction.network)}, {sizes}", fontsize="medium")
    return figure


def draw_eigenvalues(axes: Axes, prediction: Prediction, measured: ArrayLike | None = None) -> None:
    """Draw eigenvalue against rank; over one network's non-zero eigenvalues ``measured`` (n,), or the range of 95 % of
    several networks' (networks, n). Below the line of what is resolved, eigenvalues are rounding."""
    values = np.repeat(np.asarray(prediction.eigenvalues, float), prediction.multiplicity)
    rank = np.arange(1, len(values) + 1)
    if measured is not None:
        for low, high, label in _bands(np.asarray(measured, dtype=np.float64), len(values)):
            axes.fill_between(rank, low, high, step="mid", alpha=0.35, linewidth=1.0, label=label)
    axes.plot(rank, values, color="black", linewidth=1.0, label="theory")
    if prediction.kernel is not None and prediction.kernel.floor > np.min(values):
        axes.axhline(prediction.kernel.floor, color="black", linestyle=":", linewidth=0.8, label="resolved above")
        axes.set_ylim(bottom=prediction.kernel.floor / 10)
    axes.set(xscale="log", yscale="log", xlabel="rank", ylabel=r"eigenvalue $\lambda$")
    axes.legend(fontsize="small", frameon=False)


def _bands(measured: Floats, count: int) -> Iterator[tuple[Floats, Floats, str]]:
    """Lower and upper ends of what networks have at each rank."""
    rows = np.sort(np.atleast_2d(measured), axis=1)[:, ::-1]
    if rows.ndim != 2 or rows.shape[1] != count:
        raise ValueError(f"measured: expected {count} eigenvalues a network, got the shape {measured.shape}")
    low, high = np.percentile(rows, [_TAIL, 100 - _TAIL], axis=0)
    yield np.maximum(low, 1e-300), np.maximum(high, 1e-300), "one network" if len(rows) == 1 else "95 % of networks"
