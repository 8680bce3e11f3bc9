"""The activations, spelled out in mpmath independently of the library's registry, in the class that decides how their
Gaussian expectations are computed.

ANALYTIC     analytic on the strip |Im u| < ρ: u ↦ (φ(u), φ'(u)) and ρ. Trapezoidal rule (mp_analytic).
CLOSED       elementary expectations: (E[φφ], E[φ'φ']) as functions of q and 1 - c.
HOMOGENEOUS  α₊ u^p for u > 0 and α₋ |u|^p for u < 0: arcsine law, arc-cosine kernels.
PIECES       p₀ + p₁u + p₂u² + e exp(u) on intervals: conditional expectation in closed form (mp_piecewise).
softsign     rational on half-lines: mp_piecewise.softsign.
"""

from collections.abc import Callable
from typing import NamedTuple

import mpmath
from mpmath import atan, erf, exp, inf, log1p, mpf, pi, sinh, sqrt, tanh

LEAK = "0.01"
ELU_ALPHA = CELU_ALPHA = "1"
SELU_SCALE, SELU_ALPHA = "1.0507009873554804934193349852946", "1.6732632423543772848170429916717"
PARAMETERS = {"leaky_relu": {"a": LEAK}, "elu": {"a": ELU_ALPHA}, "celu": {"a": CELU_ALPHA},
              "selu": {"scale": SELU_SCALE, "alpha": SELU_ALPHA}}  # fmt: skip

SAME = {"celu": "elu"}
"""At a = 1 they are one function: computed once."""


class Piece(NamedTuple):
    left: mpf
    right: mpf
    polynomial: tuple[mpf, ...]
    exponential: mpf = mpf(0)


# --------------------------------------------------------------------------------------------------------------
# Analytic


def _tanh(u: mpf) -> tuple[mpf, mpf]:
    t = tanh(u)
    return t, 1 - t**2


def _logistic(u: mpf) -> tuple[mpf, mpf]:
    e = exp(-abs(u))
    big = 1 / (1 + e)
    return (big if u > 0 else e * big), e * big**2


def _softplus(u: mpf) -> tuple[mpf, mpf]:
    return max(u, mpf(0)) + log1p(exp(-abs(u))), _logistic(u)[0]


def _silu(u: mpf) -> tuple[mpf, mpf]:
    s, slope = _logistic(u)
    return u * s, s + u * slope


def _mish(u: mpf) -> tuple[mpf, mpf]:
    # tanh(log(1 + e^u)) = (y² - 1)/(y² + 1) with y = 1 + e^u.
    y = 1 + exp(u)
    t = (y - 1) * (y + 1) / (y**2 + 1)
    return u * t, t + u * 4 * y * (y - 1) / (y**2 + 1) ** 2


def _arctan(u: mpf) -> tuple[mpf, mpf]:
    return atan(u), 1 / (1 + u**2)


def _erf(u: mpf) -> tuple[mpf, mpf]:
    return erf(u), 2 / sqrt(pi) * exp(-(u**2))


def _gelu(u: mpf) -> tuple[mpf, mpf]:
    below = (1 + erf(u / sqrt(mpf(2)))) / 2
    return u * below, below + u * exp(-(u**2) / 2) / sqrt(2 * pi)


def _gelu_tanh(u: mpf) -> tuple[mpf, mpf]:
    k, a = sqrt(2 / pi), mpf("0.044715")
    t = tanh(k * (u + a * u**3))
    return u * (1 + t) / 2, (1 + t) / 2 + u * (1 - t**2) / 2 * k * (1 + 3 * a * u**2)


def _logcosh(u: mpf) -> tuple[mpf, mpf]:
    # log cosh u = log(1 + 2 sinh²(u/2)), which keeps its digits near 0.
    return log1p(2 * sinh(u / 2) ** 2), tanh(u)


Pair = Callable[[mpf], tuple[mpf, mpf]]
# ρ: distance of the nearest singularity; for erf and GELU (entire, growing like exp(-u²)) and the GELU of tanh (poles
# that matter at the centre) a length found to serve: two steps are always compared.
ANALYTIC: dict[str, tuple[str, Pair, Callable[[], mpf]]] = {
    "tanh": ("tanh(u)", _tanh, lambda: pi / 2),
    "sigmoid": ("1/(1 + exp(-u))", _logistic, lambda: pi),
    "softplus": ("log(1 + exp(u))", _softplus, lambda: pi),
    "silu": ("u/(1 + exp(-u))", _silu, lambda: pi),
    "mish": ("u tanh(log(1 + exp(u)))", _mish, lambda: 3 * pi / 4),
    "arctan": ("arctan(u)", _arctan, lambda: mpf(1)),
    "erf": ("erf(u)", _erf, lambda: mpf(2)),
    "gelu": ("u (1 + erf(u/sqrt 2))/2", _gelu, lambda: mpf("2.5")),
    "gelu_tanh": ("u (1 + tanh(sqrt(2/pi) (u + 0.044715 u^3)))/2", _gelu_tanh, lambda: mpf("1.5")),
    "logcosh": ("log(cosh(u))", _logcosh, lambda: pi / 2),
}

# --------------------------------------------------------------------------------------------------------------
# Closed forms, as functions of q and g = 1 - c


def _waves(q: mpf, g: mpf) -> tuple[mpf, mpf]:
    """E[cos(u - v)]/2 and E[cos(u + v)]/2."""
    return exp(-q * g) / 2, exp(-q * (2 - g)) / 2


def _sin(q: mpf, g: mpf) -> tuple[mpf, mpf]:
    difference, total = _waves(q, g)
    return difference - total, difference + total


def _gaussian(q: mpf, g: mpf) -> tuple[mpf, mpf]:
    determinant = (1 + 2 * q * g) * (1 + 2 * q * (2 - g))
    return 1 / sqrt(determinant), 4 * q * (1 - g) / determinant ** mpf("1.5")


Closed = Callable[[mpf, mpf], tuple[mpf, mpf]]
CLOSED: dict[str, tuple[str, Closed]] = {
    "linear": ("u", lambda q, g: (q * (1 - g), mpf(1))),
    "sin": ("sin(u)", _sin),
    "cos": ("cos(u)", lambda q, g: _sin(q, g)[::-1]),
    "exp": ("exp(u)", lambda q, g: (exp(q * (2 - g)), exp(q * (2 - g)))),
    "gaussian": ("exp(-u^2)", _gaussian),
}
# Their second rule: the trapezoidal rule. linear and exp (which overflows fixed point) have a second precision only.
CLOSED_AS_ANALYTIC: dict[str, tuple[Pair, mpf]] = {
    "sin": (lambda u: (mpmath.sin(u), mpmath.cos(u)), mpf(3)),
    "cos": (lambda u: (mpmath.cos(u), -mpmath.sin(u)), mpf(3)),
    "gaussian": (lambda u: (exp(-(u**2)), -2 * u * exp(-(u**2))), mpf(2)),
}

# --------------------------------------------------------------------------------------------------------------
# Piecewise

# name: (formula, p, α₊, α₋)
HOMOGENEOUS: dict[str, tuple[str, int, str, str]] = {
    "relu": ("max(u, 0)", 1, "1", "0"),
    "leaky_relu": ("max(u, 0) + a min(u, 0)", 1, "1", "-" + LEAK),
    "abs": ("|u|", 1, "1", "1"),
    "squared_relu": ("max(u, 0)^2", 2, "1", "0"),
    "step": ("1 for u > 0, else 0", 0, "1", "0"),
    "sign": ("sign(u)", 0, "1", "-1"),
}


def _exponential_unit(scale: str, alpha: str) -> list[Piece]:
    s, a = mpf(scale), mpf(alpha)
    return [Piece(-inf, mpf(0), (-s * a,), s * a), Piece(mpf(0), inf, (mpf(0), s))]


def _clipped(left: str, right: str, low: str, high: str) -> list[Piece]:
    """Linear from (left, low) to (right, high), constant outside."""
    l, r, a, b = mpf(left), mpf(right), mpf(low), mpf(high)
    slope = (b - a) / (r - l)
    return [Piece(-inf, l, (a,)), Piece(l, r, (a - slope * l, slope)), Piece(r, inf, (b,))]


def _half_powers(p: int, right: str, left: str) -> list[Piece]:
    up, down = mpf(right), mpf(left) * (-1) ** p
    return [Piece(-inf, mpf(0), (mpf(0),) * p + (down,)), Piece(mpf(0), inf, (mpf(0),) * p + (up,))]


# name: (formula, pieces, made at the precision in force)
PIECES: dict[str, tuple[str, Callable[[], list[Piece]]]] = {
    "elu": ("u for u > 0, else a (exp(u) - 1)", lambda: _exponential_unit("1", ELU_ALPHA)),
    "celu": ("u for u > 0, else a (exp(u/a) - 1)", lambda: _exponential_unit("1", CELU_ALPHA)),
    "selu": ("scale (u for u > 0, else alpha (exp(u) - 1))", lambda: _exponential_unit(SELU_SCALE, SELU_ALPHA)),
    "hardtanh": ("min(max(u, -1), 1)", lambda: _clipped("-1", "1", "-1", "1")),
    "hard_sigmoid": ("min(max(u/6 + 1/2, 0), 1)", lambda: _clipped("-3", "3", "0", "1")),
    **{
        name: (formula, lambda p=p, right=right, left=left: _half_powers(p, right, left))
        for name, (formula, p, right, left) in HOMOGENEOUS.items()
    },
}

SOFTSIGN = "u/(1 + |u|)"
