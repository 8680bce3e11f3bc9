"""Gaussian moments against the mpmath table, asked twice: is the value accurate, and is the error estimate honest?"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from meanfield.gaussian.mean import gaussian_mean, variance_slope
from meanfield.gaussian.moments import gaussian_moments
from meanfield.spec.activations import as_activation

TRUTH = json.loads((Path(__file__).parents[2] / "data" / "gaussian_expectations.json").read_text())["activations"]
GOAL = 1e-10  # error relative to E[φ²], for q in [1e-3, 1e3] and all c
HONEST = 1 / 3  # the estimate may not be smaller than this part of the error
ROUNDING = 1e-14  # below which honesty isn't asked, relative to E[φ²]
SMALL = ("tanh", "silu", "relu", "elu")


def _name(name: str) -> str:
    """The registered name; the table's parametric activations stand at the registry's defaults."""
    return name


def _finite(text: str) -> bool:
    return text not in ("inf", "-inf", "nan") and abs(float(text)) < 1e300


def _cases(name: str) -> list[tuple[float, float, int, float, float]]:
    """(q, gap, order, E[φ²], E[φφ]) with φ' and its moments for order 1."""
    rows: list[tuple[float, float, int, float, float]] = []
    for case in TRUTH[name]["cases"]:
        q = float(case["q"])
        for order, (square, product) in enumerate((("phi2", "phi_phi"), ("dphi2", "dphi_dphi"))):
            for pair in case["pairs"]:
                values: list[Any] = [case[square][0], pair[product][0]]
                if all(map(_finite, values)):
                    rows.append((q, q * float(pair["gap"]), order, float(values[0]), float(values[1])))
    return rows


@pytest.mark.parametrize("name", sorted(TRUTH))
def test_accurate_and_honest_over_the_table(name: str) -> None:
    activation = as_activation(_name(name))
    cases = _cases(name)
    assert cases
    for q, gap, order, square, product in cases:
        m = gaussian_moments(activation, q, gap, order)
        where = f"{name}, q = {q}, gap = {gap}, order {order}"
        assert m.status == "ok", where
        for value, truth, estimate in ((m.square, square, m.square_error), (m.product, product, m.product_error)):
            error = abs(value - truth)
            assert error <= GOAL * square, where
            assert estimate >= HONEST * error or error <= ROUNDING * square, where


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("q", [0.1, 3.0, 100.0])
def test_gap_keeps_its_digits(name: str, q: float) -> None:
    """For almost equal inputs the gap is gap_in · E[φ'²] up to the bend of φ' (Price), however small it is."""
    activation = as_activation(name)
    slope = gaussian_moments(activation, q, 0.0, 1).square
    for small in (1e-12, 1e-18, 1e-24, 1e-40):
        m = gaussian_moments(activation, q, small * q)
        bend = gaussian_moments(activation, q, small * q, 1).gap
        assert m.gap == pytest.approx(small * q * slope, rel=2 * bend / slope + 1e-8 + m.gap_error / m.gap)


@settings(max_examples=30, deadline=None)
@given(
    name=st.sampled_from(["tanh", "silu", "erf", "softplus", "gelu"]),
    q=st.floats(1e-2, 30.0),
    c=st.floats(0.0, 1.0),
)
def test_invariants(name: str, q: float, c: float) -> None:
    activation = as_activation(name)
    m = gaussian_moments(activation, q, q * (1 - c))
    slack = 1e-9 * m.square
    assert abs(m.product) <= m.square + slack
    assert m.square == pytest.approx(m.product + m.gap, abs=slack)
    higher = gaussian_moments(activation, q, q * (1 - c) / 2)
    assert higher.product >= m.product - slack  # E[φφ] grows with c for c >= 0 (Mehler)


@settings(max_examples=20, deadline=None)
@given(name=st.sampled_from(["tanh", "silu", "elu"]), q=st.floats(0.1, 10.0), c=st.floats(0.05, 0.9))
def test_price(name: str, q: float, c: float) -> None:
    """∂E[φφ]/∂q_st = E[φ'φ'] by central differences, whose error is of order h²."""
    activation = as_activation(name)
    h = 1e-4 * q
    gap = q * (1 - c)
    up, down = (gaussian_moments(activation, q, gap - s * h).product for s in (1, -1))
    slope = gaussian_moments(activation, q, gap, 1)
    assert (up - down) / (2 * h) == pytest.approx(slope.product, abs=1e-5 * slope.square)


def test_jump_has_no_backward_moment() -> None:
    m = gaussian_moments(as_activation("step"), 1.0, 0.5, 1)
    assert m.status == "infinite"
    assert math.isinf(m.square)


def test_overflow_is_a_status() -> None:
    assert gaussian_moments(as_activation("exp"), 1e5, 1e4).status == "overflow"


def test_uncorrelated_odd_is_exactly_zero() -> None:
    assert gaussian_moments(as_activation("tanh"), 2.3, 2.3).product == 0.0


@pytest.mark.parametrize(("q", "gap"), [(-1.0, 0.0), (math.nan, 0.0), (math.inf, 0.0), (1.0, 2.1), (1.0, -1e-9)])
def test_bad_input(q: float, gap: float) -> None:
    with pytest.raises(ValueError, match=r"expected .* got"):
        gaussian_moments(as_activation("tanh"), q, gap)


@pytest.mark.parametrize("name", ["tanh", "relu", "gelu", "softplus"])
def test_variance_slope_is_the_derivative(name: str) -> None:
    activation, q, h = as_activation(name), 1.7, 1e-4
    up, down = (gaussian_moments(activation, q + s * h, 0.0).square for s in (1, -1))
    assert variance_slope(activation, q)[0] == pytest.approx((up - down) / (2 * h), rel=1e-7)


def test_mean_of_relu() -> None:
    value, error = gaussian_mean(as_activation("relu"), 2.0, as_activation("relu").function())
    assert value == pytest.approx(math.sqrt(2.0 / (2 * math.pi)), abs=max(3 * error, 1e-15))
    assert np.isfinite(error)


def test_a_bump_that_the_pair_misses_is_seen_by_the_single_input() -> None:
    """exp(-10⁵ (u - 1)²) is narrower than the pair's first grids: the two squares disagree, and the result says so."""
    u = sympy.Symbol("u")
    m = gaussian_moments(as_activation(sympy.tanh(u) + sympy.exp(-100000 * (u - 1) ** 2)), 1.5, 0.75, 1)
    assert m.square == pytest.approx(92.9009931846746, rel=1e-9)  # composite Gauss-Legendre around the bump
    assert abs(m.product - 0.30211475) <= m.product_error


@pytest.mark.parametrize("name", ["sqrt(u)", "log(u)"])
def test_what_does_not_converge_says_so_soon(name: str) -> None:
    u = sympy.Symbol("u")
    expression = {"sqrt(u)": sympy.sqrt(sympy.Abs(u)), "log(u)": sympy.log(sympy.Abs(u))}[name]
    with np.errstate(divide="ignore"):
        assert gaussian_moments(as_activation(expression), 1.0, 0.5, 1).status != "ok"


def test_too_large_a_grid_gives_a_coarser_value_with_its_error() -> None:
    u = sympy.Symbol("u")
    m = gaussian_moments(as_activation(sympy.tanh(50 * u)), 30.0, 15.0)
    assert m.product == pytest.approx(1 / 3, abs=1e-3)  # 2/π arcsin ½ for a step; tanh(50 u) is off it by O(1/50√q)
    assert m.product_error <= 1e-8
