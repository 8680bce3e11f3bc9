"""Interpolants of the Gaussian moments: the maps depend on (q, c) alone, so a table serves every network of a grid.

For φ and for φ' (``order`` 0 and 1) one panel in q holds Chebyshev coefficients of

    square(q)   as  square / (q + φ(0)²)            mean(q)      E[φ(u)] (or of φ')
    near(q, θ)  =   gap / (square (1 - c))           for 0 <= θ <= π/3, where the gap must keep its digits;
                                                     √(1 - c) for φ', whose gap at a kink goes like θ
    far(q, θ)   =   (product - mean²) / (square c)   for π/3 <= θ <= π/2, where the product must keep its digits

with c = cos θ, in which kinks and all (√(1 - c) singularities) the functions are analytic; and as a function of q in
log q, or of √q in the lowest panel, which reaches down to q = 0. Where φ bends on a scale below 1, as sin(30u) does,
the lowest panel ends lower, and θ gives way to asinh(θ/width), which has that scale near 0. The tables are filled by
:mod:`meanfield.gaussian.moments`.
Covariances below 0 don't occur between independent inputs.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.gaussian.chebyshev import (
    chebyshev_nodes,
    coefficients,
    coordinate_slope,
    differentiated,
    mapped,
    panel_coordinate,
    panel_index,
    panel_nodes,
    stacked,
    tail,
)
from meanfield.gaussian.mean import activation_mean
from meanfield.gaussian.moments import gaussian_moments
from meanfield.spec.activations import Activation

__all__ = ["MomentTable", "moment_table"]

Floats = NDArray[np.float64]

_DEEPEST = -20  # bottom
_THETA_NODES = (18, 24, 32, 48, 64, 96)  # near and far: the first that is enough
_WIDTH_NODES = (48, 64, 96, 128)  # near, in asinh(θ/width), if none of those is
_STRAIGHT = 1e6  # a width at which asinh(θ/width) is θ
_ENOUGH = 3e-12  # of the last coefficients, relative to the first
_GOOD = 1e-11  # the same of the lowest panel
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
    width: float


class MomentTable:
    """The moments of φ and φ' for arrays of q and gap. Panels are made when first needed."""

    def __init__(self, activation: Activation) -> None:
        self.activation = activation
        self._origin = tuple(_square_at_zero(activation, k) for k in (0, 1))
        self._lines: dict[int, LinePanel] = {}
        self._pairs: dict[int, PairPanel] = {}

    def moments(self, q: Floats, gap: Floats) -> tuple[Floats, Floats, Floats]:
        """square, product and gap, each of shape ``(2, *q.shape)``: for φ, then for φ'.

        NaN where q is not in [0, 2⁸] or the covariance q - gap is negative.
        """
        from meanfield.gaussian.compiled import table_moments

        good = (q <= _WIDEST_PAIR) & (q >= 0) & (gap >= 0) & (gap <= q * (1 + 1e-12))
        q_flat, gap_flat = np.where(good, np.maximum(q, _LEAST), 1.0).ravel(), np.where(good, gap, 0.0).ravel()
        index = panel_index(q_flat, self._bottom)
        used = np.unique(index)
        lines, pairs = [self._line(int(p)) for p in used], [self._pair(int(p)) for p in used]
        tables = [stacked([getattr(p, name) for p in lines]) for name in ("square", "mean")]
        tables += [stacked([getattr(p, name) for p in pairs]) for name in ("near", "far")]
        place, out = np.searchsorted(used, index), np.empty((3, 2, q_flat.size))
        widths = np.array([p.width for p in pairs])
        x = panel_coordinate(q_flat, index, self._bottom)
        table_moments(q_flat, gap_flat, x, place, *tables, np.array(self._origin), widths, out)
        square, product, difference = np.where(good, out.reshape(3, 2, *q.shape), np.nan)
        return square, product, difference

    def squares(self, q: Floats) -> tuple[Floats, Floats, Floats]:
        """E[φ²], E[φ'²] and d E[φ²]/dq (of the interpolant) at an array of q; NaN where q is not in [0, 2²²]."""
        good = (q <= _WIDEST_LINE) & (q >= 0)
        flat = np.where(good, np.maximum(q, _LEAST), 1.0).ravel()
        index = panel_index(flat, self._bottom)
        x, out = panel_coordinate(flat, index, self._bottom), np.empty((3, flat.size))
        for p in np.unique(index):
            here = index == p
            of_phi, of_slope = self._line(int(p)).square
            columns = np.stack([of_phi, of_slope, differentiated(of_phi)], axis=1)
            value, slope, change = np.polynomial.chebyshev.chebval(x[here], columns)
            size = flat[here] + self._origin[0]
            out[:, here] = (
                value * size,
                slope * (flat[here] + self._origin[1]),
                value + size * change * coordinate_slope(flat[here], int(p), self._bottom),
            )
        square, slope_square, rate = np.where(good, out.reshape(3, *q.shape), np.nan)
        return square, slope_square, rate

    @property
    def error(self) -> float:
        """The largest truncation error of the panels in use, relative to the square."""
        errors = [p.error for p in self._lines.values()] + [p.error for p in self._pairs.values()]
        return max(errors, default=0.0)

    @functools.cached_property
    def _bottom(self) -> int:
        """The lowest panel: the first, from q = ``LOWEST`` down, that polynomials in √q follow."""
        for bottom in range(0, _DEEPEST, -1):
            if self._made_line(bottom, bottom).error <= _GOOD:
                return bottom
        return _DEEPEST

    def _line(self, index: int) -> LinePanel:
        if index not in self._lines:
            self._lines[index] = self._made_line(index, self._bottom)
        return self._lines[index]

    def _made_line(self, index: int, bottom: int) -> LinePanel:
        nodes, origin = panel_nodes(index, bottom), np.array(self._origin)[:, None]
        rows = [[self._single(float(q), order) for q in nodes] for order in (0, 1)]
        values = np.moveaxis(np.array(rows), -1, 0)
        sizes = np.abs(values[0])
        if not np.all(np.isfinite(values)) or np.any(sizes.max(axis=1) > _STEEPEST * sizes.min(axis=1)):
            values = np.full_like(values, np.nan)
        square, mean = (coefficients(x, (1,)) for x in values)
        # A mean counts as its square does, relative to the second moment.
        largest = np.sqrt(np.max(sizes * (nodes + origin), axis=1))
        return LinePanel(square, mean, max(tail(square), tail(mean, largest)))

    def _pair(self, index: int) -> PairPanel:
        if index not in self._pairs:
            q = panel_nodes(index, self._bottom)
            (near_theta, far_theta), width = self._thetas(float(q[0]))
            near, far = (
                coefficients(np.array([[values(float(x), k, t) for x in q] for k in (0, 1)]), (1, 2))
                for values, t in ((self._near, near_theta), (self._far, far_theta))
            )
            error = max(tail(near), tail(far, np.ones(2)))
            self._pairs[index] = PairPanel(near, far, error, width)
        return self._pairs[index]

    def _thetas(self, q: float) -> tuple[tuple[Floats, Floats], float]:
        """Nodes near and far, and the width near: what φ' needs at the panel's largest variance, its hardest row."""

        def near(width: float, counts: tuple[int, ...]) -> tuple[Floats, bool]:
            nodes = (_near_nodes(count, width) for count in counts)
            return _first_enough(lambda t: self._near(q, 1, t), nodes)

        far, _ = _first_enough(
            lambda t: self._far(q, 1, t), (mapped(chebyshev_nodes(n), THETA_CUT, math.pi / 2) for n in _THETA_NODES)
        )
        straight, enough = near(_STRAIGHT, _THETA_NODES)
        if enough:
            return (straight, far), _STRAIGHT
        width = self._bend(q)
        return (near(width, _WIDTH_NODES)[0], far), width

    def _bend(self, q: float) -> float:
        """The θ at which the gap of φ' leaves its rise from θ = 0."""
        theta = 1e-5
        rise = float(self._near(q, 1, np.array([theta]))[0]) * 2 * math.sin(theta / 2) / math.sqrt(2)
        return min(max(theta / math.sqrt(max(rise, 1e-12)), 1e-4), THETA_CUT) if math.isfinite(rise) else THETA_CUT

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


def _square_at_zero(activation: Activation, order: int) -> float:
    """The square for q → 0: the mean of both sides, which differ at a kink; 1 where the square goes to 0 slower than
    q, as of the slope of |u|^1.5: divided by q it would be infinite there."""
    function = activation.function(order=order)
    with np.errstate(all="ignore"):
        limit, near = (float(np.mean(function(np.array([-u, u])) ** 2)) for u in (_LEAST, 1e-100))
    if not math.isfinite(limit):
        return 0.0
    return 1.0 if limit < 1e-40 and near > 1e-180 else limit


def _near_nodes(count: int, width: float) -> Floats:
    """Nodes of asinh(θ/width) on 0..``THETA_CUT``."""
    return np.asarray(width * np.sinh(mapped(chebyshev_nodes(count), 0.0, math.asinh(THETA_CUT / width))))


def _first_enough(values: Callable[[Floats], Floats], choices: Iterable[Floats]) -> tuple[Floats, bool]:
    """The first nodes on which the interpolant's last coefficients are small, or the last; and whether they are."""
    for nodes in choices:
        if tail(coefficients(values(nodes)[None, :], (1,))) < _ENOUGH:
            return nodes, True
    return nodes, False
