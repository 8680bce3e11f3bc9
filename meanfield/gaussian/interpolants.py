"""Interpolants of the Gaussian moments: the maps depend on (q, c) alone, so a table serves every network of a grid.

For φ and for φ' (``order`` 0 and 1) one panel in q holds Chebyshev coefficients of

    square(q)   as  square / (q + φ(0)²)            mean(q)      E[φ(u)] (or of φ')
    near(q, θ)  =   gap / (square (1 - c))           for 0 <= θ <= π/3, where the gap must keep its digits;
                                                     √(1 - c) for φ', whose gap at a kink goes like θ
    far(q, θ)   =   (product - mean²) / (square c)   for π/3 <= θ <= π/2, where the product must keep its digits

with c = cos θ, in which kinks and all (√(1 - c) singularities) the functions are analytic; and as a function of q in
log q, or of √q in the lowest panel, which reaches down to q = 0. The tables are filled by
:mod:`meanfield.gaussian.moments`.
Covariances below 0 don't occur between independent inputs.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.gaussian.mean import activation_mean
from meanfield.gaussian.moments import gaussian_moments
from meanfield.spec.activations import Activation

__all__ = ["MomentTable", "moment_table"]

Floats = NDArray[np.float64]

LOWEST = 1 / 64  # q up to here is the lowest panel, in √q
RATIO = 4.0  # of the ends of the other panels
_Q_NODES = 18
_THETA_NODES = (18, 24, 32, 48, 64, 96)  # near and far: the first that is enough
_ENOUGH = 3e-12  # of the last coefficients, relative to the first
THETA_CUT = math.pi / 3
_LEAST = 1e-300  # stands for q = 0, which the lowest panel reaches continuously
_STEEPEST = 1e8  # ratio of a panel's squares that polynomials still follow; exp(u) soon exceeds it
_WIDEST_LINE = 2.0**22  # largest q of a single input's moments
_WIDEST_PAIR = 2.0**8  # and of a pair's, which bend ever closer to θ = 0 as q grows


@dataclass(frozen=True)
class LinePanel:
    """Chebyshev coefficients of ``square`` and ``mean`` on one interval of q: (2, Q), for φ and then φ'."""

    square: Floats
    mean: Floats
    error: float


@dataclass(frozen=True)
class PairPanel:
    """Chebyshev coefficients of ``near`` and ``far`` on one interval of q: (2, Q, T), for φ and then φ'."""

    near: Floats
    far: Floats
    error: float


class MomentTable:
    """The moments of φ and φ' for arrays of q and gap. Panels are made when first needed."""

    def __init__(self, activation: Activation) -> None:
        self.activation = activation
        self._origin = tuple(float(activation.function(order=k)(np.zeros(1))[0]) ** 2 for k in (0, 1))
        self._lines: dict[int, LinePanel] = {}
        self._pairs: dict[int, PairPanel] = {}

    def moments(self, q: Floats, gap: Floats) -> tuple[Floats, Floats, Floats]:
        """square, product and gap, each of shape ``(2, *q.shape)``: for φ, then for φ'.

        NaN where q is not in [0, 2⁸] or the covariance q - gap is negative.
        """
        from meanfield.gaussian.compiled import table_moments

        good = (q <= _WIDEST_PAIR) & (q >= 0) & (gap >= 0) & (gap <= q * (1 + 1e-12))
        q_flat, gap_flat = np.where(good, np.maximum(q, _LEAST), 1.0).ravel(), np.where(good, gap, 0.0).ravel()
        index = _panel_index(q_flat)
        used = np.unique(index)
        lines, pairs = [self._line(int(p)) for p in used], [self._pair(int(p)) for p in used]
        stacked = [_stacked([getattr(p, name) for p in lines]) for name in ("square", "mean")]
        stacked += [_stacked([getattr(p, name) for p in pairs]) for name in ("near", "far")]
        place, out = np.searchsorted(used, index), np.empty((3, 2, q_flat.size))
        table_moments(q_flat, gap_flat, _panel_coordinate(q_flat, index), place, *stacked, np.array(self._origin), out)
        square, product, difference = np.where(good, out.reshape(3, 2, *q.shape), np.nan)
        return square, product, difference

    def squares(self, q: Floats) -> tuple[Floats, Floats, Floats]:
        """E[φ²], E[φ'²] and d E[φ²]/dq (of the interpolant) at an array of q; NaN where q is not in [0, 2²²]."""
        good = (q <= _WIDEST_LINE) & (q >= 0)
        flat = np.where(good, np.maximum(q, _LEAST), 1.0).ravel()
        index = _panel_index(flat)
        x, out = _panel_coordinate(flat, index), np.empty((3, flat.size))
        for p in np.unique(index):
            here = index == p
            of_phi, of_slope = self._line(int(p)).square
            columns = np.stack([of_phi, of_slope, _differentiated(of_phi)], axis=1)
            value, slope, change = np.polynomial.chebyshev.chebval(x[here], columns)
            size = flat[here] + self._origin[0]
            out[:, here] = (
                value * size,
                slope * (flat[here] + self._origin[1]),
                value + size * change * _coordinate_slope(flat[here], int(p)),
            )
        square, slope_square, rate = np.where(good, out.reshape(3, *q.shape), np.nan)
        return square, slope_square, rate

    @property
    def error(self) -> float:
        """The largest truncation error of the panels in use, relative to the square."""
        errors = [p.error for p in self._lines.values()] + [p.error for p in self._pairs.values()]
        return max(errors, default=0.0)

    def _line(self, index: int) -> LinePanel:
        if index not in self._lines:
            rows = [[self._single(float(q), order) for q in _panel_nodes(index)] for order in (0, 1)]
            values = np.moveaxis(np.array(rows), -1, 0)
            sizes = np.abs(values[0])
            if not np.all(np.isfinite(values)) or np.any(sizes.max(axis=1) > _STEEPEST * sizes.min(axis=1)):
                values = np.full_like(values, np.nan)
            square, mean = (_coefficients(x, (1,)) for x in values)
            self._lines[index] = LinePanel(square, mean, max(_tail(square), _tail(mean)))
        return self._lines[index]

    def _pair(self, index: int) -> PairPanel:
        if index not in self._pairs:
            q = _panel_nodes(index)
            thetas = self._thetas(float(q[0]))
            near, far = (
                _coefficients(np.array([[values(float(x), k, t) for x in q] for k in (0, 1)]), (1, 2))
                for values, t in zip((self._near, self._far), thetas, strict=True)
            )
            self._pairs[index] = PairPanel(near, far, max(_tail(near), _tail(far)))
        return self._pairs[index]

    def _thetas(self, q: float) -> list[Floats]:
        """Nodes near and far: as many as φ' needs at the panel's largest variance, the hardest row of the panel."""
        chosen = []
        for values, ends in zip((self._near, self._far), _theta_panels(), strict=True):
            for count in _THETA_NODES:
                nodes = _mapped(_chebyshev_nodes(count), *ends)
                if _tail(_coefficients(values(q, 1, nodes)[None, :], (1,))) < _ENOUGH:
                    break
            chosen.append(nodes)
        return chosen

    def _single(self, q: float, order: int) -> tuple[float, float]:
        mean = activation_mean(self.activation, q, order)[0]
        return gaussian_moments(self.activation, q, 0.0, order).square / (q + self._origin[order]), mean

    def _near(self, q: float, order: int, theta: Floats) -> Floats:
        # 1 - cos θ without cancellation: the gap is what the recursion hands on.
        distance = 2 * np.sin(theta / 2) ** 2
        moments = [gaussian_moments(self.activation, q, q * d, order) for d in distance]
        scale = (moments[0].square or 1.0) * (distance if order == 0 else np.sqrt(distance))
        return np.array([m.gap for m in moments]) / scale

    def _far(self, q: float, order: int, theta: Floats) -> Floats:
        moments = [gaussian_moments(self.activation, q, q * d, order) for d in 2 * np.sin(theta / 2) ** 2]
        mean = activation_mean(self.activation, q, order)[0]
        return np.array([m.product - mean**2 for m in moments]) / ((moments[0].square or 1.0) * np.cos(theta))


@functools.lru_cache(maxsize=32)
def moment_table(activation: Activation) -> MomentTable:
    """The table of an activation; one for each, kept while the process lives.

    Raises
    ------
    ValueError
        If φ has a jump or a cusp, so that E[φ'²] is infinite.
    """
    if activation.is_rough:
        raise ValueError(f"activation: expected one without jumps or cusps (E[φ'²] is infinite), got {activation}")
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


def _coordinate_slope(q: Floats, index: int) -> Floats:
    return 1 / np.sqrt(q * LOWEST) if index == 0 else 2 / (q * math.log(RATIO))


def _differentiated(coefficients: Floats) -> Floats:
    derivative = np.polynomial.chebyshev.chebder(coefficients)
    return np.pad(derivative, (0, len(coefficients) - len(derivative)))


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
