"""A figure of mean, second moment and largest eigenvalue against the width or the depth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from meanfield.figures.saving import canvas
from meanfield.figures.ticks import legible, log_ticks
from meanfield.figures.titles import network_title
from meanfield.prediction.answer import Prediction

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_predictions"]

Floats = NDArray[np.float64]

_WIDTH = "width $M$"
PANELS = {"mean": "mean $m$", "second_moment": "second moment $s$", "largest": r"largest $\lambda_{\max}$"}


def plot_predictions(
    predictions: Prediction | Sequence[Prediction], path: str | Path | None = None, *, ax: Sequence[Axes] | None = None
) -> Figure:
    """Draw a figure of three panels, and write it where ``path`` is given; its suffix says the format.

    Against the width, one line for each depth, if the predictions have more than one width; else against the depth.
    Void statistics leave gaps. The band holds 95 % of networks, where the theory gives a spread. ``ax``: three axes to
    draw on instead of a new figure.

    Raises
    ------
    ValueError
        If there is no prediction or one for several numbers of samples, for another number of axes, a format that
        matplotlib does not know, or a file that can't be written.
    """
    asked = [predictions] if isinstance(predictions, Prediction) else list(predictions)
    if not asked:
        raise ValueError("predictions: expected at least one, got none")
    for one in asked:
        if len(counts := np.unique(one.samples)) > 1:
            raise ValueError(f"predictions: expected one number of samples in each, got {', '.join(map(str, counts))}")
    with canvas((9, 3.1), path, ax, panels=len(PANELS)) as (figure, panels):
        for axes, (statistic, title) in zip(panels, PANELS.items(), strict=True):
            lines = _lines(asked, statistic)
            for label, x, y, (low, high) in lines:
                axes.plot(x, y, "o-", markersize=3, label=label)
                if np.any(np.isfinite(low)):
                    axes.fill_between(x, low, high, alpha=0.2, linewidth=0, label="95 % of networks")
            # A logarithmic axis needs something to show.
            scale = "log" if any(np.any(y > 0) for _, _, y, _ in lines) else "linear"
            axes.set(title=title, xscale=scale, yscale=scale, xlabel=_abscissa(asked))
            _ticks(axes, sorted({int(one) for _, x, _, _ in lines for one in x}))
        if panels[0].get_legend_handles_labels()[1]:
            panels[0].legend(fontsize="small")
        if ax is None:
            figure.suptitle(_title(asked))
    return figure


def _title(predictions: Sequence[Prediction]) -> str:
    first = predictions[0]
    networks = {network_title(p.network, but=("depth",)) for p in predictions}
    deep = {p.network.depth for p in predictions}
    words = [f"{first.metric.label}, {first.order} order", *(networks if len(networks) == 1 else ())]
    words += [f"$L$ = {first.network.depth}"] if len(deep) == 1 else []
    if len(sizes := np.unique(np.concatenate([np.ravel(p.samples) for p in predictions]))) == 1:
        words += [f"$N$ = {sizes[0]}"]
    return ", ".join(words)


def _ticks(axes: Axes, places: list[int]) -> None:
    """At the widths or depths themselves, and no others between them; labels where there is room."""
    from matplotlib.ticker import NullLocator

    shown = legible(places, room=20.0)
    axes.set_xticks(places, [str(x) if x in shown else "" for x in places])
    axes.xaxis.set_minor_locator(NullLocator())
    if axes.get_yscale() == "log":
        log_ticks(axes.yaxis)


def _abscissa(predictions: Sequence[Prediction]) -> str:
    return _WIDTH if np.size(predictions[0].width) > 1 else "depth $L$"


def _lines(predictions: Sequence[Prediction], statistic: str) -> list[tuple[str, Floats, Floats, Floats]]:
    """Label, abscissae, ordinates, and the ends of their intervals (NaN without any)."""

    def values(p: Prediction) -> tuple[Floats, Floats]:
        none = np.full((2, np.size(p.mean)), np.nan)
        ends = none if p.networks is None else p.interval()[statistic].reshape(-1, 2).T
        return np.ravel(getattr(p, statistic)), ends

    if _abscissa(predictions) == _WIDTH:
        return [(f"$L$ = {p.network.depth}", np.ravel(p.width).astype(np.float64), *values(p)) for p in predictions]
    depths = np.array([float(p.network.depth) for p in predictions])
    ordinates, ends = zip(*map(values, predictions), strict=True)
    return [("theory", depths, np.concatenate(ordinates), np.concatenate(ends, axis=1))]
