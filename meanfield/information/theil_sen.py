"""The median of all pairwise slopes, in memory that grows with the number of points only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["theil_sen"]

Floats = NDArray[np.float64]

_PAIRS_HELD = 1_000_000  # 8 MB; above, pairs are counted instead


def theil_sen(x: Floats, y: Floats) -> float:
    """The median of ``(y_j - y_i)/(x_j - x_i)`` over all pairs: Theil 1950, Sen 1968.

    ``x`` ascends strictly. NaN for fewer than two points. Up to a million pairs are written down; of more, the median
    is found to rounding by Sen's own definition: the slope that leaves no rank correlation, Kendall's τ, between x and
    what remains of y. That takes O(n) memory and O(n log n) time for each of about a hundred slopes tried.
    """
    if len(x) < 2:
        return float("nan")
    if len(x) * (len(x) - 1) // 2 > _PAIRS_HELD:
        return _uncorrelating(x, y)
    i, j = np.triu_indices(len(x), 1)
    return float(np.median((y[j] - y[i]) / (x[j] - x[i])))


def _uncorrelating(x: Floats, y: Floats) -> float:
    """τ falls with the slope taken off; it is 0 between the two middle slopes of an even number."""
    steps = np.diff(y) / np.diff(x)  # every pair's slope is a mean of these
    low, high = float(steps.min()), float(steps.max())
    lower = _last(lambda slope: _kendall(x, y - slope * x) > 0, low, high)
    upper = _last(lambda slope: _kendall(x, y - slope * x) >= 0, low, high)
    return (lower + upper) / 2


def _last(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Up to where ``holds`` does, by bisection down to neighbouring numbers."""
    while low < (middle := low + (high - low) / 2) < high:
        low, high = (middle, high) if holds(middle) else (low, middle)
    return middle


def _kendall(x: Floats, y: Floats) -> float:
    from scipy.stats import kendalltau

    return float(np.nan_to_num(kendalltau(x, y, method="asymptotic").statistic))
