"""Gauss-Legendre panels for the Gaussian moments of an activation with kinks, jumps or other breakpoints.

The integral is taken as an outer one over u and an inner one over v given u, which is Gaussian with mean c u and
standard deviation τ = √(q (1 - c²)). The inner axis is cut at every breakpoint b. The inner integral, as a function of
u, bends on the scale τ/c around b/c and the factor φ(u) breaks at b, so the outer axis is cut at both. Away from its
cuts an integrand is smooth on the scale of its distance to them: panels grow geometrically.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cuts", "panel_deviations", "panel_grid", "panel_lines", "panel_sums", "unequal_panels"]

Floats = NDArray[np.float64]
Function = Callable[[Floats], Floats]


class Cuts(NamedTuple):
    """Where panels are graded towards, and how far down: the length of the ones that end there."""

    points: tuple[float, ...]
    finest: float = 1.0


_REACH = 9.0  # standard deviations: exp(-40.5) = 3e-18
_NODES = (12, 18)  # of a panel: coarse and fine rule
_FEWER_NODES = (8, 12)  # where many pairs are integrated
_LONGEST = 3.0  # standard deviations a panel may span
_GROWTH = 4.0  # of panels with the distance from a cut: the rules then converge like 3⁻²⁴ and 3⁻³⁶
_LARGEST_GRID = 8e6


def panel_sums(
    function: Function, cuts: Cuts, q: float, gap: float, reach: float, level: int
) -> tuple[Floats, Floats] | None:
    """Fine and coarse (square, product, gap, magnitude of the product's terms) for two preactivations of variance q and
    covariance q - gap, out to ``reach`` standard deviations.

    ``level`` halves all panels that many times. ``None`` if the grid would be too large.
    """
    covariance = q - gap
    slope = covariance / q if q > 0 else 1.0
    inner = math.sqrt(gap * (2 * q - gap) / q) if q > 0 else 0.0
    outer_edges = _outer_edges(cuts, math.sqrt(q), slope, inner, reach)
    outer_edges = _halved(outer_edges[None, :], level)[0]
    panels = (2 * len(_steps(inner * reach, cuts.finest)) + 2) * len(cuts.points) + math.ceil(2 * reach / _LONGEST) + 1
    if len(outer_edges) * panels * 2**level * _NODES[1] ** 2 > _LARGEST_GRID:
        return None

    def sums(nodes: int) -> Floats:
        u, u_weights = _gaussian_nodes(outer_edges[None, :], math.sqrt(q), nodes)
        u, u_weights = u[0], u_weights[0]
        deviation, weights = _inner_nodes(slope * u, cuts, inner, reach, level, nodes)
        a, b = function(u)[:, None], function((slope * u)[:, None] + deviation)
        weights = u_weights[:, None] * weights
        terms = ((a * a + b * b) / 2, a * b, (a - b) ** 2 / 2, np.abs(a * b))
        return np.array([float(np.sum(weights * x)) for x in terms])

    return sums(_NODES[1]), sums(_NODES[0])


def unequal_panels(
    cuts: Cuts, deviation: float, slope: float, inner: float, reach: float, level: int, largest: float
) -> list[tuple[Floats, Floats, Floats, Floats]] | None:
    """The fine and the coarse rule for u of standard ``deviation`` and v given u, of mean ``slope`` u and deviation
    ``inner``: nodes u and weights, and for each of them a row of v and weights. ``None`` if more than ``largest`` nodes
    would do it."""
    edges, rules = _halved(_outer_edges(cuts, deviation, slope, inner, reach)[None, :], level), []
    for nodes in _FEWER_NODES[::-1]:
        u, weights = (values[0] for values in _gaussian_nodes(edges, deviation, nodes))
        v, v_weights = _inner_nodes(slope * u, cuts, inner, reach, level, nodes)
        rules.append((u, weights, slope * u[:, None] + v, v_weights))
        if rules[0][2].size > largest:
            return None
    return rules


def panel_grid(
    cuts: Cuts, wide: float, narrow: float, reach: float, level: int, largest: float
) -> list[tuple[Floats, Floats, Floats, Floats]] | None:
    """The fine and the coarse rule for u = x + y, independent x of deviation ``wide`` and y of ``narrow``: nodes x and
    their weights, and for each of them a row of y and weights. ``None`` if more than ``largest`` nodes would do it."""
    edges = _halved(_outer_edges(cuts, wide, 1.0, narrow, reach)[None, :], level)
    rules = []
    for nodes in (_NODES[1], _NODES[0]):
        x, x_weights = (values[0] for values in _gaussian_nodes(edges, wide, nodes))
        rules.append((x, x_weights, *_inner_nodes(x, cuts, narrow, reach, level, nodes)))
        if rules[0][2].size > largest:
            return None
    return rules


def panel_lines(cuts: Cuts, q: float, reach: float, level: int) -> list[tuple[Floats, Floats]]:
    """Nodes and weights of the fine and of the coarse rule for one preactivation of variance q."""
    edges = _halved(_outer_edges(cuts, math.sqrt(q), 1.0, 0.0, reach)[None, :], level)
    lines = [_gaussian_nodes(edges, math.sqrt(q), nodes) for nodes in (_NODES[1], _NODES[0])]
    return [(u[0], weights[0]) for u, weights in lines]


def panel_deviations(
    means: Floats, cuts: Cuts, deviation: float, reach: float, level: int
) -> list[tuple[Floats, Floats]]:
    """Deviations from each of ``means`` and their weights, of shape ``(len(means), nodes)``, of the fine and of the
    coarse rule for preactivations of one standard ``deviation``: cut where mean + deviation meets one of ``cuts``."""
    return [_inner_nodes(means, cuts, deviation, reach, level, nodes) for nodes in (_NODES[1], _NODES[0])]


def _outer_edges(cuts: Cuts, deviation: float, slope: float, inner: float, reach: float) -> Floats:
    if deviation == 0:
        return np.zeros(1)
    limit, points = reach * deviation, np.asarray(cuts.points, dtype=np.float64)
    edges = [np.linspace(-limit, limit, math.ceil(2 * reach / _LONGEST) + 1)]
    edges += [b + _both_sides(_steps(2 * limit, cuts.finest)) for b in points]
    if abs(slope) * limit > 0:
        centres = points[np.abs(points) < 2 * limit * abs(slope)] / slope
        width = inner / abs(slope)
        # A centre at distance r lets the panels be no longer than about r, down to the width of the bend itself.
        edges += [b + _both_sides(_steps(2 * limit, width)) for b in centres]
    every = np.unique(np.concatenate(edges))
    return every[np.abs(every) <= limit]


def _inner_nodes(
    means: Floats, cuts: Cuts, deviation: float, reach: float, level: int, nodes: int
) -> tuple[Floats, Floats]:
    """Deviations of v from its mean and their weights, of shape ``(len(means), ...)``."""
    if deviation == 0:
        return np.zeros((len(means), 1)), np.ones((len(means), 1))
    limit = reach * deviation
    fixed = np.linspace(-limit, limit, math.ceil(2 * reach / _LONGEST) + 1)
    offsets = (np.asarray(cuts.points)[:, None] + _both_sides(_steps(limit, cuts.finest))).ravel()
    met = np.clip(offsets - means[:, None], -limit, limit)
    edges = np.sort(np.concatenate([np.broadcast_to(fixed, (len(means), len(fixed))), met], axis=1), axis=1)
    return _gaussian_nodes(_halved(edges, level), deviation, nodes)


def _steps(limit: float, width: float = 1.0) -> Floats:
    """Distances 0, ``width`` and on in geometric steps up to ``limit``, where panels are cut around a breakpoint.

    The unit of length in which activations are written is the scale on which they vary: ``width`` is 1 by default.
    """
    if not 0 < width < limit:
        return np.zeros(1) if width <= 0 else np.array([0.0, width])
    count = math.ceil(math.log(limit / width, _GROWTH))
    return np.concatenate([[0.0], width * _GROWTH ** np.arange(count + 1)])


def _both_sides(distances: Floats) -> Floats:
    return np.concatenate([-distances[:0:-1], distances])


def _halved(edges: Floats, level: int) -> Floats:
    """Every panel of each row of ``edges`` cut into ``2**level`` equal ones."""
    pieces = 2**level
    left, length = edges[:, :-1, None], np.diff(edges, axis=1)[:, :, None]
    inside = (left + length * (np.arange(pieces) / pieces)).reshape(len(edges), -1)
    return np.concatenate([inside, edges[:, -1:]], axis=1)


def _gaussian_nodes(edges: Floats, deviation: float, nodes: int) -> tuple[Floats, Floats]:
    """Nodes of every panel of each row of ``edges``, and weights with the centred Gaussian's density in them."""
    if deviation == 0:
        return np.zeros((len(edges), 1)), np.ones((len(edges), 1))
    x, w = _legendre(nodes)
    middle, half = (edges[:, 1:] + edges[:, :-1]) / 2, (edges[:, 1:] - edges[:, :-1]) / 2
    t = (middle[:, :, None] + half[:, :, None] * x).reshape(len(edges), -1)
    density = np.exp(-0.5 * (t / deviation) ** 2) / (deviation * math.sqrt(2 * math.pi))
    return t, (half[:, :, None] * w).reshape(len(edges), -1) * density


@functools.cache
def _legendre(nodes: int) -> tuple[Floats, Floats]:
    x, w = np.polynomial.legendre.leggauss(nodes)
    return x, w
