"""Gaussian expectations of softsign, φ(u) = u/(1 + |u|), in extended precision.

φ is odd, φ' even, and both are rational on a half-line: f(x) = x/(1 + x) and f'(x) = 1/(1 + x)². In s = (u + v)/2 and
d = (u - v)/2, which are independent, the quadrant u, v > 0 is |d| < s, and u > 0 > v is |s| < d. Within a quadrant the
substitution d = (1 + s) tanh w takes away the poles of f(s + d) f(s - d), since dd/((1 + s)² - d²) = dw/(1 + s).
Gauss-Legendre panels in s and w.
"""

from functools import cache

from mp_piecewise import Panels, gauss_legendre
from mpmath import atanh, ceil, exp, log, mp, mpf, pi, sqrt, tanh


def square(q: mpf, rule: Panels) -> tuple[mpf, mpf]:
    """(E[φ²], E[φ'²])."""
    totals = [mpf(0), mpf(0)]
    for x, w in _half_line(_deviations(rule) * sqrt(q), min(mpf(1), sqrt(q)), rule):
        weight = 2 * w * exp(-(x**2) / (2 * q)) / sqrt(2 * pi * q)
        totals = [totals[0] + weight * (x / (1 + x)) ** 2, totals[1] + weight / (1 + x) ** 4]
    return totals[0], totals[1]


@cache
def pair(q: mpf, gap: mpf, rule: Panels) -> tuple[mpf, mpf]:
    """(E[φφ], E[φ'φ']) at 1 - c = gap."""
    if gap in (0, 2):
        value, slope = square(q, rule)
        return (value if gap == 0 else -value), slope
    if gap > 1:
        value, slope = pair(q, 2 - gap, rule)
        return -value, slope
    along, across = sqrt(q * (2 - gap) / 2), sqrt(q * gap / 2)
    same, opposite = _quadrant(along, across, rule), _quadrant(across, along, rule)
    return 2 * (same[0] - opposite[0]), 2 * (same[1] + opposite[1])


def _deviations(rule: Panels) -> mpf:
    return sqrt(2 * (rule.digits * log(10) + 6))


def _quadrant(outer: mpf, inner: mpf, rule: Panels) -> tuple[mpf, mpf]:
    """∫_0^∞ dx N(x; 0, outer²) ∫_{-x}^{x} dy N(y; 0, inner²) f(x + y) f(x - y), and the same with f'."""
    totals = [mpf(0), mpf(0)]
    for x, w in _half_line(_deviations(rule) * outer, min(outer, inner, mpf(0.5)), rule):
        weight = w * exp(-(x**2) / (2 * outer**2)) / (pi * outer * inner)
        totals = [t + weight * row for t, row in zip(totals, _row(x, inner, rule), strict=True)]
    return totals[0], totals[1]


def _row(x: mpf, width: mpf, rule: Panels) -> tuple[mpf, mpf]:
    value, slope, rate = mpf(0), mpf(0), (1 + x) ** 2 / (2 * width**2)
    reach = min(x, _deviations(rule) * width)
    end = atanh(reach / (1 + x))
    panels = int(ceil(max(end / 1.25, (1 + x) * end / (4 * width))))
    for k in range(panels):
        for node, w in gauss_legendre(rule.nodes, mp.prec):
            t2 = tanh((k + (1 + node) / 2) * end / panels) ** 2
            weight = w * exp(-rate * t2)
            value += weight * (x**2 - (1 + x) ** 2 * t2)
            slope += weight / (1 - t2)
    scale = end / (2 * panels * (1 + x))
    return scale * value, scale * slope / (1 + x) ** 2


def _half_line(reach: mpf, finest: mpf, rule: Panels) -> list[tuple[mpf, mpf]]:
    """Nodes and weights on [0, reach]: panels growing geometrically away from 0."""
    nodes, left, length = [], mpf(0), finest
    while left < reach:
        half = min(length, reach - left, reach / 4) / 2
        nodes += [(left + half * (1 + x), half * w) for x, w in gauss_legendre(rule.nodes, mp.prec)]
        left, length = left + 2 * half, length * mpf(rule.ratio)
    return nodes
