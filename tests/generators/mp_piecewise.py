"""Gaussian expectations of piecewise activations, in extended precision.

``homogeneous``   arcsine law and arc-cosine kernels (Cho and Saul 2009), with θ = 2 arcsin √((1 - c)/2), which keeps
                  its digits as c → 1.
``conditional``   E[f(u) E[f(v) | u]] for pieces p₀ + p₁u + p₂u² + e exp(u): the inner expectation is in closed form
                  (erfc), the outer one Gauss-Legendre panels, graded from every point where the integrand turns
                  sharply.
"""

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from mp_activations import Piece
from mpmath import asin, erfc, exp, inf, log, mp, mpf, pi, sin, sqrt

NATS = 130
"""Tails below exp(-NATS) = 1e-56 count as 0."""


class Panels(NamedTuple):
    """Aim (decimal digits), Gauss-Legendre nodes a panel, ratio of neighbouring panels."""

    digits: int
    nodes: int
    ratio: str


# --------------------------------------------------------------------------------------------------------------
# Homogeneous: α₊ u^p for u > 0, α₋ |u|^p for u < 0


def homogeneous(degree: int, right: mpf, left: mpf, q: mpf, gap: mpf) -> tuple[mpf, mpf]:
    """(E[φφ], E[φ'φ']) at 1 - c = gap."""
    if degree > 0:
        slope = _homogeneous(degree - 1, degree * right, -degree * left, q, gap)
    else:
        slope = (right - left) ** 2 / (2 * pi * q * sqrt(gap * (2 - gap))) if 0 < gap < 2 else inf
    return _homogeneous(degree, right, left, q, gap), slope


def _homogeneous(degree: int, right: mpf, left: mpf, q: mpf, gap: mpf) -> mpf:
    same, opposite = _arc_cosine(degree, gap), _arc_cosine(degree, 2 - gap)
    return q**degree / (2 * pi) * ((right**2 + left**2) * same + 2 * right * left * opposite)


def _arc_cosine(degree: int, gap: mpf) -> mpf:
    theta, c = 2 * asin(sqrt(gap / 2)), 1 - gap
    wide = pi - theta
    return (wide, sin(theta) + wide * c, 3 * sin(theta) * c + wide * (1 + 2 * c**2))[degree]


# --------------------------------------------------------------------------------------------------------------
# Pieces


def derivative(pieces: list[Piece]) -> list[Piece]:
    """φ' away from the jumps."""
    return [
        Piece(p.left, p.right, tuple(k * a for k, a in enumerate(p.polynomial))[1:] or (mpf(0),), p.exponential)
        for p in pieces
    ]


def square(pieces: list[Piece], q: mpf, rule: Panels) -> mpf:
    """E[f(u)²]."""
    return _outer(pieces, q, mpf(1), sqrt(q), lambda p, u: _value(p, u) ** 2, rule)


def conditional(pieces: list[Piece], q: mpf, gap: mpf, rule: Panels) -> mpf:
    """E[f(u) f(v)] at 1 - c = gap."""
    c, width = 1 - gap, sqrt(q * gap * (2 - gap))
    if width == 0:
        return _outer(pieces, q, c, sqrt(q), lambda p, u: _value(p, u) * at(pieces, c * u), rule)
    return _outer(pieces, q, c, width, lambda p, u: _value(p, u) * _smoothed(pieces, c * u, width), rule)


def at(pieces: list[Piece], u: mpf) -> mpf:
    """f(u)."""
    return _value(_piece_at(pieces, u), u)


def _piece_at(pieces: list[Piece], u: mpf) -> Piece:
    return next(p for p in pieces if p.left <= u <= p.right)


def _value(piece: Piece, u: mpf) -> mpf:
    polynomial = sum(a * u**k for k, a in enumerate(piece.polynomial))
    return polynomial + piece.exponential * exp(u) if piece.exponential else polynomial


def _smoothed(pieces: list[Piece], mean: mpf, width: mpf) -> mpf:
    """E[f(mean + width z)], z ~ N(0, 1)."""
    return sum(_truncated(p, mean, width) for p in pieces if any(p.polynomial) or p.exponential)


def _truncated(piece: Piece, mean: mpf, width: mpf) -> mpf:
    """E[p(v) 1(left < v < right)], v ~ N(mean, width²)."""
    low, high = (piece.left - mean) / width, (piece.right - mean) / width
    total, shift = mpf(0), mean + width**2 / 2
    if any(piece.polynomial):
        a0, a1, a2 = (*piece.polynomial, mpf(0), mpf(0))[:3]
        mass, edges, moments = _mass(low, high, mpf(0)), _edge(low) - _edge(high), _moment(low) - _moment(high)
        total += (a0 + a1 * mean + a2 * (mean**2 + width**2)) * mass
        total += (a1 + 2 * a2 * mean) * width * edges + a2 * width**2 * moments
    if piece.exponential:
        total += piece.exponential * exp(shift) * _mass(low - width, high - width, shift)
    return total


def _mass(low: mpf, high: mpf, scale: mpf) -> mpf:
    """Φ(high) - Φ(low), from the tails that keep the digits, to be multiplied by exp(scale)."""
    if low > 0:
        return _mass(-high, -low, scale)
    return _lower(high, scale) - _lower(low, scale)


def _lower(z: mpf, scale: mpf) -> mpf:
    """Φ(z), or 0 or 1 where that is true to ``NATS`` after multiplication by exp(scale)."""
    if scale - z**2 / 2 < -NATS:
        return mpf(1) if z > 0 else mpf(0)
    return erfc(-z / sqrt(mpf(2))) / 2


def _edge(z: mpf) -> mpf:
    return mpf(0) if z**2 / 2 > NATS else exp(-(z**2) / 2) / sqrt(2 * pi)


def _moment(z: mpf) -> mpf:
    return mpf(0) if z**2 / 2 > NATS else z * _edge(z)


def _outer(
    pieces: list[Piece], q: mpf, c: mpf, width: mpf, integrand: Callable[[Piece, mpf], mpf], rule: Panels
) -> mpf:
    """∫ Du integrand(piece, u), u ~ N(0, q), where the integrand turns within ``width/|c|`` of every end of a piece
    over c, and within 1 (the exponential's length) or √q."""
    reach = sqrt(2 * q * (rule.digits * log(10) + 6))
    ends = [p.right for p in pieces[:-1]]
    sharp = {*ends, *(e / c for e in ends if c != 0)}
    finest = min(width / abs(c) if c != 0 else inf, sqrt(q), mpf(1))
    edges = graded([x for x in sharp if abs(x) < reach], reach, finest, mpf(rule.ratio))
    total = mpf(0)
    for left, right in pairwise(edges):
        piece, middle, half = _piece_at(pieces, (left + right) / 2), (left + right) / 2, (right - left) / 2
        for x, w in gauss_legendre(rule.nodes, mp.prec):
            u = middle + half * x
            total += half * w * integrand(piece, u) * exp(-(u**2) / (2 * q))
    return total / sqrt(2 * pi * q)


def graded(sharp: list[mpf], reach: mpf, finest: mpf, ratio: mpf) -> list[mpf]:
    """Ends of panels on [-reach, reach] that grow geometrically away from every sharp point, up to reach/4."""
    ends = sorted({-reach, *sharp, reach})
    inner = [
        x
        for left, right in pairwise(ends)
        for x in _steps(left, right, left in sharp, right in sharp, finest, ratio, reach / 4)
    ]
    return sorted({*ends, *inner})


def _steps(
    left: mpf, right: mpf, from_left: bool, from_right: bool, finest: mpf, ratio: mpf, longest: mpf
) -> list[mpf]:
    """Points between two ends, away from those that are sharp."""
    if from_left and from_right:
        middle = (left + right) / 2
        return [*_away(left, middle, finest, ratio, longest), middle, *_away(right, middle, finest, ratio, longest)]
    if from_right:
        return _away(right, left, finest, ratio, longest)
    return _away(left, right, finest if from_left else longest, ratio, longest)


def _away(start: mpf, stop: mpf, length: mpf, ratio: mpf, longest: mpf) -> list[mpf]:
    points, at, side = [], start, 1 if start < stop else -1
    while abs(stop - at) > length:
        at += side * length
        length = min(length * ratio, longest)
        points.append(at)
    return points


@cache
def gauss_legendre(order: int, prec: int) -> list[tuple[mpf, mpf]]:
    """Nodes and weights on [-1, 1], by Newton's iteration on Legendre's recurrence."""
    pairs = []
    for k in range(order):
        x = mp.cos(pi * (k + mpf("0.75")) / (order + mpf("0.5")))
        for _ in range(8):
            p, slope = _legendre(order, x)
            x -= p / slope
        pairs.append((x, 2 / ((1 - x**2) * _legendre(order, x)[1] ** 2)))
    return pairs


def _legendre(order: int, x: mpf) -> tuple[mpf, mpf]:
    before, p = mpf(1), x
    for n in range(2, order + 1):
        before, p = p, ((2 * n - 1) * x * p - (n - 1) * before) / n
    return p, order * (x * p - before) / (x**2 - 1)
