"""Chebyshev panels: the intervals of q that a table of moments is cut into, and interpolants on them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "LOWEST", "RATIO", "chebyshev_nodes", "coefficients", "coordinate_slope", "differentiated", "mapped",
    "panel_coordinate", "panel_index", "panel_nodes", "stacked", "tail",
]  # fmt: skip

Floats = NDArray[np.float64]

LOWEST = 1 / 64
"""q up to here is the lowest panel, in √q; or up to this times RATIO**bottom."""
RATIO = 4.0
"""Of the ends of the other panels."""
Q_NODES = 18


def panel_index(q: Floats, bottom: int) -> NDArray[np.int64]:
    """``bottom`` for the lowest panel, then one for each factor ``RATIO``; 0 ends at ``LOWEST``."""
    return np.maximum(bottom, np.ceil(np.log(q / LOWEST) / math.log(RATIO))).astype(np.int64)


def panel_coordinate(q: Floats, index: NDArray[np.int64], bottom: int) -> Floats:
    """Where in its panel q lies, in [-1, 1]."""
    upper = LOWEST * RATIO ** index.astype(np.float64)
    return np.where(index == bottom, 2 * np.sqrt(q / upper) - 1, 1 + 2 * np.log(q / upper) / math.log(RATIO))


def coordinate_slope(q: Floats, index: int, bottom: int) -> Floats:
    return 1 / np.sqrt(q * LOWEST * RATIO**index) if index == bottom else 2 / (q * math.log(RATIO))


def differentiated(coefficients: Floats) -> Floats:
    derivative = np.polynomial.chebyshev.chebder(coefficients)
    return np.pad(derivative, (0, len(coefficients) - len(derivative)))


def panel_nodes(index: int, bottom: int) -> Floats:
    x = chebyshev_nodes(Q_NODES)
    if index == bottom:
        return np.asarray(LOWEST * RATIO**index * ((x + 1) / 2) ** 2)
    return LOWEST * RATIO**index * RATIO ** ((x - 1) / 2)


def chebyshev_nodes(count: int) -> Floats:
    return np.cos(math.pi * (np.arange(count) + 0.5) / count)


def mapped(x: Floats, low: float, high: float) -> Floats:
    return low + (high - low) * (x + 1) / 2


def coefficients(values: Floats, axes: tuple[int, ...]) -> Floats:
    """Chebyshev coefficients of the interpolant through values at the Chebyshev nodes, along ``axes``."""
    from scipy.fft import dct

    for axis in axes:
        count = values.shape[axis]
        values = dct(values, axis=axis) / count
        first = [slice(None)] * values.ndim
        first[axis] = slice(0, 1)
        values[tuple(first)] /= 2
    return values


def stacked(tables: list[Floats]) -> Floats:
    """Tables on a new first axis; those with fewer coefficients in θ end in zeros."""
    longest = max(t.shape[-1] for t in tables)
    return np.stack([np.pad(t, [(0, 0)] * (t.ndim - 1) + [(0, longest - t.shape[-1])]) for t in tables])


def tail(coefficients: Floats, scale: Floats | None = None) -> float:
    """The size of the last coefficients on every axis but the first, a measure of what was cut off: relative to the
    largest of each row, or to ``scale``. 0 where there are no numbers, which then say so themselves."""
    rows = np.abs(coefficients.reshape(len(coefficients), -1)).max(axis=1) if scale is None else scale
    ends = [np.take(coefficients, [-1, -2, -3], axis=axis) for axis in range(1, coefficients.ndim)]
    sizes = np.max([np.abs(e).reshape(len(coefficients), -1).max(axis=1) for e in ends], axis=0)
    return float(np.max(np.divide(sizes, rows, out=np.zeros_like(sizes), where=rows > 0), initial=0.0, where=rows > 0))
