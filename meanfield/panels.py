"""Gauss-Legendre panels for the Gaussian moments of an activation with kinks, jumps or other breakpoints.

With u = s + t and v = s - t, a breakpoint b cuts the plane along t = |s - b|. For each s the t axis is therefore cut at
all |s - b|, and the integral over t is a function of s that changes on the scale of t's standard deviation around each
b: the s axis is cut at every b, and at distances from it that grow from that scale geometrically.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["panel_sums"]

Floats = NDArray[np.float64]

_REACH = 9.0
_NODES = (10, 16)  # of a panel: coarse and fine rule
_GRADING = (0.0, 0.5, 1.0, 2.0, 3.5, 5.5, 9.0)  # cuts around a breakpoint, in standard deviations of t
_LONGEST = 1.5  # panel length in standard deviations; also the absolute limit on the scale of φ itself, at level 0
_LARGEST_GRID = 2e7


def panel_sums(
    function: Callable[[Floats], Floats], breakpoints: tuple[float, ...], wide: float, narrow: float, level: int
) -> tuple[Floats, Floats] | None:
    """Fine and coarse (square, product, gap, magnitude) for s, t of standard deviations ``wide`` and ``narrow``.

    ``level`` halves the panels that many times. ``None`` if the grid would be too large.
    """
    points = np.asarray(breakpoints)
    s_edges = _outer_edges(points, wide, narrow, _LONGEST / 2**level)
    inner = max(1, math.ceil(_REACH * min(1.0, narrow / _LONGEST) / _LONGEST)) * 2**level
    if len(s_edges) * (len(points) + 1) * inner * _NODES[1] ** 2 > _LARGEST_GRID:
        return None
    coarse, fine = (_sums(function, points, wide, narrow, s_edges, inner, n) for n in _NODES)
    return fine, coarse


def _outer_edges(points: Floats, wide: float, narrow: float, longest: float) -> Floats:
    if wide == 0:
        return np.zeros(1)
    cuts = (points[:, None] + narrow * np.array([-x for x in _GRADING] + list(_GRADING))).ravel()
    if narrow == 0:
        cuts = points
    reach = _REACH * wide
    edges = np.unique(np.concatenate([[-reach, reach], cuts[np.abs(cuts) < reach]]))
    return _subdivided(edges, longest * min(wide, 2.0 if wide > 2 else wide))


def _subdivided(edges: Floats, longest: float) -> Floats:
    counts = np.maximum(1, np.ceil(np.diff(edges) / longest - 1e-9).astype(int))
    pieces = [np.linspace(a, b, n, endpoint=False) for a, b, n in zip(edges[:-1], edges[1:], counts, strict=True)]
    return np.concatenate([*pieces, edges[-1:]])


def _sums(
    function: Callable[[Floats], Floats], points: Floats, wide: float, narrow: float, s_edges: Floats, inner: int,
    nodes: int,
) -> Floats:  # fmt: skip
    s, s_weights = _panel_nodes(s_edges[None, :], nodes)
    s, s_weights = s[0], s_weights[0]
    s_weights = s_weights * _density(s, wide)
    if wide == 0:
        s, s_weights = np.zeros(1), np.ones(1)
    t, t_weights = _inner_nodes(s, points, narrow, inner, nodes)
    a, b = function(s[:, None] + t), function(s[:, None] - t)
    weights = s_weights[:, None] * t_weights
    terms = ((a * a + b * b) / 2, a * b, (a - b) ** 2 / 2, np.abs(a * b))
    return np.array([float(np.sum(weights * x)) for x in terms])


def _inner_nodes(s: Floats, points: Floats, narrow: float, inner: int, nodes: int) -> tuple[Floats, Floats]:
    """Nodes t >= 0 and weights, of shape (len(s), ...): each row cut at its own |s - b|."""
    if narrow == 0:
        return np.zeros((len(s), 1)), np.ones((len(s), 1))
    reach = _REACH * narrow
    cuts = np.minimum(np.abs(s[:, None] - points), reach)
    edges = np.sort(np.concatenate([np.zeros((len(s), 1)), cuts, np.full((len(s), 1), reach)], axis=1), axis=1)
    fractions = np.arange(inner) / inner
    left, length = edges[:, :-1, None], np.diff(edges, axis=1)[:, :, None]
    fine = np.concatenate([(left + length * fractions).reshape(len(s), -1), edges[:, -1:]], axis=1)
    t, weights = _panel_nodes(fine, nodes)
    return t, 2 * weights * _density(t, narrow)


def _panel_nodes(edges: Floats, nodes: int) -> tuple[Floats, Floats]:
    """Gauss-Legendre nodes and weights of every panel of each row of ``edges``."""
    x, w = _legendre(nodes)
    middle, half = (edges[:, 1:] + edges[:, :-1]) / 2, (edges[:, 1:] - edges[:, :-1]) / 2
    t = middle[:, :, None] + half[:, :, None] * x
    return t.reshape(len(edges), -1), (half[:, :, None] * w).reshape(len(edges), -1)


@functools.cache
def _legendre(nodes: int) -> tuple[Floats, Floats]:
    x, w = np.polynomial.legendre.leggauss(nodes)
    return x, w


def _density(x: Floats, deviation: float) -> Floats:
    if deviation == 0:
        return np.ones_like(x)
    density: Floats = np.exp(-0.5 * (x / deviation) ** 2) / (deviation * math.sqrt(2 * math.pi))
    return density
