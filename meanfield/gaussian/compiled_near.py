"""The numba kernel of E[F(u)F(v)] for single pairs, F as polynomials on panels: see :mod:`.pieces`.

u ~ N(0, q) outside; inside v ~ N(slope u, inner²). Where all of v lies in one panel, Gauss and Hermite's rule
integrates its polynomial exactly; elsewhere Gauss-Legendre between the panels' edges.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LONGEST = 3.0  # standard deviations that a panel may span
_GROWTH = 3.0  # of the outer panels with the distance from a bend
_DENSITY = 1 / math.sqrt(2 * math.pi)


@njit(cache=True, error_model="numpy")
def _polynomial(c: Floats, low: float, high: float, u: float) -> float:
    """Clenshaw's sum of Chebyshev polynomials on [low, high]."""
    x = (2 * u - low - high) / (high - low)
    one, two = 0.0, 0.0
    for k in range(len(c) - 1, 0, -1):
        one, two = c[k] + 2 * x * one - two, one
    total: float = c[0] + x * one - two
    return total


@njit(cache=True, error_model="numpy")
def _panel(edges: Floats, u: float) -> int:
    return min(max(int(np.searchsorted(edges, u, side="right")) - 1, 0), len(edges) - 2)


@njit(cache=True, error_model="numpy")
def _value(edges: Floats, coefficients: Floats, u: float) -> float:
    i = _panel(edges, u)
    found: float = _polynomial(coefficients[i], edges[i], edges[i + 1], u)
    return found


@njit(cache=True, fastmath={"contract", "reassoc"}, error_model="numpy")
def _weighted(
    c: Floats, low: float, high: float, start: float, scale: float, x: Floats, w: Floats, work: Floats
) -> float:
    """``Σ_k w_k p(start + scale x_k)`` of a panel's polynomial: Clenshaw's sums at all nodes abreast."""
    count = len(x)
    shift, stretch = (2 * start - low - high) / (high - low), 2 * scale / (high - low)
    for k in range(count):
        work[0, k], work[1, k] = 0.0, 0.0
    for m in range(len(c) - 1, 0, -1):
        for k in range(count):
            now = c[m] + 2 * (shift + stretch * x[k]) * work[0, k] - work[1, k]
            work[1, k] = work[0, k]
            work[0, k] = now
    total = 0.0
    for k in range(count):
        total += w[k] * (c[0] + (shift + stretch * x[k]) * work[0, k] - work[1, k])
    return total


@njit(cache=True, error_model="numpy")
def _smoothed(mean: float, inner: float, reach: float, edges: Floats, coefficients: Floats, x: Floats, w: Floats,
              z: Floats, p: Floats, whole: Floats, work: Floats) -> float:  # fmt: skip
    """``E F(v)``, v ~ N(mean, inner²), by Legendre's nodes x and Hermite's z; ``whole`` has nodes and weights of panels
    that no edge cuts."""
    i = _panel(edges, mean - reach * inner)
    if edges[i] <= mean - reach * inner and mean + reach * inner <= edges[i + 1]:
        exact: float = _weighted(coefficients[i], edges[i], edges[i + 1], mean, inner, z, p, work)
        return exact
    total = 0.0
    long = 2 * reach * inner / whole.shape[1]
    for j in range(whole.shape[1]):
        left, right = mean - reach * inner + j * long, mean - reach * inner + (j + 1) * long
        while edges[i + 1] <= left and i < len(edges) - 2:
            i += 1
        if right <= edges[i + 1]:
            total += _weighted(coefficients[i], edges[i], edges[i + 1], mean, inner, whole[0, j], whole[1, j], work)
            continue
        total += _cut(mean, inner, left, right, i, edges, coefficients, x, w, work)
    return total


@njit(cache=True, error_model="numpy")
def _cut(mean: float, inner: float, left: float, right: float, i: int, edges: Floats, coefficients: Floats, x: Floats,
         w: Floats, work: Floats) -> float:  # fmt: skip
    """The part of ``E F(v)`` from ``left``, in the i-th panel, to ``right``, beyond its end."""
    total, weights = 0.0, work[2, : len(x)]
    while left < right:
        end = min(right, edges[i + 1]) if i < len(edges) - 2 else right
        half, middle = (end - left) / 2, (end + left) / 2
        for k in range(len(x)):
            t = (middle - mean + half * x[k]) / inner
            weights[k] = half * w[k] * _DENSITY / inner * math.exp(-0.5 * t * t)
        total += _weighted(coefficients[i], edges[i], edges[i + 1], middle, half, x, weights, work)
        left = end
        i += 1
    return total


@njit(cache=True, error_model="numpy")
def _whole(reach: float, x: Floats, w: Floats) -> Floats:
    """Nodes and weights (2, panels, nodes) for N(0, 1)."""
    count = math.ceil(2 * reach / _LONGEST)
    half = reach / count
    out = np.empty((2, count, len(x)))
    for j in range(count):
        for k in range(len(x)):
            t = (2 * j + 1) * half - reach + half * x[k]
            out[0, j, k], out[1, j, k] = t, half * w[k] * _DENSITY * math.exp(-0.5 * t * t)
    return out


@njit(cache=True, error_model="numpy")
def _graded(cuts: Floats, count: int, centre: float, width: float, limit: float) -> int:
    """Add distances from ``width`` on up to ``limit`` on both sides of ``centre``."""
    while 0 < width < 2 * limit:
        cuts[count], cuts[count + 1] = centre - width, centre + width
        count, width = count + 2, width * _GROWTH
    return count


@njit(cache=True, error_model="numpy")
def _outer_cuts(points: Floats, deviation: float, slope: float, inner: float, reach: float) -> Floats:
    """Where the outer axis is cut: beside breakpoints of F(u), and of the inner integral, which is a Gaussian's bend
    within ``reach`` of its deviations and smooth on the scale of the distance beyond."""
    limit = reach * deviation
    cuts = np.empty(64 + 200 * len(points))
    count = math.ceil(2 * reach / _LONGEST)
    for i in range(count + 1):
        cuts[i] = limit * (2 * i / count - 1)
    count += 1
    for b in points:
        cuts[count] = b
        count = _graded(cuts, count + 1, b, 1.0, limit)
        if abs(b) < 2 * limit * abs(slope):
            centre, width = b / slope, inner / abs(slope)
            bend = math.ceil(reach / _LONGEST)
            for i in range(-bend, bend + 1):
                cuts[count] = centre + i * _LONGEST * width
                count += 1
            width = _GROWTH * bend * _LONGEST * width if inner > 0 else 1.0
            count = _graded(cuts, count, centre, width, limit)
    found = np.sort(cuts[:count])
    return found[np.abs(found) <= limit]


@njit(cache=True, error_model="numpy")
def pair_integrals(large: Floats, small: Floats, cosines: Floats, sines: Floats, points: Floats, reach: float,
                   edges: Floats, coefficients: Floats, x: Floats, w: Floats, z: Floats, p: Floats,
                   out: Floats) -> None:  # fmt: skip
    """E[F(u)F(v)] and E|F(u)||E[F(v)|u]| into ``out`` (2, pairs) for variances ``large`` >= ``small``."""
    whole, work = _whole(reach, x, w), np.empty((3, max(len(x), len(z))))
    for pair in range(len(large)):
        deviation = math.sqrt(large[pair])
        slope, inner = math.sqrt(small[pair] / large[pair]) * cosines[pair], math.sqrt(small[pair]) * sines[pair]
        cuts = _outer_cuts(points, deviation, slope, inner, reach)
        value, size = 0.0, 0.0
        for i in range(len(cuts) - 1):
            half, middle = (cuts[i + 1] - cuts[i]) / 2, (cuts[i + 1] + cuts[i]) / 2
            for k in range(len(x) if half > 0 else 0):
                u = middle + half * x[k]
                t = u / deviation
                weight = half * w[k] * _DENSITY / deviation * math.exp(-0.5 * t * t)
                f = _value(edges, coefficients, u)
                if inner > 0:
                    g = _smoothed(slope * u, inner, reach, edges, coefficients, x, w, z, p, whole, work)
                else:
                    g = _value(edges, coefficients, slope * u)
                value += weight * f * g
                size += abs(weight * f * g)
        out[0, pair], out[1, pair] = value, size
