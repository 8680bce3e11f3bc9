"""The density between two edges: solutions z(p) = x on a grid, from which densities, masses and quantiles follow.

The grid is x^¼ = a^¼ + (b^¼ - a^¼) sin²θ with θ equidistant: both ends are double points of the map, so that a density
with square-root edges becomes a smooth function of θ, and so does one that grows towards a hard edge at 0 no faster
than x^-¾.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, PPoly

from meanfield.bulk.equations import Equations
from meanfield.bulk.paths import descend, solve_between, trace

__all__ = ["Component", "solve_components"]

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

_NODES = 192  # intervals in θ
_ABOVE = 1 + 1e-10j  # the upper half-plane's side of the real axis is meant
_NEAREST = 1 + 1e-13j  # the same where next to an end the height itself would look like a density
_POWER = 4
_END = 1e-9  # of a last step to the end of a gap, relative
_INSIDE = 0.98  # of the way to where the secant ends: still in the support, most often, where there is more to learn
_EMPTY = 1e-7  # Im p/|p| below which a point lies in a gap: a square-root edge is that low within 1e-14 of its end


@dataclass(frozen=True)
class Component:
    """An interval of the support: [a, b], and solutions at the inner nodes of its grid, from b down to a.

    ``change`` is the largest last step of Newton's method, relative.
    """

    lower: float
    upper: float
    p: Complexes
    y: Complexes
    cumulative: PPoly  # of θ: the mass between the lower edge and x
    change: float

    @property
    def mass(self) -> float:
        return float(self.cumulative(np.pi / 2))

    def density(self, x: Floats, law: Equations) -> Floats:
        """At x inside the interval; NaN where no solution was reached."""
        place = _angle(x, self.lower, self.upper) / (np.pi / 2) * _NODES
        # Nodes are kept from the top, without the two ends.
        position = np.clip(_NODES - 1 - place, 0, _NODES - 2)
        left = np.minimum(position.astype(np.int64), _NODES - 3)
        p, change = solve_between((x * _ABOVE).astype(np.complex128), left, position - left, self.p, self.y, law)
        return np.where(np.isfinite(change), p.imag / np.pi, np.nan)

    def mass_below(self, x: Floats) -> Floats:
        """The mass in [lower, x]."""
        inside: Floats = self.cumulative(_angle(np.clip(x, self.lower, self.upper), self.lower, self.upper))
        return np.clip(inside, 0.0, self.mass)

    def quantile(self, mass: Floats) -> Floats:
        """The x below which ``mass`` of this interval lies."""
        theta = np.linspace(0, np.pi / 2, 4 * _NODES + 1)
        first = np.interp(mass, np.clip(self.cumulative(theta), 0.0, self.mass), theta)
        slope = self.cumulative.derivative()
        for _ in range(3):
            steepness = slope(first)
            good = steepness > 1e-9
            step = np.where(good, (self.cumulative(first) - mass) / np.where(good, steepness, 1.0), 0.0)
            first = np.clip(first - np.clip(step, -0.01, 0.01), 0, np.pi / 2)
        return _position(first, self.lower, self.upper)


def solve_components(lower: float, upper: float, law: Equations) -> tuple[Component, ...]:
    """The intervals of the support between its outermost ends, ascending: one, or more where the grid of the whole saw
    gaps."""
    whole = _solve_component(lower, upper, law)
    x = _inner_nodes(lower, upper)
    empty = np.concatenate([[False], _is_empty(whole.p), [False]])
    if not empty.any():
        return (whole,)
    starts = np.flatnonzero(np.diff(empty.astype(int)) == 1)
    stops = np.flatnonzero(np.diff(empty.astype(int)) == -1)
    padded = np.concatenate([[upper], x, [lower]])
    ends = [upper]
    for first, last in zip(starts, stops, strict=True):  # from above: nodes first + 1 .. last lie in the gap
        ends += [_end_of_gap(padded[first], padded[first + 1], law), _end_of_gap(padded[last + 1], padded[last], law)]
    ends.append(lower)
    parts = zip(ends[1::2], ends[::2], strict=True)
    return tuple(_solve_component(a, b, law) for a, b in reversed(list(parts)) if b > a)


def _end_of_gap(full: float, empty: float, law: Equations) -> float:
    """Where the density ends between a point of the support (or an end of it) and one in a gap."""
    heights: list[tuple[float, float]] = []  # of two points of the support: x and (Im p)², linear in x near the end
    seen = False  # whether the last point was one of the support, so that there is something new to go by
    for _ in range(60):
        middle = (full + empty) / 2
        if len(heights) == 2 and seen:  # the secant method, and bisection where it leaves the bracket
            (x0, h0), (x1, h1) = heights
            guess = x1 - h1 * (x1 - x0) / (h1 - h0) if h1 != h0 else math.nan
            if min(full, empty) < guess < max(full, empty):
                middle = full + _INSIDE * (guess - full)
        if abs(middle - full) < _END * abs(full):
            return middle
        p = descend(middle * _NEAREST, law)[0]
        seen = not _is_empty(np.array(p))
        if seen:
            full = middle
            heights = [*heights[-1:], (middle, p.imag**2)]
        else:
            empty = middle
    return empty


def _is_empty(p: Complexes) -> NDArray[np.bool_]:
    empty: NDArray[np.bool_] = p.imag < _EMPTY * np.abs(p)
    return empty


def _solve_component(lower: float, upper: float, law: Equations) -> Component:
    """Solve on the grid of [lower, upper], from the upper edge down."""
    theta = np.linspace(0, np.pi / 2, _NODES + 1)
    zs: Complexes = (_inner_nodes(lower, upper) * _ABOVE).astype(np.complex128)
    ps, ys, changes = trace(zs, law)
    density = np.concatenate([[0.0], ps.imag[::-1] / np.pi, [0.0]])
    flow = density * _stretch(theta, lower, upper)
    if lower < 1e-9 * upper:  # a hard edge: the product has a limit there, which is not 0
        flow[0] = max(3 * flow[1] - 3 * flow[2] + flow[3], 0.0)
    cumulative = CubicSpline(theta, flow).antiderivative()
    return Component(lower, upper, ps, ys, cumulative, float(np.max(changes)))


def _inner_nodes(lower: float, upper: float) -> Floats:
    """The grid's nodes without its ends, descending."""
    return _position(np.linspace(0, np.pi / 2, _NODES + 1), lower, upper)[-2:0:-1]


def _position(theta: Floats, lower: float, upper: float) -> Floats:
    return _root(theta, lower, upper) ** _POWER


def _angle(x: Floats, lower: float, upper: float) -> Floats:
    a, b = _roots(lower, upper)
    share = (np.asarray(x) ** (1 / _POWER) - a) / (b - a)
    return np.asarray(np.arcsin(np.sqrt(np.clip(share, 0, 1))))


def _stretch(theta: Floats, lower: float, upper: float) -> Floats:
    """dx/dθ."""
    a, b = _roots(lower, upper)
    return np.asarray(_POWER * _root(theta, lower, upper) ** (_POWER - 1) * (b - a) * np.sin(2 * theta))


def _root(theta: Floats, lower: float, upper: float) -> Floats:
    a, b = _roots(lower, upper)
    return np.asarray(a + (b - a) * np.sin(theta) ** 2)


def _roots(lower: float, upper: float) -> tuple[float, float]:
    return max(lower, 0.0) ** (1 / _POWER), upper ** (1 / _POWER)
