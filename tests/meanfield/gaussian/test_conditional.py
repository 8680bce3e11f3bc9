"""Moments of φ at a given common part: against adaptive quadrature, closed forms and the order parameters."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr

from meanfield import Network, activation_names, order_parameters
from meanfield.gaussian.conditional import ConditionalMoments, conditional_moments
from meanfield.spec.activations import as_activation

Q, GAP = 1.7, 0.9
SMOOTH_ENOUGH = [n for n in activation_names() if n not in ("step", "sign", "exp")]


def moments(name: str, q: float = Q, gap: float = GAP) -> ConditionalMoments:
    return conditional_moments(as_activation(name), q, gap)


@pytest.mark.parametrize("name", SMOOTH_ENOUGH)
def test_averages_are_order_parameters(name: str) -> None:
    """E_z of the moments is what the recursion integrates in two dimensions by other rules."""
    network = Network(3, name, 1.3, 0.2)
    op = order_parameters(network)
    f = moments(name, float(op.q[1]), float(op.q_gap[1]))
    assert f.error <= 1e-10
    assert f.average(f.square) == pytest.approx(op.forward[2], rel=1e-10)
    assert f.average(f.mean**2) == pytest.approx(op.forward_st[2], rel=1e-10, abs=1e-14)
    assert 1.3 * f.average(f.slope_square) == pytest.approx(op.backward[1], rel=1e-10)
    assert 1.3 * f.average(f.slope**2) == pytest.approx(op.backward_st[1], rel=1e-10)


@pytest.mark.parametrize("name", ["tanh", "gelu", "hardtanh", "elu"])
@pytest.mark.parametrize("place", [0.25, 0.5, 0.7])
def test_against_adaptive_quadrature(name: str, place: float) -> None:
    f = moments(name)
    i = int(place * len(f.z))
    a, tau = as_activation(name), GAP
    phi, slope = a.function(), a.function(order=1)
    points = sorted(-(f.common * f.z[i] - b) / math.sqrt(tau) for b in a.breakpoints or ())

    def mean(g):
        def integrand(xi: float) -> float:
            u = np.array([f.common * f.z[i] + math.sqrt(tau) * xi])
            return float(g(u)[0]) * math.exp(-xi * xi / 2) / math.sqrt(2 * math.pi)

        ends = [-9.5, *[p for p in points if abs(p) < 9.5], 9.5]
        return sum(quad(integrand, x, y, epsabs=1e-13, limit=200)[0] for x, y in itertools.pairwise(ends))

    m, z = mean(phi), mean(slope)
    assert f.mean[i] == pytest.approx(m, abs=1e-10)
    assert f.slope[i] == pytest.approx(z, abs=1e-10)
    for (j, k), values in f.central.items():
        assert values[i] == pytest.approx(mean(lambda u, j=j, k=k: (phi(u) - m) ** j * (slope(u) - z) ** k), abs=1e-9)


def test_bend_of_relu() -> None:
    """E[φ''] is the density at the kink."""
    f = moments("relu")
    t = f.common * f.z / math.sqrt(GAP)
    np.testing.assert_allclose(f.slope, ndtr(t), atol=1e-12)
    np.testing.assert_allclose(f.bend, np.exp(-t * t / 2) / math.sqrt(2 * math.pi * GAP), atol=1e-12)


@pytest.mark.parametrize("name", ["tanh", "relu", "softplus"])
def test_derivatives_are_differences(name: str) -> None:
    """By τ at a fixed common part, and by that part at fixed τ (nodes of z as its multiples)."""
    step, common = 1e-4, math.sqrt(Q - GAP)
    names = ("square", "mean", "slope_square", "slope")
    f = moments(name)
    up, down = moments(name, Q + step, GAP + step), moments(name, Q - step, GAP - step)
    assert len(up.z) == len(f.z) == len(down.z)
    for row, key in zip(f.by_tau, names, strict=True):
        np.testing.assert_allclose(row, (getattr(up, key) - getattr(down, key)) / (2 * step), atol=2e-6)
    wide = moments(name, GAP + (common * (1 + step)) ** 2, GAP)
    narrow = moments(name, GAP + (common * (1 - step)) ** 2, GAP)
    for row, key in zip(f.by_shift, names, strict=True):
        slope = (getattr(wide, key) - getattr(narrow, key)) / (2 * step)
        np.testing.assert_allclose(row * f.z * common, slope, atol=2e-6)


@pytest.mark.parametrize(
    ("name", "variances"),
    [("relu", (0.1, 1.0)), ("relu", (0.001, 0.1)), ("hardtanh", (0.1, 1.0)), ("tanh", (30, 1000))],
)
def test_samples_almost_alike(name: str, variances: tuple[float, float]) -> None:
    """All that depends on z happens within √(τ/q_st) of a kink, or near 0: the nodes crowd there."""
    op = order_parameters(Network(3, name, *variances))
    for l in (1, 2):
        f = moments(name, float(op.q[l - 1]), float(op.q_gap[l - 1]))
        assert f.error <= 1e-10
        assert f.average(f.mean**2) == pytest.approx(op.forward_st[l], rel=1e-10)
        below = variances[0] * f.average(f.slope**2) * op.backward_st[l]
        assert below == pytest.approx(op.backward_st[l - 1], rel=1e-10)


def test_error_says_what_is_not_resolved() -> None:
    """exp at a large variance: more than rounding lies beyond the outermost node."""
    op = order_parameters(Network(3, "exp", 1.0, 0.2))
    f = moments("exp", float(op.q[1]), float(op.q_gap[1]))
    assert abs(f.average(f.square) / op.forward[2] - 1) > 1e-7
    assert f.error > 1e-8


def test_no_common_part() -> None:
    f = moments("erf", Q, Q)
    np.testing.assert_array_equal(f.z, [0.0])
    assert f.mean[0] == pytest.approx(0, abs=1e-15)
    assert f.square[0] == pytest.approx(2 / math.pi * math.asin(2 * Q / (1 + 2 * Q)), rel=1e-11)
