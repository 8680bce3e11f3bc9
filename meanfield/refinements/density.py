"""The density between two edges: solutions z(p) = x on a grid, from which densities, masses and quantiles follow.

The grid is x^¼ = a^¼ + (b^¼ - a^¼) sin²θ with θ equidistant: both ends are double points of the map, so that a density
with square-root edges becomes a smooth function of θ, and so does one that grows towards a hard edge at 0 no faster
than x^-¾.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, PPoly

from meanfield.refinements.fixed_point import descend, solve_between, trace

__all__ = ["Component", "solve_component"]

Floats = NDArray[np.float64]

_NODES = 192  # intervals in θ
_ABOVE = 1 + 1e-10j  # the upper half-plane's side of the real axis is meant
_POWER = 4


@dataclass(frozen=True)
class Component:
    """An interval of the support: [a, b], and solutions at the inner nodes of its grid, from b down to a.

    ``change`` is the largest last step of Newton's method, relative.
    """

    lower: float
    upper: float
    p: NDArray[np.complex128]
    y: NDArray[np.complex128]
    cumulative: PPoly  # of θ: the mass between the lower edge and x
    change: float

    @property
    def mass(self) -> float:
        return float(self.cumulative(np.pi / 2))

    def density(self, x: Floats, law: Any) -> tuple[Floats, float]:
        """At x inside the interval; and the largest last step."""
        place = _angle(x, self.lower, self.upper) / (np.pi / 2) * _NODES
        # Nodes are kept from the top, without the two ends.
        position = np.clip(_NODES - 1 - place, 0, _NODES - 2)
        left = np.minimum(position.astype(np.int64), _NODES - 3)
        p, change = solve_between(x * _ABOVE, left, position - left, self.p, self.y, law)
        return p.imag / np.pi, float(np.max(change, initial=0.0))

    def mass_below(self, x: Floats) -> Floats:
        """The mass in [lower, x]."""
        inside: Floats = self.cumulative(_angle(np.clip(x, self.lower, self.upper), self.lower, self.upper))
        return np.clip(inside, 0.0, self.mass)

    def quantile(self, mass: Floats) -> Floats:
        """The x below which ``mass`` lies."""
        theta = np.linspace(0, np.pi / 2, 4 * _NODES + 1)
        first = np.interp(mass, self.mass_below(_position(theta, self.lower, self.upper)), theta)
        slope = self.cumulative.derivative()
        for _ in range(3):
            steepness = slope(first)
            good = steepness > 1e-9
            step = np.where(good, (self.cumulative(first) - mass) / np.where(good, steepness, 1.0), 0.0)
            first = np.clip(first - np.clip(step, -0.01, 0.01), 0, np.pi / 2)
        return _position(first, self.lower, self.upper)


def solve_component(lower: float, upper: float, law: Any) -> Component:
    """Solve on the grid of [lower, upper], from the upper edge down."""
    theta = np.linspace(0, np.pi / 2, _NODES + 1)
    x = _position(theta, lower, upper)[-2:0:-1]
    zs = x * _ABOVE
    p, y, _, _ = descend(zs[0], law)
    ps, ys, changes = trace(zs, p, y, law)
    density = np.concatenate([[0.0], ps.imag[::-1] / np.pi, [0.0]])
    flow = density * _stretch(theta, lower, upper)
    if lower < 1e-9 * upper:  # a hard edge: the product has a limit there, which is not 0
        flow[0] = max(3 * flow[1] - 3 * flow[2] + flow[3], 0.0)
    cumulative = CubicSpline(theta, flow).antiderivative()
    return Component(lower, upper, ps, ys, cumulative, float(np.max(changes)))


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
