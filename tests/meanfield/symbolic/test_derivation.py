"""Derived closed forms against two-dimensional quadrature, published formulas and Price's theorem."""

from __future__ import annotations

import functools
import re

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.mathtext import MathTextParser
from sympy import Rational, cos, erf, exp, sin, sqrt

from meanfield.spec.activations import Activation, as_activation
from meanfield.symbolic.derivation import derive, q, q_s, q_st, q_t

u = sympy.Symbol("u", real=True)

CONTINUOUS = [
    "linear", "relu", "leaky_relu", "leaky_relu(0.3)", "abs", "squared_relu", "erf", "gelu", "sin", "cos", "exp",
    "gaussian",
    u**3 / 6 - u**2 / 2 + 1, erf(u / sqrt(2)), erf(-3 * u), sin(2 * u), sympy.Max(2 * u, 0), sympy.Max(-u, 0) / 2,
    u + sin(u), sympy.Max(u, 0) + Rational(1, 10) * u**2, erf(u) + u / 2, erf(u) + sympy.Max(u, 0), u * sin(u),
    erf(u) + cos(u), exp(u / 2) + sympy.Max(u, 0), sin(u) + sympy.Abs(u), u * exp(-(u**2)), exp(u / 3) * cos(u),
    sympy.Piecewise((u, u > 0), (u / 5, True)), sympy.sinh(u / 2), u * exp(u / 2) + sympy.Max(u, 0),
    *(pytest.param(x, marks=pytest.mark.slow) for x in (u**2 * erf(u), exp(-(u**2) / 3) * cos(u + 1))),
]  # fmt: skip
JUMPS = ["step", "sign", u + sympy.sign(u), sympy.Heaviside(u) * u**2 + sympy.Heaviside(-u)]
ONE_VARIABLE = ["hardtanh", "hard_sigmoid", "elu", "selu", "celu(0.5)", sympy.Max(u - Rational(1, 3), 0)]
NONE = ["tanh", "sigmoid", "softplus", "silu", "mish", "softsign", "arctan", "gelu_tanh", "logcosh"]

# (q_s, q_t, q_st): equal and unequal variances, both signs, and covariances at and near their limits.
PAIRS = [
    (1.0, 1.0, 0.3), (0.4, 1.7, -0.5), (2.3, 0.6, 0.9), (1.0, 1.0, 0.999), (0.7, 0.7, 0.7), (1.2, 1.2, -1.2),
    (0.9, 1.6, 1.2),
]  # fmt: skip


# --------------------------------------------------------------------------------------------------------------
# An oracle that shares nothing with the engine: conditional Gauss-Legendre, panels graded towards the kinks


_EDGES = np.linspace(-12, 12, 17)


@functools.cache
def _rule(nodes: int = 24):
    return np.polynomial.legendre.leggauss(nodes)


def _panels(edges):
    """Nodes and weights on each [edges[..., i], edges[..., i + 1]]; the last axis of the result is all nodes."""
    x, w = _rule()
    left, right = edges[..., :-1, None], edges[..., 1:, None]
    nodes, weights = (left + right) / 2 + (right - left) / 2 * x, (right - left) / 2 * w
    return nodes.reshape(*edges.shape[:-1], -1), np.broadcast_to(weights, nodes.shape).reshape(*edges.shape[:-1], -1)


def _normal(z):
    return np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)


def quadrature(function, kinks, s, t, b, other=None):
    """E[f(u) g(v)] with g = ``other`` or f."""
    other = other or function
    grading = np.concatenate([[0.0], 10.0 ** np.arange(-6, 1)])
    near = [k / np.sqrt(s) + sign * grading for k in kinks for sign in (1, -1)]
    edges = np.unique(np.clip(np.concatenate([*near, _EDGES]), -12, 12))
    y, y_weights = _panels(edges)
    first = np.sqrt(s) * y
    mean, width = b / s * first, np.sqrt(max(t - b**2 / s, 0.0))
    cuts = [np.clip((k - mean) / width, -12, 12) if width else 0 * mean for k in kinks]
    inner = [np.broadcast_to(z, mean.shape) for z in _EDGES]
    z, z_weights = _panels(np.sort(np.stack([*inner, *cuts], axis=-1), axis=-1))
    conditional = np.sum(other(mean[:, None] + width * z) * _normal(z) * z_weights, axis=-1)
    return float(np.sum(function(first) * _normal(y) * conditional * y_weights))


def value(expression, s, t, b):
    """30 digits, so that nothing is lost near the limits; the limit itself is taken inside the domain."""
    point = {q_s: sympy.Float(s, 40), q_t: sympy.Float(t, 40), q: sympy.Float(s, 40), q_st: sympy.Float(b, 40)}
    return float(sympy.re(sympy.N(expression.subs(point), 30)))


@pytest.mark.parametrize("activation", CONTINUOUS, ids=str)
def test_closed_forms_are_the_integrals(activation):
    phi, d = as_activation(activation), derive(activation)
    for order, pair in enumerate((d.pair, d.pair_backward)):
        function = phi.function(order=order)
        for s, t, b in PAIRS:
            if order == 1 and phi.kinks and abs(b) > 0.99 * np.sqrt(s * t):
                continue  # two jumps meet on the diagonal, which no panel follows; test_limits looks there
            expected = quadrature(function, phi.breakpoints, s, t, b)
            assert value(pair, s, t, b) == pytest.approx(expected, rel=1e-11, abs=1e-11), (order, s, t, b)


@pytest.mark.parametrize("activation", JUMPS, ids=str)
@pytest.mark.parametrize(("s", "t", "b"), PAIRS[:3])
def test_jumps_have_forward_forms_only(activation, s, t, b):
    phi, d = as_activation(activation), derive(activation)
    expected = quadrature(phi.function(), phi.breakpoints, s, t, b)
    assert value(d.pair, s, t, b) == pytest.approx(expected, rel=1e-11, abs=1e-12)
    assert d.backward == sympy.oo
    assert "jumps at u = 0" in d.reason
    assert "infinite" in d.reason


@pytest.mark.parametrize("activation", [*CONTINUOUS, *JUMPS, *ONE_VARIABLE], ids=str)
def test_one_variable(activation):
    variance = 1.4
    phi, d = as_activation(activation), derive(activation)
    square = quadrature(phi.function(), phi.breakpoints, variance, variance, variance)
    one = quadrature(phi.function(), phi.breakpoints, variance, 1.0, 0.0, other=lambda v: 0 * v + 1)
    assert value(d.mean, variance, variance, 0) == pytest.approx(one, abs=1e-12 * np.sqrt(square))
    assert value(d.forward, variance, variance, 0) == pytest.approx(square, rel=1e-12)
    if not phi.jumps:
        slope = quadrature(phi.function(order=1), phi.breakpoints, variance, variance, variance)
        assert value(d.backward, variance, variance, 0) == pytest.approx(slope, rel=1e-12)


def test_shifted_error_functions_have_a_mean():
    for expression in (erf(1 - 2 * u), erf(2 * u - 1)):
        expected = quadrature(as_activation(expression).function(), (), 1.4, 1.0, 0.0, other=lambda v: 0 * v + 1)
        assert value(derive(expression).mean, 1.4, 1.4, 0) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("activation", NONE)
def test_no_closed_form_is_said(activation):
    d = derive(activation)
    assert (d.mean, d.forward, d.forward_st, d.backward, d.backward_st, d.pair, d.pair_backward) == (None,) * 7
    assert d.reason.startswith("No closed form: ")
    assert str(d).count("no closed form") == 5


@pytest.mark.parametrize("activation", ONE_VARIABLE, ids=str)
def test_shifted_thresholds_have_no_pair_form(activation):
    d = derive(activation)
    assert (d.forward_st, d.backward_st, d.pair, d.pair_backward) == (None,) * 4
    assert "shifted thresholds" in d.reason


@pytest.mark.parametrize(
    ("activation", "word"),
    [
        (exp(u**2 / 9), "infinite for large q"),
        (exp(u**3), "no elementary Gaussian expectation"),
        (erf(u**2), "no elementary Gaussian expectation"),
        (u * erf(u) ** 2, "no polynomial"),
        (sympy.Abs(erf(u)), "sign of erf(u) is not known"),
        (sympy.Max(u, 0) * erf(u), "two error or sign functions"),
        (Activation("hidden kink", "Abs(u - 1)", ()), "changes its sign"),
        (exp(u) * sin(u) + sympy.Max(u, 0), "complex argument"),
    ],
    ids=str,
)
def test_reasons(activation, word):
    assert word in derive(activation).reason


def test_wrong_input():
    with pytest.raises(ValueError, match="expected a registered name"):
        derive("nonsense")
    with pytest.raises(TypeError, match="expected a registered name"):
        derive(3)


# --------------------------------------------------------------------------------------------------------------
# Published forms


def same(derived, published, *arguments):
    """Equal at random points to 25 digits (SymPy's own simplification is no oracle)."""
    rng = np.random.default_rng(0)
    for _ in range(6):
        s, t, c = rng.uniform(0.2, 3), rng.uniform(0.2, 3), rng.uniform(-0.98, 0.98)
        point = {q_s: Rational(s), q_t: Rational(t), q: Rational(s)}
        b = Rational(c) * sqrt(point[q_s] * point[q_t]) if derived.has(q_s) or derived.has(q_t) else Rational(c * s)
        difference = sympy.N((derived - published).subs(point).subs(q_st, b), 30)
        assert abs(difference) < 1e-25


THETA = sympy.acos(q_st / sqrt(q_s * q_t))
ARC_COSINE = {  # Cho & Saul 2009, eq. 4-6: k_n(x, y) = |x|^n |y|^n J_n(θ)/π = 2 E[Θ(u) Θ(v) u^n v^n]
    "step": sympy.pi - THETA,
    "relu": sin(THETA) + (sympy.pi - THETA) * cos(THETA),
    "squared_relu": 3 * sin(THETA) * cos(THETA) + (sympy.pi - THETA) * (1 + 2 * cos(THETA) ** 2),
}


@pytest.mark.parametrize(("degree", "activation"), [(0, "step"), (1, "relu"), (2, "squared_relu")])
def test_arc_cosine_kernels(degree, activation):
    published = (q_s * q_t) ** Rational(degree, 2) * ARC_COSINE[activation] / (2 * sympy.pi)
    same(derive(activation).pair, published)


def test_arcsine_law():
    """Williams 1997, eq. 11: (2/π) arcsin(2 x·y / √((1 + 2 x·x)(1 + 2 y·y)))."""
    d = derive("erf")
    same(d.pair, 2 / sympy.pi * sympy.asin(2 * q_st / sqrt((1 + 2 * q_s) * (1 + 2 * q_t))))
    same(d.backward_st, 4 / sympy.pi / sqrt((1 + 2 * q) ** 2 - 4 * q_st**2))
    same(derive("sign").pair, 2 / sympy.pi * sympy.asin(q_st / sqrt(q_s * q_t)))  # Sheppard 1899


def test_relu_of_theory_page():
    d, c = derive("relu"), q_st / q
    same(d.forward_st, q / (2 * sympy.pi) * (sqrt(1 - c**2) + c * (sympy.pi / 2 + sympy.asin(c))))
    same(d.backward_st, Rational(1, 4) + sympy.asin(c) / (2 * sympy.pi))
    assert d.forward == q / 2
    assert d.backward == Rational(1, 2)


def test_gelu_second_derivative():
    """theory.md §2: E[φ''φ''] of GELU, by Price the derivative of E[φ'φ']."""
    a, b = q, q_st
    numerator = a**4 + 6 * a**3 - 2 * a**2 * b**2 + 13 * a**2 - 6 * a * b**2 + 12 * a + b**4 - 2 * b**2 + 4
    published = numerator / (2 * sympy.pi * ((1 + a) ** 2 - b**2) ** Rational(5, 2))
    same(derive("gelu").backward_st.diff(q_st), published)


def test_waves_and_exponentials():
    """Rahimi & Recht 2007: cosine and sine features give the Gaussian kernel; the log-normal mean; Gaussian overlap."""
    same(derive("cos").pair + derive("sin").pair, exp(-(q_s + q_t - 2 * q_st) / 2))
    same(derive("exp").pair, exp((q_s + q_t + 2 * q_st) / 2))
    same(derive("gaussian").pair, 1 / sqrt((1 + 2 * q_s) * (1 + 2 * q_t) - 4 * q_st**2))


# --------------------------------------------------------------------------------------------------------------
# Identities


@pytest.mark.parametrize("activation", [*CONTINUOUS, *JUMPS], ids=str)
def test_price(activation):
    """∂E[φφ]/∂q_st = E[φ'φ'], for unequal and for equal variances; the engine differentiates φ, not the result."""
    d = derive(activation)
    same(d.pair_backward, d.pair.diff(q_st))
    same(d.backward_st, d.forward_st.diff(q_st))
    same(d.forward_st, d.pair.subs({q_s: q, q_t: q}))


@pytest.mark.parametrize("activation", [*CONTINUOUS, *JUMPS], ids=str)
def test_limits(activation):
    """Equal inputs give the square, opposite ones E[φ(u)φ(-u)], independent ones the squared mean."""
    phi, d = as_activation(activation), derive(activation)
    v = 1.3
    opposite = quadrature(phi.function(), phi.breakpoints, v, v, -v)
    assert value(d.forward_st, v, v, v) == pytest.approx(value(d.forward, v, v, v), rel=1e-14)
    assert value(d.forward_st, v, v, -v) == pytest.approx(opposite, rel=1e-11, abs=1e-11)
    assert value(d.forward_st, v, v, 0) == pytest.approx(value(d.mean, v, v, 0) ** 2, rel=1e-14, abs=1e-15)
    if not phi.jumps:
        assert value(d.backward_st, v, v, v) == pytest.approx(value(d.backward, v, v, v), rel=1e-14)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(-5, 5), min_size=1, max_size=6),
    st.floats(0.1, 3), st.floats(0.1, 3), st.floats(-1, 1),
)  # fmt: skip
def test_polynomials(coefficients, s, t, c):
    """Gauss-Hermite with 8 × 8 nodes is exact for these."""
    expression = sympy.Poly(coefficients, u).as_expr()
    d = derive(Activation("polynomial", str(expression), ()))
    x, w = np.polynomial.hermite_e.hermegauss(8)
    first, second = np.sqrt(s) * x[:, None], np.sqrt(t) * (c * x[:, None] + np.sqrt(1 - c**2) * x)
    weights = w[:, None] * w / (2 * np.pi)
    for pair, p in ((d.pair, np.poly1d(coefficients)), (d.pair_backward, np.poly1d(coefficients).deriv())):
        size = float(np.sum(weights * np.abs(p(first) * p(second))))
        assert value(pair, s, t, c * np.sqrt(s * t)) == pytest.approx(
            float(np.sum(weights * p(first) * p(second))), abs=1e-12 * (1 + size)
        )


# --------------------------------------------------------------------------------------------------------------
# Presentation


@pytest.mark.parametrize("activation", ["relu", "gelu", "erf", "sign", "squared_relu", "hardtanh", "tanh", "sin"])
def test_latex_is_an_align_environment(activation):
    text = derive(activation).latex()
    body = re.fullmatch(r"\\begin\{align\*\}\n(.*)\n\\end\{align\*\}\n", text, flags=re.DOTALL)
    rows = body[1].split(" \\\\\n")
    assert len(rows) == 9
    parser = MathTextParser("path")
    for row in rows:
        left, right = row.split(" &= ")
        parser.parse(f"${left}$")
        parser.parse(f"${right}$")
    names = [row.split(" &= ")[0].strip() for row in rows]
    assert names[4:6] == [r"\hat{q}^{l}", r"\hat{q}^{l}_{st}"]
    assert "arcsin" in text if activation in {"relu", "gelu", "erf", "sign"} else "None" not in text


def test_text():
    d = derive("relu")
    assert "E[φ(u)²]      = q/2" in str(d)
    assert d._repr_latex_() == d.latex()
    assert str(derive("sign")).splitlines()[-1] == "E[φ'(u)²] is infinite: φ jumps at u = 0."


def test_derived_once():
    assert derive("relu") is derive(as_activation("relu"))
