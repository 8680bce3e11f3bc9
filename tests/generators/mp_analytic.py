"""Gaussian expectations of activations that are analytic on a strip around the real line, in extended precision.

The rule is the trapezoidal rule, which converges like ``exp(-2πρ/h)`` for singularities at distance ρ from the real
line (and like ``exp(-2π²σ²/h²)`` for an entire integrand that only the Gaussian bounds). Pairs (u, v) are summed on the
square lattice of the line's nodes: with Δ = q(1 - c²)

    u² + v² - 2cuv = (1 - c)(u² + v²) + c(u - v)²          (c >= 0)

so that E[φ(u)φ(v)] = Σ_m exp(-c (mh)²/2Δ) Σ_k a_k a_{k+m} with a_k = φ(u_k) exp(-u_k²/(2q(1 + c))): φ is evaluated on
a line only, and the inner sums for all m at once are the autocorrelation of a, one product of two long integers. For
c < 0, v is reflected and the autocorrelation becomes the convolution of a with itself. Where u - v is small against ρ
the lattice would be too fine: there Gauss-Hermite nodes in d = (u - v)/2 meet a trapezoidal rule in s = (u + v)/2.
"""

from collections.abc import Callable
from functools import cache
from operator import mul
from typing import NamedTuple

from mpmath import exp, libmp, log, mp, mpf, pi, sqrt

Pair = Callable[[mpf], tuple[mpf, mpf]]


class Rule(NamedTuple):
    """Aim (decimal digits), factor on the step, shift of the lattice by half a step."""

    digits: int
    shrink: float
    shifted: bool


class Values(NamedTuple):
    """E[f], E[f²] and {1 - c: E[f(u) f(v)]} of one function."""

    mean: mpf
    square: mpf
    pairs: dict[str, mpf]


def expectations(pair: Pair, rho: mpf, q: mpf, gaps: dict[str, mpf], rule: Rule) -> tuple[Values, Values]:
    """For φ and φ', given as one function ``pair``. ``gaps``: 1 - c by its spelling."""
    with mp.workdps(rule.digits + 14):
        line = _Line(pair, q, _step(sqrt(q), rho, _nats(rule)) * rule.shrink, rule)
        moments = [line.moments(f) for f in (0, 1)]
        known = {mpf(0): "square", mpf(2): "reflected", mpf(1): "mean_squared"}
        pairs: list[dict[str, mpf]] = [{}, {}]
        for name, gap in gaps.items():
            found = [m[known[gap]] for m in moments] if gap in known else _correlated(line, rho, gap, rule)
            for f in (0, 1):
                pairs[f][name] = found[f]
        return tuple(Values(m["mean"], m["square"], p) for m, p in zip(moments, pairs, strict=True))


def _nats(rule: Rule) -> mpf:
    return rule.digits * log(10) + 6


def _step(sigma: mpf, rho: mpf, nats: mpf) -> mpf:
    """The step at which exp(-2πa/h + a²/2σ²), at its best a <= ρ, is exp(-nats)."""
    if rho < sigma * sqrt(2 * nats):
        return 2 * pi * rho / (nats + rho**2 / (2 * sigma**2))
    return pi * sigma * sqrt(2 / nats)


def _nodes(reach: mpf, step: mpf, shifted: bool) -> list[mpf]:
    """Equidistant nodes, symmetric to 0."""
    count = int(reach / step) + 1
    if shifted:
        return [(k + mpf(0.5)) * step for k in range(-count, count)]
    return [k * step for k in range(-count, count + 1)]


class _Line:
    """φ and φ' on the nodes of the one-dimensional rule, in fixed point."""

    def __init__(self, pair: Pair, q: mpf, step: mpf, rule: Rule) -> None:
        self.pair, self.q, self.step = pair, q, step
        self.nodes = _nodes(sqrt(2 * _nats(rule) * q), step, rule.shifted)
        self.bits = int((rule.digits + 12) * 3.33)
        self.values = list(zip(*(pair(u) for u in self.nodes), strict=True))

    def fixed(self, x: mpf) -> int:
        return int(libmp.to_fixed(x._mpf_, self.bits))

    def real(self, fixed: int, factors: int) -> mpf:
        return mpf(fixed) / mpf(2) ** (self.bits * factors)

    def moments(self, f: int) -> dict[str, mpf]:
        """E[φ], its square, E[φ²] and E[φ(u)φ(-u)]."""
        unit = self.step / sqrt(2 * pi * self.q)
        weights = [self.fixed(unit * exp(-(u**2) / (2 * self.q))) for u in self.nodes]
        values = [self.fixed(x) for x in self.values[f]]
        weighted = list(map(mul, weights, values))
        mean = self.real(sum(weighted), 2)
        return {
            "mean": mean,
            "mean_squared": mean**2,
            "square": self.real(sum(map(mul, weighted, values)), 3),
            "reflected": self.real(sum(map(mul, weighted, reversed(values))), 3),
        }

    def product(self, f: int, gap: mpf) -> mpf:
        """E[φ(u)φ(v)] on the square lattice."""
        c, apart = abs(1 - gap), min(gap, 2 - gap)
        damped = [
            self.fixed(x * exp(-(u**2) / (2 * self.q * (1 + c))))
            for x, u in zip(self.values[f], self.nodes, strict=True)
        ]
        # Reversed for c > 0 (autocorrelation: u - v = (m - n + 1) h), as it is for c < 0 (convolution: u + v).
        other = damped[::-1] if gap < 1 else damped
        rate, middle = c * self.step**2 / (2 * self.q * apart * (1 + c)), len(damped) - 1
        kernel = [self.fixed(exp(-rate * m**2)) for m in range(middle + 1)]
        total = sum(
            kernel[abs(m - middle)] * x for m, x in enumerate(_polynomial_product(damped, other, 2 * self.bits + 64))
        )
        return self.real(total, 3) * self.step**2 / (2 * pi * self.q * sqrt(apart * (1 + c)))


def _polynomial_product(a: list[int], b: list[int], bits: int) -> list[int]:
    """Coefficients of the product of two integer polynomials, by one product of integers (Kronecker substitution)."""
    size = bits // 8 + 1
    half = 1 << (8 * size - 1)

    def offset(count: int) -> int:
        return int.from_bytes(half.to_bytes(size, "little") * count, "little")

    def packed(x: list[int]) -> int:
        return int.from_bytes(b"".join((v + half).to_bytes(size, "little") for v in x), "little") - offset(len(x))

    count = len(a) + len(b) - 1
    stream = (packed(a) * packed(b) + offset(count)).to_bytes(size * count, "little")
    return [int.from_bytes(stream[i : i + size], "little") - half for i in range(0, size * count, size)]


def _correlated(line: _Line, rho: mpf, gap: mpf, rule: Rule) -> list[mpf]:
    """E[φφ] and E[φ'φ'] at 0 < 1 - c < 2; on the nodes of ``line`` where these are dense enough."""
    narrow = sqrt(line.q * min(gap, 2 - gap) / 2)
    if narrow < rho / 30:
        return _near_diagonal(line.pair, rho, line.q, gap, rule)
    step = 2 * _step(narrow, rho, _nats(rule)) * rule.shrink
    lattice = line if line.step <= step else _Line(line.pair, line.q, step, rule)
    return [lattice.product(f, gap) for f in (0, 1)]


def _near_diagonal(pair: Pair, rho: mpf, q: mpf, gap: mpf, rule: Rule) -> list[mpf]:
    """Trapezoidal rule along the diagonal, Gauss-Hermite across it: an error of n! (σ_d/ρ)^{2n} with n nodes."""
    apart, sign = (gap, 1) if gap < 1 else (2 - gap, -1)
    # φ(s + d) φ(s - d) is even in d; φ(s + d) φ(d - s), for c < 0, is not.
    sides = [(mpf(1), 2)] if sign > 0 else [(mpf(1), 1), (mpf(-1), 1)]
    along, across = sqrt(q * (2 - apart) / 2), sqrt(q * apart / 2)
    nats = _nats(rule)
    order = next(n for n in range(4, 200, 2) if mp.loggamma(n + 1) + 2 * n * log(across / rho) < -nats)
    step = _step(along, rho, nats) * rule.shrink
    nodes = _nodes(along * sqrt(2 * nats), step, rule.shifted)
    weights = [step / (along * sqrt(2 * pi)) * exp(-(s**2) / (2 * along**2)) for s in nodes]
    totals = [mpf(0), mpf(0)]
    rows = [
        (side * across * z, w * count)
        for z, w in _gauss_hermite(order + 4 * rule.shifted, mp.prec)
        for side, count in sides
    ]
    for d, w in rows:
        for s, weight in zip(nodes, weights, strict=True):
            one, other = pair(s + d), pair(sign * (s - d))
            totals = [t + w * weight * x * y for t, x, y in zip(totals, one, other, strict=True)]
    return totals


@cache
def _gauss_hermite(order: int, prec: int) -> list[tuple[mpf, mpf]]:
    """Positive nodes and their weights for E[f(z)], z ~ N(0, 1), of an even order (Golub and Welsch)."""
    matrix = mp.zeros(order)
    for k in range(1, order):
        matrix[k, k - 1] = matrix[k - 1, k] = sqrt(mpf(k))
    nodes, vectors = mp.eigsy(matrix)
    return [(nodes[i], vectors[0, i] ** 2) for i in range(order) if nodes[i] > 0]
