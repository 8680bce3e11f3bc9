"""Activations with broken powers, whose moments are known: E|u|^p = (2q)^{p/2} Γ((p + 1)/2)/√π."""

from __future__ import annotations

import math

import pytest

from meanfield.gaussian.moments import gaussian_moments
from meanfield.spec.activations import Activation


def _absolute(p: float, q: float) -> float:
    return (2 * q) ** (p / 2) * math.gamma((p + 1) / 2) / math.sqrt(math.pi)


@pytest.mark.parametrize("q", [1e-3, 1.0, 30.0])
@pytest.mark.parametrize("power", [0.75, 1.25, 1.5, 2.5])
def test_squares_of_powers(power: float, q: float) -> None:
    phi = Activation("power", f"Abs(u)**{power}")
    value, slope = (gaussian_moments(phi, q, 0.3 * q, order) for order in (0, 1))
    assert value.square == pytest.approx(_absolute(2 * power, q), rel=1e-12)
    exact = power**2 * _absolute(2 * power - 2, q)
    assert abs(slope.square - exact) <= 3 * slope.square_error + 1e-14 * exact
    assert slope.square_error <= 1e-5 * exact
    assert value.status == "ok"


def test_independent_powers_have_the_squared_mean() -> None:
    """Just off q_st = 0 the pair's rule serves, whose product must agree with (E|u|^1.5)² there."""
    phi = Activation("power", "Abs(u)**1.5")
    assert gaussian_moments(phi, 1.0, 1 - 1e-12).product == pytest.approx(_absolute(1.5, 1.0) ** 2, rel=1e-11)


def test_a_logarithm() -> None:
    """E[log²|u|] at q = 1: π²/8 + (γ + log 2)²/4."""
    euler = 0.57721566490153286
    exact = math.pi**2 / 8 + (euler + math.log(2)) ** 2 / 4
    assert gaussian_moments(Activation("log", "log(Abs(u))"), 1.0, 0.5).square == pytest.approx(exact, rel=1e-10)
