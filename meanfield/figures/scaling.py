"""A figure of mean, second moment and largest eigenvalue against the width or the depth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from meanfield.figures.saving import saved_figure
from meanfield.prediction.answer import Prediction

__all__ = ["plot_predictions"]

Floats = NDArray[np.float64]

_WIDTH = "width $M$"
PANELS = {"mean": "mean $m$", "second_moment": "second moment $s$", "largest": r"largest $\lambda_{\max}$"}


def plot_predictions(predictions: Sequence[Prediction], path: str | Path) -> None:
    """Write a figure of three panels; the file's suffix says the format.

    Against the width, one line for each depth, if the predictions have more than one width; else against the depth.
    Void statistics leave gaps. The band is the standard deviation over networks, where the theory gives one.

    Raises
    ------
    ValueError
        If there is no prediction, for a format that matplotlib does not know, or a file that can't be written.
    """
    if not predictions:
        raise ValueError("predictions: expected at least one, got none")
    with saved_figure(path, (9, 2.8)) as figure:
        for axes, (statistic, title) in zip(figure.subplots(1, 3), PANELS.items(), strict=True):
            lines = _lines(predictions, statistic)
            for label, x, y, spread in lines:
                axes.plot(x, y, "o-", markersize=3, label=label)
                axes.fill_between(x, y - spread, y + spread, alpha=0.2, linewidth=0)
            # A logarithmic axis needs something to show.
            scale = "log" if any(np.any(y > 0) for _, _, y, _ in lines) else "linear"
            axes.set(title=title, xscale=scale, yscale=scale, xlabel=_abscissa(predictions))
        if len(predictions) > 1 and _abscissa(predictions) == _WIDTH:
            axes.legend(fontsize="small")
        figure.suptitle(predictions[0].metric.label)


def _abscissa(predictions: Sequence[Prediction]) -> str:
    return _WIDTH if np.size(predictions[0].width) > 1 else "depth $L$"


def _lines(predictions: Sequence[Prediction], statistic: str) -> list[tuple[str, Floats, Floats, Floats]]:
    """Label, abscissae, ordinates and their spread."""

    def values(p: Prediction) -> tuple[Floats, Floats]:
        spread = p.std[statistic] if p.std else np.zeros_like(p.mean)
        return np.ravel(getattr(p, statistic)), np.ravel(spread)

    if _abscissa(predictions) == _WIDTH:
        return [(f"L = {p.network.depth}", np.ravel(p.width).astype(np.float64), *values(p)) for p in predictions]
    depths = np.array([float(p.network.depth) for p in predictions])
    ordinates, spreads = zip(*map(values, predictions), strict=True)
    return [("", depths, np.concatenate(ordinates), np.concatenate(spreads))]
