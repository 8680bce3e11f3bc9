"""Functions with breakpoints as polynomials on panels, and integrals of pairs by them: against mpmath and SciPy."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from scipy import integrate, special, stats

from meanfield.gaussian.pieces import pieces
from meanfield.gaussian.unequal import pairs_by_quadrature
from meanfield.spec.activations import as_activation

NAMES = ("elu", "selu", "softsign", "hardtanh", "hard_sigmoid", "leaky_relu")


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("name", NAMES)
def test_polynomials_are_the_function_and_say_how_far_they_are_off(name: str, order: int) -> None:
    phi, u = as_activation(name), np.random.default_rng(1517).uniform(-60, 60, 4000)
    made = pieces(phi, order, 50.0)
    assert made is not None
    panel = np.searchsorted(made.edges, u, side="right") - 1
    low, high = made.edges[panel], made.edges[panel + 1]
    x = (2 * u - low - high) / (high - low)
    found = np.array([np.polynomial.chebyshev.chebval(a, c) for a, c in zip(x, made.coefficients[panel], strict=True)])
    off = np.abs(found - phi.function(order=order)(u))
    assert np.all(off <= made.missed[panel] + 1e-14 * np.maximum(1.0, np.abs(u)))
    q = np.array([0.01, 1.0, 50.0])
    assert np.all(made.error(q, q[::-1]) < 1e-12 * (1 + np.sqrt(q * q[::-1])))


def test_where_there_are_no_pieces() -> None:
    assert pieces(as_activation("tanh"), 0, 1.0) is None
    assert pieces(as_activation("sqrt(Abs(u))"), 0, 1.0) is None


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other quadrature may help."""
    monkeypatch.delattr("meanfield.gaussian.unequal.pair_by_quadrature")


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("sign", [1, -1])
def test_hardtanh_slopes_are_a_bivariate_normal_probability(sign: int) -> None:
    """E φ'φ' = P(|u| < 1, |v| < 1), by one integral of SciPy's, with no breakpoint of its own to meet."""
    for q_s, q_t, theta in ((0.7, 1.9, 0.01), (1.0, 1.0, 0.2), (30.0, 2.0, 1e-3), (0.05, 0.06, 0.1)):
        slope, inner = sign * math.sqrt(q_t / q_s) * math.cos(theta), math.sqrt(q_t) * math.sin(theta)

        def inside(u: float, slope: float = slope, inner: float = inner, q: float = q_s) -> float:
            width = special.ndtr((1 - slope * u) / inner) - special.ndtr((-1 - slope * u) / inner)
            return float(width * stats.norm.pdf(u, scale=math.sqrt(q)))

        bends = [b / slope + k * inner for b in (-1, 1) for k in (-8, -3, 0, 3, 8) if abs(b / slope + k * inner) < 1]
        truth = integrate.quad(inside, -1, 1, points=bends or None, epsabs=1e-14, epsrel=1e-13, limit=400)[0]
        value, error = pairs_by_quadrature(
            as_activation("hardtanh"),
            1,
            30.0,
            *(np.array([x]) for x in (q_s, q_t, sign * math.cos(theta), math.sin(theta))),
        )
        assert abs(value[0] - truth) <= error[0] + 1e-13
        assert error[0] <= 1e-12


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("sign", [1, -1])
def test_elu_against_mpmath(sign: int) -> None:
    """One nearly collinear pair: the inner integral in closed form, the outer in 25 digits."""
    q_s, q_t, theta = 1.3, 0.6, 0.05
    with mpmath.workdps(25):
        slope = sign * mpmath.sqrt(mpmath.mpf(q_t) / q_s) * mpmath.cos(theta)
        inner = mpmath.sqrt(q_t) * mpmath.sin(theta)

        def given(u: mpmath.mpf) -> mpmath.mpf:
            m = slope * u
            above = m * mpmath.ncdf(m / inner) + inner * mpmath.npdf(m / inner)
            below = mpmath.exp(m + inner**2 / 2) * mpmath.ncdf(-(m + inner**2) / inner) - mpmath.ncdf(-m / inner)
            return above + below

        def term(u: mpmath.mpf) -> mpmath.mpf:
            phi = u if u > 0 else mpmath.expm1(u)
            return phi * given(u) * mpmath.npdf(u, 0, mpmath.sqrt(q_s))

        truth = float(mpmath.quad(term, [-12, -4, -1, -0.2, 0, 0.2, 1, 4, 12]))
    pair = (np.array([x]) for x in (q_s, q_t, sign * math.cos(theta), math.sin(theta)))
    value, error = pairs_by_quadrature(as_activation("elu"), 0, 2.0, *pair)
    assert abs(value[0] - truth) <= error[0] + 2e-16
    assert error[0] <= 1e-12
