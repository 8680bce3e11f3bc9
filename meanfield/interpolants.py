"""Interpolants of the Gaussian moments: the maps depend on (q, c) alone, so a table serves every network of a grid.

For φ and for φ' (``order`` 0 and 1) one panel in q holds Chebyshev coefficients of

    square(q)   as  square / (q + φ(0)²)            mean(q)      E[φ(u)] (or of φ')
    near(q, θ)  =   gap / (square (1 - c))           for 0 <= θ <= π/3, where the gap must keep its digits;
                                                     √(1 - c) for φ', whose gap at a kink goes like θ
    far(q, θ)   =   (product - mean²) / (square c)   for π/3 <= θ <= π/2, where the product must keep its digits

with c = cos θ, in which kinks and all (√(1 - c) singularities) the functions are analytic; and as a function of q in
log q, or of √q in the lowest panel, which reaches down to q = 0. The tables are filled by :mod:`meanfield.gauss`.
Covariances below 0 don't occur between independent inputs.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.activations import Activation
from meanfield.gauss import gaussian_mean, gaussian_moments

__all__ = ["MomentTable", "moment_table"]

Floats = NDArray[np.float64]

LOWEST = 1 / 64  # q up to here is the lowest panel, in √q
RATIO = 4.0  # of the ends of the other panels
_Q_NODES = 18
_THETA_NODES = (18, 24, 32, 48, 64, 96)  # near and far: the first that is enough
_ENOUGH = 3e-12  # of the last coefficients, relative to the first
THETA_CUT = math.pi / 3
_WIDEST = 2.0**40


@dataclass(frozen=True)
class Panel:
    """Chebyshev coefficients on one interval of q, for order 0 and 1 on the first axis."""

    square: Floats  # (2, Q)
    mean: Floats  # (2, Q)
    near: Floats  # (2, Q, T_near)
    far: Floats  # (2, Q, T_far)
    error: float


@dataclass(frozen=True)
class _Row:
    """The tabulated functions at one q, for one order, at the nodes in θ."""

    square: float
    mean: float
    near: Floats
    far: Floats


class MomentTable:
    """The moments of φ and φ' for arrays of (q, gap): see :meth:`moments`. Panels are made when first needed."""

    def __init__(self, activation: Activation) -> None:
        self.activation = activation
        self._origin = tuple(float(activation.function(order=k)(np.zeros(1))[0]) ** 2 for k in (0, 1))
        self._panels: dict[int, Panel] = {}

    def moments(self, q: Floats, gap: Floats) -> tuple[Floats, Floats, Floats]:
        """square, product and gap, each of shape ``(2, *q.shape)``: for φ, then for φ'.

        NaN where q is not finite, above 2⁴⁰, or the covariance q - gap is negative.
        """
        from meanfield.compiled import table_moments

        good = np.isfinite(q) & (q <= _WIDEST) & (q > 0) & (gap >= 0) & (gap <= q * (1 + 1e-12))
        q_flat, gap_flat = np.where(good, q, 1.0).ravel(), np.where(good, gap, 0.0).ravel()
        index = _panel_index(q_flat)
        used = np.unique(index)
        panels = [self.panel(int(p)) for p in used]
        out = np.empty((3, 2, q_flat.size))
        stacked = [_stacked([getattr(p, name) for p in panels]) for name in ("square", "mean", "near", "far")]
        place = np.searchsorted(used, index)
        table_moments(q_flat, gap_flat, _panel_coordinate(q_flat, index), place, *stacked, np.array(self._origin), out)
        square, product, difference = np.where(good, out.reshape(3, 2, *q.shape), np.nan)
        return square, product, difference

    def panel(self, index: int) -> Panel:
        """The panel of this index, computed if it isn't there yet."""
        if index not in self._panels:
            self._panels[index] = self._filled(index)
        return self._panels[index]

    @property
    def error(self) -> float:
        """The largest truncation error of the panels in use, relative to the square."""
        return max((p.error for p in self._panels.values()), default=0.0)

    def _filled(self, index: int) -> Panel:
        q = _panel_nodes(index)
        thetas = self._thetas(float(q[0]))
        rows = [[self._row(float(x), order, thetas) for x in q] for order in (0, 1)]
        square = np.array([[row.square for row in of_order] for of_order in rows])
        mean = np.array([[row.mean for row in of_order] for of_order in rows])
        near = np.array([[row.near for row in of_order] for of_order in rows])
        far = np.array([[row.far for row in of_order] for of_order in rows])
        tables = tuple(_coefficients(x, tuple(range(1, x.ndim))) for x in (square, mean, near, far))
        return Panel(tables[0], tables[1], tables[2], tables[3], error=max(map(_tail, tables)))

    def _thetas(self, q: float) -> list[Floats]:
        """Nodes near and far: as many as φ' needs at the panel's largest variance, the hardest row of the panel."""
        chosen = []
        for which, ends in enumerate(_theta_panels()):
            for count in _THETA_NODES:
                nodes = [np.full(2, (ends[0] + ends[1]) / 2)] * 2
                nodes[which] = _mapped(_chebyshev_nodes(count), *ends)
                row = self._row(q, 1, nodes)
                if _tail(_coefficients((row.near, row.far)[which][None, :], (1,))) < _ENOUGH:
                    break
            chosen.append(nodes[which])
        return chosen

    def _row(self, q: float, order: int, thetas: list[Floats]) -> _Row:
        # 1 - cos θ without cancellation: the gap is what the recursion hands on.
        distance = [2 * np.sin(t / 2) ** 2 for t in thetas]
        near, far = ([gaussian_moments(self.activation, q, q * d, order) for d in row] for row in distance)
        square = near[0].square
        mean = gaussian_mean(self.activation, q, self.activation.function(order=order))[0]
        scale = square if square > 0 else 1.0
        return _Row(
            square / (q + self._origin[order]),
            mean,
            np.array([m.gap for m in near]) / (scale * (distance[0] if order == 0 else np.sqrt(distance[0]))),
            np.array([m.product - mean**2 for m in far]) / (scale * np.cos(thetas[1])),
        )


@functools.lru_cache(maxsize=32)
def moment_table(activation: Activation) -> MomentTable:
    """The table of an activation; one for each, kept while the process lives.

    Raises
    ------
    ValueError
        If φ has a jump, so that E[φ'²] is infinite.
    """
    if activation.jumps:
        raise ValueError(f"activation: expected one without jumps (E[φ'²] is infinite), got {activation}")
    return MomentTable(activation)


def _theta_panels() -> tuple[tuple[float, float], tuple[float, float]]:
    return (0.0, THETA_CUT), (THETA_CUT, math.pi / 2)


def _panel_index(q: Floats) -> NDArray[np.int64]:
    """0 for the lowest panel, then one for each factor ``RATIO``."""
    return np.maximum(0, np.ceil(np.log(q / LOWEST) / math.log(RATIO))).astype(np.int64)


def _panel_coordinate(q: Floats, index: NDArray[np.int64]) -> Floats:
    """Where in its panel q lies, in [-1, 1]."""
    upper = LOWEST * RATIO ** index.astype(np.float64)
    return np.where(index == 0, 2 * np.sqrt(q / LOWEST) - 1, 1 + 2 * np.log(q / upper) / math.log(RATIO))


def _panel_nodes(index: int) -> Floats:
    x = _chebyshev_nodes(_Q_NODES)
    if index == 0:
        return LOWEST * ((x + 1) / 2) ** 2
    return LOWEST * RATIO**index * RATIO ** ((x - 1) / 2)


def _chebyshev_nodes(count: int) -> Floats:
    return np.cos(math.pi * (np.arange(count) + 0.5) / count)


def _mapped(x: Floats, low: float, high: float) -> Floats:
    return low + (high - low) * (x + 1) / 2


def _coefficients(values: Floats, axes: tuple[int, ...]) -> Floats:
    """Chebyshev coefficients of the interpolant through values at the Chebyshev nodes, along ``axes``."""
    from scipy.fft import dct

    for axis in axes:
        count = values.shape[axis]
        values = dct(values, axis=axis) / count
        first = [slice(None)] * values.ndim
        first[axis] = slice(0, 1)
        values[tuple(first)] /= 2
    return values


def _stacked(tables: list[Floats]) -> Floats:
    """Tables on a new first axis; those with fewer coefficients in θ end in zeros."""
    longest = max(t.shape[-1] for t in tables)
    return np.stack([np.pad(t, [(0, 0)] * (t.ndim - 1) + [(0, longest - t.shape[-1])]) for t in tables])


def _tail(coefficients: Floats) -> float:
    """The size of the last coefficients on every axis, a measure of what was cut off."""
    scale = float(np.max(np.abs(coefficients))) or 1.0
    ends = [np.take(coefficients, [-1, -2, -3], axis=axis) for axis in range(1, coefficients.ndim)]
    return max(float(np.max(np.abs(e))) for e in ends) / scale
