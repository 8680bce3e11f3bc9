"""Tables of pairs with unequal variances: against closed forms differentiated by SymPy, and against mpmath."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import sympy

from meanfield.finite_width.given_pairs import Stepped, one_sample, pair_tables
from meanfield.spec.activations import as_activation

NAMES = ("own", "other", "across", "own_own", "own_other", "other_other", "own_across", "other_across", "across_across")
Q = np.array([[1.3, 0.4, -0.7], [0.4, 0.6, 0.2], [-0.7, 0.2, 2.1]])


def tables(name, q, rows=None):
    activation, variances = as_activation(name), np.diagonal(q)
    stepped, alone = ([make(activation, order, variances) for order in (0, 1)] for make in (Stepped.of, one_sample))
    return pair_tables(stepped, q, rows or slice(0, len(q)), alone)


def closed_forms():
    a, b, c = sympy.symbols("a b c", real=True)
    root, rho = sympy.sqrt(a * b), c / sympy.sqrt(a * b)
    angle = sympy.acos(rho)
    relu = (
        root / (2 * sympy.pi) * (sympy.sqrt(1 - rho**2) + rho * (sympy.pi - angle)),
        (sympy.pi - angle) / (2 * sympy.pi),
    )
    scale = (1 + 2 * a) * (1 + 2 * b)
    erf = 2 / sympy.pi * sympy.asin(2 * c / sympy.sqrt(scale)), 4 / sympy.pi / sympy.sqrt(scale - 4 * c**2)
    return (a, b, c), {"relu": relu, "erf": erf}


def derivatives(form, arguments):
    """By name, as functions of (q_ss, q_tt, q_st)."""
    short = dict(zip(("own", "other", "across"), arguments, strict=True))
    return {n: sympy.lambdify(arguments, sympy.diff(form, *(short[x] for x in n.split("_")))) for n in NAMES}


@pytest.mark.parametrize("name", ["relu", "erf"])
@pytest.mark.parametrize("order", [0, 1])
def test_closed_forms(name, order):
    arguments, forms = closed_forms()
    table = tables(name, Q)[order]
    for name_of, function in derivatives(forms[name][order], arguments).items():
        pairs = [(s, t) for s in range(3) for t in range(3) if s != t]
        expected = [function(Q[s, s], Q[t, t], Q[s, t]) for s, t in pairs]
        found = [getattr(table, name_of)[pair] for pair in pairs]
        # central differences of fourth order and step .01: relative 1e-8 × a thirtieth of higher derivatives
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-6), name_of


def test_near_duplicates_of_a_kinked_activation():
    """χ of relu is singular like √gap: its derivatives are still those of the closed form at an angle of 1e-3."""
    q = np.array([[1.0, 1.1 * np.cos(1e-3)], [1.1 * np.cos(1e-3), 1.21]])
    arguments, forms = closed_forms()
    table = tables("relu", q)[1]
    for name in ("own", "across", "across_across"):
        function = derivatives(forms["relu"][1], arguments)[name]
        assert getattr(table, name)[0, 1] == pytest.approx(function(1.0, 1.21, q[0, 1]), rel=1e-3), name


@pytest.mark.parametrize("order", [0, 1])
def test_diagonal(order):
    """E[f²] and its derivatives by the variance, tanh, by mpmath."""
    f = mpmath.tanh if order == 0 else lambda u: 1 / mpmath.cosh(u) ** 2

    def square(q):
        return mpmath.quad(lambda z: f(mpmath.sqrt(q) * z) ** 2 * mpmath.npdf(z), [-12, 0, 12])

    table = tables("tanh", Q)[order]
    for s, q in enumerate(np.diagonal(Q)):
        assert table.value[s, s] == pytest.approx(float(square(q)), rel=1e-9)
        assert table.across[s, s] == pytest.approx(float(mpmath.diff(square, q)), rel=1e-6)
        assert table.across_across[s, s] == pytest.approx(float(mpmath.diff(square, q, 2)), rel=1e-4)
        assert table.own[s, s] == table.own_own[s, s] == 0


def test_price():
    """∂F/∂q_st = χ, and for a smooth φ ∂F/∂q_ss = ½ E φ''φ."""
    feature, slope = tables("tanh", Q)
    assert feature.across[0, 1:] == pytest.approx(slope.value[0, 1:], rel=1e-12)
    u = np.random.default_rng(3).multivariate_normal(np.zeros(3), Q, 400_000)
    terms = -np.tanh(u[:, 0]) / np.cosh(u[:, 0]) ** 2 * np.tanh(u[:, 1])
    assert abs(feature.own[0, 1] - terms.mean()) < 4 * terms.std() / np.sqrt(len(u))


def test_blocks_are_rows():
    whole, part = tables("gelu", Q)[1], tables("gelu", Q, slice(1, 3))[1]
    for name in NAMES:
        assert np.array_equal(getattr(part, name), getattr(whole, name)[1:3])
