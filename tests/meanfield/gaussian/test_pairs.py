"""Pairs of unequal variances: against mpmath, published closed forms and quadrature, and each error asked: honest?"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray

from meanfield.gaussian.near import Lone, NearTable, near_rule
from meanfield.gaussian.pairs import PairExpectations, pair_expectations
from meanfield.gaussian.unequal import pair_by_quadrature
from meanfield.spec.activations import as_activation

Floats = NDArray[np.float64]

TRUTH = json.loads((Path(__file__).parents[2] / "data" / "gaussian_expectations.json").read_text())["activations"]
GOAL = 1e-10  # of √(E[F(u)²] E[F(v)²]), what the issue asks
ROUNDING = 3e-15  # below which honesty isn't asked
VARIANCES = np.array([1e-3, 0.04, 0.9, 1.1, 7.0, 60.0, 1e3])
ANGLES = [1e-7, 1e-3, 0.05, 0.3, 1.0, 1.5707963, 2.2, 3.0, 3.14159]
CLOSED = ("relu", "erf", "gelu", "sin", "abs", "leaky_relu", "cos", "squared_relu", "gaussian", "linear")
SMOOTH = ("tanh", "silu", "softplus")


def _mp_pair(name: str, order: int, q_s: float, q_t: float, b: float) -> float:
    """The published closed forms (Cho & Saul 2009, Williams 1997) in 50 digits."""
    with mpmath.workdps(50):
        s, t, c = (mpmath.mpf(x) for x in (q_s, q_t, b))
        rho = c / mpmath.sqrt(s * t)
        angle = mpmath.acos(min(max(rho, -1), 1))
        if name == "relu" and order == 0:
            return float(mpmath.sqrt(s * t) / (2 * mpmath.pi) * (mpmath.sin(angle) + (mpmath.pi - angle) * rho))
        if name == "relu":
            return float((mpmath.pi - angle) / (2 * mpmath.pi))
        root = mpmath.sqrt((1 + 2 * s) * (1 + 2 * t))
        if order == 0:
            return float(2 / mpmath.pi * mpmath.asin(2 * c / root))
        return float(4 / mpmath.pi / mpmath.sqrt(root**2 - 4 * c**2))


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("name", ["relu", "erf"])
def test_published_closed_forms_from_collinear_to_opposite(name: str, order: int) -> None:
    unit = np.sqrt(np.outer(VARIANCES, VARIANCES))
    squares = np.array([_mp_pair(name, order, q, q, q) for q in VARIANCES])
    for angle in ANGLES:
        b = unit * math.cos(angle)
        found = pair_expectations(name, VARIANCES, VARIANCES, b, order)
        truth = np.array([[_mp_pair(name, order, s, t, x) for t, x in zip(VARIANCES, row, strict=True)]
                          for s, row in zip(VARIANCES, b, strict=True)])  # fmt: skip
        scale = np.sqrt(np.outer(squares, squares))
        assert found.status == "ok"
        assert np.all(np.abs(found.value - truth) <= GOAL * scale)
        assert np.all(np.abs(found.value - truth) <= 3 * found.error + ROUNDING * scale)


def test_a_covariance_one_rounding_below_collinear_keeps_its_angle() -> None:
    """θ = 1e-8 is all rounding in 1 - ρ; the determinant in twice the digits has it."""
    b = 2.0 * math.cos(3e-8)
    found = pair_expectations("relu", [1.0], [4.0], [[b]], 1)
    assert abs(found.value[0, 0] - _mp_pair("relu", 1, 1.0, 4.0, b)) < 1e-16


def _cases(name: str) -> list[tuple[float, float, int, float, float]]:
    rows = []
    for case in TRUTH[name]["cases"]:
        for order, (square, product) in enumerate((("phi2", "phi_phi"), ("dphi2", "dphi_dphi"))):
            for pair in case["pairs"]:
                values: list[Any] = [float(case[square][0]), float(pair[product][0])]
                if all(math.isfinite(x) and abs(x) < 1e300 for x in values):
                    rows.append((float(case["q"]), float(pair["gap"]), order, *values))
    return rows


@pytest.mark.parametrize(
    "name", ["relu", "gelu", "softplus", *(pytest.param(x, marks=pytest.mark.slow) for x in ("tanh", "silu"))]
)
def test_equal_variances_against_the_mpmath_table(name: str) -> None:
    """Gaps of the table run down to collinear pairs, which at large variance need the table in θ."""
    for q, gap, order, square, product in _cases(name):
        if q * gap > 0 and gap < 1e-9:  # the covariance, a float, doesn't know such a gap
            continue
        pairs = PairExpectations(as_activation(name), order, np.array([q, q]))
        value, error = pairs.products(slice(0, 1), slice(1, 2), np.array([[q - q * gap]]))
        off = abs(value[0, 0] - product)
        slack = abs(q - (q - q * gap) - q * gap) + 1e-16 * q  # of the covariance itself
        allowed = ROUNDING * square + slack * _slope(name, order, q)
        assert off <= GOAL * square + allowed
        assert off <= 3 * error[0, 0] + allowed, (q, gap, order)


def _slope(name: str, order: int, q: float) -> float:
    """A bound on how the product grows with the covariance, by Price: E[F'²], of a kink at its steepest."""
    if order and as_activation(name).kinks:
        return 1e8
    return pair_by_quadrature(as_activation(name), min(order + 1, 2), q, q, 1.0, 0.0)[0]


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("name", [*CLOSED, *SMOOTH])
def test_unequal_variances_against_quadrature(name: str, order: int) -> None:
    """What Mehler and the closed forms give, from q = 1e-3 to 60, against an integral over both preactivations."""
    phi, q = as_activation(name), VARIANCES[:-1]
    unit = np.sqrt(np.outer(q, q))
    scales = np.array([math.sqrt(pair_by_quadrature(phi, order, x, x, 1.0, 0.0)[0]) for x in q])
    for angle in ANGLES[2:-1]:
        found = pair_expectations(name, q, q, unit * math.cos(angle), order)
        for i, j in ((0, 3), (1, 5), (5, 2)):
            truth, known = pair_by_quadrature(phi, order, q[i], q[j], math.cos(angle), math.sin(angle))
            if not math.isfinite(truth):
                continue  # too wide for the lattice, and no near pair
            off, scale = abs(found.value[i, j] - truth), scales[i] * scales[j]
            assert off <= GOAL * scale + known
            assert off <= 3 * found.error[i, j] + known + ROUNDING * scale


@pytest.mark.parametrize("order", [0, 1])
def test_nearly_collinear_pairs_of_large_variance_come_from_a_table(order: int) -> None:
    phi, q = as_activation("tanh"), np.geomspace(150.0, 250.0, 40)
    pairs = PairExpectations(phi, order, q)
    theta = np.linspace(0.0, 0.02, 40)
    b = np.sqrt(np.outer(q, q)) * np.cos(theta)
    value, error = pairs.products(slice(0, 40), slice(0, 40), b)
    for i, j in ((0, 39), (3, 20), (39, 5), (12, 1)):
        scale = math.sqrt(pairs.squares[i] * pairs.squares[j])
        truth, known = pair_by_quadrature(phi, order, q[i], q[j], math.cos(theta[j]), math.sin(theta[j]))
        slack = 1e-15 * b[i, j] * 4  # of the covariance, times E[φ''²] < 1
        assert abs(value[i, j] - truth) <= 3 * error[i, j] + known + slack
        assert error[i, j] <= GOAL * scale


def test_a_table_is_not_made_where_kinks_lie_beside_zero() -> None:
    q = np.array([0.5, 2.0])
    lone = Lone(as_activation("hardtanh"), 0, q, np.ones(2), 1)
    assert near_rule(lone, 0.2) is lone


@pytest.mark.slow
@pytest.mark.parametrize("sign", [1, -1])
def test_a_table_of_a_kink_at_zero(sign: int) -> None:
    phi, q = as_activation("elu"), np.geomspace(0.5, 2.0, 30)
    scales = np.array([math.sqrt(pair_by_quadrature(phi, 1, x, x, 1.0, 0.0)[0]) for x in q])
    lone = Lone(phi, 1, q, scales, sign)
    table = near_rule(lone, 0.15)
    assert isinstance(table, NearTable)
    rows, columns, theta = np.array([0, 4, 29, 11]), np.array([29, 5, 0, 10]), np.array([0.0, 1e-4, 0.07, 0.15])
    value, error = table.products(rows, columns, theta)
    truth, known = lone.products(rows, columns, theta)
    assert np.all(np.abs(value - truth) <= error + known)
    assert np.all(error <= GOAL)


def test_kinked_pairs_beside_each_other_and_opposite() -> None:
    """hardtanh has no closed form: far pairs by Mehler, near ones each by itself."""
    q, phi = np.array([0.7, 1.9]), as_activation("hardtanh")
    for angle in (0.0, 0.01, 0.6, 2.0, 3.1):
        b = math.sqrt(0.7 * 1.9) * math.cos(angle)
        found = pair_expectations(phi, q[:1], q[1:], [[b]], 1)
        truth, known = pair_by_quadrature(phi, 1, 0.7, 1.9, math.cos(angle), math.sin(angle))
        slack = 1e-7 if angle == 0 else 1e-15  # of θ, where the covariance is all that is known
        assert abs(found.value[0, 0] - truth) <= 3 * found.error[0, 0] + known + slack
        assert found.status == "ok"


def test_the_same_input_has_its_square() -> None:
    q = np.array([0.3, 2.0, 5.0])
    for name in ("elu", "tanh", "relu"):
        pairs = PairExpectations(as_activation(name), 1, q)
        value, _ = pairs.products(slice(0, 3), slice(0, 3), np.sqrt(np.outer(q, q)) * np.array(0.5) + 0.5 * np.diag(q))
        np.testing.assert_allclose(np.diag(value), pairs.squares, rtol=1e-14)


def test_a_preactivation_that_is_zero() -> None:
    found = pair_expectations("softplus", [0.0, 1.0], [0.0, 1.0], [[0.0, 0.0], [0.0, 1.0]])
    at_zero, mean = math.log(2), float(np.sum(np.log1p(np.exp(_NODES)) * _WEIGHTS))
    np.testing.assert_allclose(found.value[0], [at_zero**2, at_zero * mean], rtol=1e-12)


_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(120)
_WEIGHTS = _WEIGHTS / math.sqrt(2 * math.pi)


def test_infinite_and_overflowing_moments_say_so() -> None:
    assert pair_expectations("sign", [1.0], [2.0], [[0.5]], 1).status == "infinite"
    huge = pair_expectations("exp", [900.0], [900.0], [[899.0]])
    assert huge.status == "overflow"
    assert np.all(np.isinf(huge.error))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([1.0], [1.0], [[2.0]]), r"covariances: expected \|q_st\|"),
        (([1.0], [1.0], [1.0]), "covariances: expected the shape"),
        (([-1.0], [1.0], [[0.0]]), "variances: expected"),
    ],
)
def test_what_is_no_covariance_is_refused(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        pair_expectations("tanh", *arguments)


def test_a_function_that_vanishes_at_small_variance_takes_nothing_from_the_others() -> None:
    """E[F²] of max(u - 1, 0) is 0 at q = 1e-3 to all digits."""
    found = pair_expectations("Max(u - 1, 0)", [2.0, 1e-3], [2.0, 1.0], [[1.0, 0.5], [0.0, 0.0]])
    phi = as_activation("Max(u - 1, 0)")
    truth, known = pair_by_quadrature(phi, 0, 2.0, 2.0, 0.5, math.sqrt(0.75))
    assert found.status == "ok"
    assert abs(found.value[0, 0] - truth) <= 3 * found.error[0, 0] + known
    assert np.all(found.value[1] < 1e-100)
