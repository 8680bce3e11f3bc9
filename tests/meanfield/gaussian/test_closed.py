"""Closed forms in double precision: the truth is the derived expression at 60 digits."""

from __future__ import annotations

import functools

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import cos, erf, exp, sin

from meanfield.gaussian.closed import closed_form
from meanfield.spec.activations import Activation, as_activation
from meanfield.symbolic.derivation import derive, q, q_st

u = sympy.Symbol("u", real=True)

CASES = [
    "linear", "relu", "leaky_relu", "abs", "squared_relu", "erf", "gelu", "sin", "cos", "exp", "gaussian",
    "step", "sign", u**3 - u, u**5 - 3 * u**2 + 1, erf(u) + sympy.Max(u, 0), u + sin(2 * u), erf(u) + cos(u),
    u * sin(u), u * exp(-(u**2)), exp(u / 3) + sympy.Max(u, 0), sin(u) + sympy.Max(u, 0),
]  # fmt: skip
VARIANCES = 10.0 ** np.arange(-3, 4)
GAPS = np.array([0.0, 1e-300, 1e-12, 1e-8, 1e-4, 0.03, 0.3, 0.9, 1.0, 1.4, 1.97, 2 - 1e-4, 2 - 1e-12, 2.0])  # 1 - c


@functools.cache
def functions(activation):
    """E[φφ] and E[φ'φ'] (as far as they are finite) of (q, b) in mpmath."""
    d = derive(activation)
    forms = [d.forward_st] if d.backward == sympy.oo else [d.forward_st, d.backward_st]
    return [sympy.lambdify((q, q_st), form, "mpmath") for form in forms]


def true(function, variance, gap):
    """At covariance q - gap; both are exact binary numbers."""
    with mpmath.workdps(60):
        return mpmath.re(function(mpmath.mpf(variance), mpmath.mpf(variance) - mpmath.mpf(gap)))


def distance(value, exact):
    with mpmath.workdps(60):
        return float(abs(mpmath.mpf(float(value)) - exact))


@pytest.mark.parametrize("activation", CASES, ids=str)
def test_error_estimates_are_honest_and_small(activation):
    """No estimate is below the true error, and none is above 1e-11 of E[φ²] (E[φ'²]), for every q and c."""
    form = closed_form(as_activation(activation))
    assert form.orders == len(functions(activation))
    for order, function in enumerate(functions(activation)):
        gaps = VARIANCES[:, None] * GAPS
        values, errors = form.moments(order, VARIANCES[:, None], gaps)[1]
        for i, variance in enumerate(VARIANCES):
            square = true(function, variance, 0)
            for value, error, gap in zip(values[i], errors[i], gaps[i], strict=True):
                exact = true(function, variance, gap)
                if not np.isfinite(error):
                    assert square > 1e300
                    continue
                assert distance(value, exact) <= error, (order, variance, gap)
                assert error <= 1e-11 * square, (order, variance, gap)


@pytest.mark.parametrize("activation", CASES, ids=str)
def test_gaps_keep_their_digits(activation):
    """To 1e-11 of the gap itself for c >= 0, down to 1 - c = 1e-12; of the square for c < 0."""
    form = closed_form(as_activation(activation))
    for order, function in enumerate(functions(activation)):
        for variance in VARIANCES:
            gaps = variance * GAPS[2:]
            moments = form.moments(order, variance, gaps)
            square = true(function, variance, 0)
            if not np.isfinite(moments[0][1][0]):
                continue  # overflow, as above
            for i, gap in enumerate(gaps):
                with mpmath.workdps(60):
                    product = true(function, variance, gap)
                    exact = (square, product, square - product)
                for (value, error), e in zip(moments, exact, strict=True):
                    assert distance(value[i], e) <= error[i], (order, variance, gap)
                scale = exact[2] if gap <= variance else square
                assert moments[2][1][i] <= 1e-11 * scale + 1e-300, (order, variance, gap)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(CASES) - 1), st.floats(-3, 3), st.floats(-9, 0.3), st.integers(0, 1))
def test_honest_between_the_grid_points(case, log_variance, log_gap, order):
    functions_, form = functions(CASES[case]), closed_form(as_activation(CASES[case]))
    order = min(order, form.orders - 1)
    variance = 10.0**log_variance
    gap = variance * 10.0**log_gap
    for (value, error), exact in zip(
        form.moments(order, variance, gap)[1:],
        [
            true(functions_[order], variance, gap),
            true(functions_[order], variance, 0) - true(functions_[order], variance, gap),
        ],
        strict=True,
    ):
        assert not np.isfinite(error) or distance(value, exact) <= error


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=1, max_size=6), st.floats(-3, 3), st.floats(-1, 1))
def test_polynomials(coefficients, log_variance, c):
    activation = Activation("polynomial", str(sympy.Poly(coefficients, u).as_expr()), ())
    variance = 10.0**log_variance
    gap = variance * (1 - c)
    value, error = closed_form(activation).moments(0, variance, gap)[1]
    with mpmath.workdps(60):
        exact = derive(activation).forward_st.subs(
            {q: sympy.Rational(variance), q_st: sympy.Rational(variance) - sympy.Rational(gap)}
        )
        assert distance(value, mpmath.mpf(sympy.N(exact, 60))) <= error


def test_scalars_and_arrays_agree():
    form = closed_form(as_activation("gelu"))
    variances, correlations = np.array([[0.5], [2.0]]), np.array([-1.0, 0.2, 1.0])
    grid = form.moments(0, variances, variances * (1 - correlations))
    assert [x.shape for pair in grid for x in pair] == [(2, 3)] * 6
    for i, j in np.ndindex(2, 3):
        one = form.moments(0, variances[i, 0], variances[i, 0] * (1 - correlations[j]))
        for k in range(3):
            assert float(one[k][0]) == pytest.approx(grid[k][0][i, j], rel=1e-14, abs=1e-16)


def test_gap_counts():
    """At 1 - c = 1e-20, which c cannot hold, the slope of the arc-cosine law still shows."""
    value, _ = closed_form(as_activation("step")).moments(0, 1.0, 1e-20)[1]
    assert 0.5 - float(value) == pytest.approx(np.sqrt(2e-20) / (2 * np.pi), rel=1e-5)


def test_overflow_is_no_number():
    form = closed_form(as_activation("exp"))
    value, error = form.moments(0, 1e3, 100.0)[1]
    assert np.isnan(value)
    assert error == np.inf
    square, product, gap = form.moments(0, 1e3, 10.0)
    assert np.isnan(square[0])
    assert gap[1] == product[1] == np.inf


@pytest.mark.parametrize("activation", ["tanh", "hardtanh", "elu", "silu"])
def test_none(activation):
    assert closed_form(as_activation(activation)) is None


def test_orders():
    with pytest.raises(ValueError, match=r"order: expected one of \[0\], got 1"):
        closed_form(as_activation("sign")).moments(1, 1.0, 0.5)
    with pytest.raises(ValueError, match=r"order: expected one of \[0, 1\], got 2"):
        closed_form(as_activation("relu")).moments(2, 1.0, 0.5)


def test_compiled_once():
    assert closed_form(as_activation("relu")) is closed_form(as_activation("relu"))
