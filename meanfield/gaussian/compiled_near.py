"""The numba kernel of E[F(u)F(v)] for single pairs, F as polynomials on panels: see :mod:`.pieces`.

u ~ N(0, q) outside; inside v ~ N(slope u, inner²). Where all of v lies in one panel, Gauss and Hermite's rule integrates
its polynomial exactly; elsewhere Gauss-Legendre between the panels' edges.
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
    return c[0] + x * one - two


@njit(cache=True, error_model="numpy")
def _panel(edges: Floats, u: float) -> int:
    return min(max(int(np.searchsorted(edges, u, side="right")) - 1, 0), len(edges) - 2)


@njit(cache=True, error_model="numpy")
def _value(edges: Floats, coefficients: Floats, u: float) -> float:
    i = _panel(edges, u)
    return _polynomial(coefficients[i], edges[i], edges[i + 1], u)


@njit(cache=True, error_model="numpy")
def _smoothed(mean: float, inner: float, reach: float, edges: Floats, coefficients: Floats, x: Floats, w: Floats,
              z: Floats, p: Floats) -> float:  # fmt: skip
    """``E F(v)``, v ~ N(mean, inner²), by Legendre's nodes x and Hermite's z."""
    i = _panel(edges, mean - reach * inner)
    low, high, total = mean - reach * inner, mean + reach * inner, 0.0
    if edges[i] <= low and high <= edges[i + 1]:
        for k in range(len(z)):
            total += p[k] * _polynomial(coefficients[i], edges[i], edges[i + 1], mean + inner * z[k])
        return total
    while i < len(edges) - 1 and edges[i] < high:
        left, right = max(low, edges[i]), min(high, edges[i + 1])
        count = math.ceil((right - left) / (_LONGEST * inner)) if right > left else 0
        half = (right - left) / (2 * max(count, 1))
        for j in range(count):
            middle = left + (2 * j + 1) * half
            for k in range(len(x)):
                v = middle + half * x[k]
                t = (v - mean) / inner
                density = _DENSITY / inner * math.exp(-0.5 * t * t)
                total += half * w[k] * density * _polynomial(coefficients[i], edges[i], edges[i + 1], v)
        i += 1
    return total


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
                    g = _smoothed(slope * u, inner, reach, edges, coefficients, x, w, z, p)
                else:
                    g = _value(edges, coefficients, slope * u)
                value += weight * f * g
                size += abs(weight * f * g)
        out[0, pair], out[1, pair] = value, size
