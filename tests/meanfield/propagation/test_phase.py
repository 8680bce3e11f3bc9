"""Fixed points, the edge of chaos and depth scales against published lines and the recursion itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad

from meanfield import Network, order_parameters
from meanfield.propagation.edge import critical_line, edge_of_chaos
from meanfield.propagation.initialisations import INITIALISATIONS, initialisation
from meanfield.propagation.phase import phase_diagram


def _gaussian(function: object, q: float) -> float:
    density = lambda z: math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)  # noqa: E731
    return quad(lambda z: function(math.sqrt(q) * z) * density(z), -9, 9, epsabs=1e-12, limit=200)[0]  # type: ignore[operator]


def test_tanh_edge_is_the_published_one() -> None:
    """Schoenholz et al. 2017 place it at σ_w² ≈ 1.76 for σ_b² = 0.05; χ_1 = 1 is checked by SciPy's quadrature."""
    weight = float(edge_of_chaos("tanh", 0.05))
    assert weight == pytest.approx(1.76, abs=0.005)
    q = float(phase_diagram("tanh", weight, 0.05).variance)
    assert weight * _gaussian(lambda u: math.tanh(u) ** 2, q) + 0.05 == pytest.approx(q, rel=1e-9)
    assert weight * _gaussian(lambda u: (1 - math.tanh(u) ** 2) ** 2, q) == pytest.approx(1.0, rel=1e-8)


def test_edge_without_biases_is_the_slope_at_zero() -> None:
    assert float(edge_of_chaos("tanh", 0.0)) == pytest.approx(1.0, rel=1e-9)
    assert float(edge_of_chaos("erf", 0.0)) == pytest.approx(math.pi / 4, rel=1e-9)


def test_relu_critical_line_is_two() -> None:
    np.testing.assert_allclose(edge_of_chaos("relu", [0.0, 0.1, 2.0]), 2.0, rtol=1e-9)
    diagram = phase_diagram("relu", [1.0, 2.5], 0.1)
    assert list(diagram.phase) == ["ordered", "unbounded"]
    assert diagram.variance[0] == pytest.approx(0.2, rel=1e-10)  # 2 σ_b²/(2 - σ_w²)
    assert diagram.chi[0] == pytest.approx(0.5, rel=1e-10)


@pytest.mark.parametrize(("weight", "bias"), [(0.8, 0.3), (1.5, 0.05), (2.0, 0.05), (3.0, 0.64)])
def test_fixed_points_and_depth_scales_are_those_of_a_deep_network(weight: float, bias: float) -> None:
    diagram = phase_diagram("tanh", weight, bias)
    depth = int(30 * diagram.correlation_depth)  # exp(-30) = 1e-13 of the way is left
    op = order_parameters(Network(depth, "tanh", weight, bias))
    c = 1 - op.q_gap / op.q
    assert op.q[-1] == pytest.approx(float(diagram.variance), rel=1e-11)
    assert c[-1] == pytest.approx(float(diagram.correlation), abs=1e-10)
    # decay of 1 - c (ordered) or c - c* (chaotic) per layer, where it is neither rounding nor still bending
    distance = np.abs(op.q_gap / op.q - float(diagram.decorrelation))
    settled = np.flatnonzero((distance < 1e-4) & (distance > 1e-7))
    rate = np.log(distance[settled[0]] / distance[settled[-1]]) / (settled[-1] - settled[0])
    assert 1 / rate == pytest.approx(float(diagram.correlation_depth), rel=1e-2)
    excess = np.abs(op.q - float(diagram.variance))
    near = np.flatnonzero((excess < 1e-4) & (excess > 1e-9))
    rate = np.log(excess[near[0]] / excess[near[-1]]) / (near[-1] - near[0])
    assert 1 / rate == pytest.approx(float(diagram.variance_depth), rel=1e-2)


def test_phases_across_the_edge() -> None:
    edge = float(edge_of_chaos("tanh", 0.1))
    diagram = phase_diagram("tanh", [0.99 * edge, edge, 1.01 * edge], 0.1)
    assert list(diagram.phase) == ["ordered", "edge", "chaotic"]
    assert diagram.correlation[0] == 1.0
    assert diagram.correlation[2] < 1.0
    assert math.isinf(diagram.correlation_depth[1])


def test_without_variance_the_correlation_is_undefined() -> None:
    diagram = phase_diagram("tanh", 0.5, 0.0)
    assert diagram.variance == 0.0
    assert math.isnan(diagram.correlation)
    assert diagram.chi == pytest.approx(0.5, rel=1e-9)


def test_initialisations() -> None:
    assert initialisation("he", "relu") == (2.0, 0.0)
    assert initialisation("he", "leaky_relu(0.2)")[0] == pytest.approx(2 / 1.04)
    assert initialisation("lecun", "tanh") == initialisation("xavier", "tanh") == (1.0, 0.0)
    assert initialisation("critical", "relu") == (pytest.approx(2.0), 0.0)
    assert set(INITIALISATIONS) == {"he", "lecun", "xavier", "torch", "critical"}
    with pytest.raises(ValueError, match="initialisation: expected one of he"):
        initialisation("orthogonal", "relu")
    assert initialisation("kaiming", "relu") == initialisation("he", "relu")
    for name in ("torch", "pytorch", "default"):
        assert initialisation(name, "tanh", 0.01) == (pytest.approx(1 / 3), 0.01)
    with pytest.raises(ValueError, match=r"did you mean kaiming"):
        initialisation("kaming", "relu")
    with pytest.raises(
        ValueError,
        match=r"edge of chaos at σ_b² = 0, got gelu: .*runs away; the variance stays bounded up to σ_w² = 2\.15506",
    ):
        initialisation("critical", "gelu")


@pytest.mark.parametrize(("weight", "bias"), [(-1.0, 0.0), (1.0, math.nan)])
def test_bad_variances(weight: float, bias: float) -> None:
    with pytest.raises(ValueError, match=r"variance: expected finite numbers"):
        phase_diagram("tanh", weight, bias)


@pytest.mark.parametrize(
    ("activation", "weight", "bias"),
    [("relu", 2.0, 0.5), ("linear", 1.0, 0.5), ("softplus", 2.0, 0.0), ("exp", 1.0, 0.0), ("exp", 4.0, 0.5)],
)
def test_a_variance_that_grows_without_bound_is_infinite(activation: str, weight: float, bias: float) -> None:
    """relu, linear: q grows by σ_b² a layer; softplus: E[φ²] > q/2; exp: σ_w² e^{2q} > q everywhere."""
    diagram = phase_diagram(activation, weight, bias)
    assert diagram.variance == math.inf
    assert diagram.phase == "unbounded"


def test_edges_in_closed_form() -> None:
    """σ_w² = 1/E[φ'²] and σ_b² = q - E[φ²]/E[φ'²] solved by hand: sin has q - tanh(q), at σ_w² = 2/(1 + exp(-2q))."""
    q = np.array([0.3, 1.0, 2.5])
    np.testing.assert_allclose(edge_of_chaos("sin", q - np.tanh(q)), 2 / (1 + np.exp(-2 * q)), rtol=1e-9)
    assert edge_of_chaos("elu", 0.0) == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("k", [1, 30, 100])
def test_a_narrow_sine_has_its_fixed_point(k: int) -> None:
    """q* = (1 - exp(-2k²q*))/2 + σ_b², which is .55, and χ₁ = k²/2 to rounding; 1 - c* follows from c q = σ_b²."""
    diagram = phase_diagram(f"sin({k}*u)", 1.0, 0.05)
    q = float(diagram.variance)
    assert q == pytest.approx((1 - math.exp(-2 * k**2 * q)) / 2 + 0.05, rel=1e-10)
    assert float(diagram.chi) == pytest.approx(k**2 * (1 + math.exp(-2 * k**2 * q)) / 2, rel=1e-9)
    assert (diagram.status, diagram.error < 1e-8) == ("ok", True)


def test_a_broken_power_answers_at_once() -> None:
    diagram = phase_diagram("Abs(u)**1.5", np.linspace(0.1, 2, 5), 0.1)
    assert list(diagram.phase[[0, -1]]) == ["ordered", "unbounded"]


def test_what_is_not_followed_is_unknown_and_says_so() -> None:
    """q* of 2000 tanh(u) is 5998045 by mpmath: bounded, above what is followed. And c* beyond the table of pairs."""
    far = phase_diagram("2000*tanh(u)", 1.5, 0.1)
    assert (far.phase, np.isnan(far.variance)) == ("unknown", True)
    assert "settles above 1e6" in str(far)
    grid = phase_diagram("20*tanh(u)", np.linspace(1.5, 2.0, 17), 0.1)
    assert set(grid.phase) == {"chaotic"}
    assert np.isnan(grid.correlation).all()
    assert "not known where χ_1 > 1 at a q* beyond 256" in str(grid)


def test_a_few_points_are_known_at_any_variance() -> None:
    """c* = 5.0299e-4 by nested quadrature; the table of pairs ends at q = 256."""
    found = phase_diagram("20*tanh(u)", 1.5, 0.1)
    assert found.variance == pytest.approx(580.24, rel=1e-5)
    assert found.correlation == pytest.approx(5.0299e-4, rel=1e-4)


@pytest.mark.parametrize("name", ["tanh", "sin"])
def test_points_one_by_one_are_those_of_the_table(name: str) -> None:
    weights = np.linspace(2.0, 4.0, 20)
    grid = phase_diagram(name, weights, 0.1)
    few = phase_diagram(name, weights[::5], 0.1)
    np.testing.assert_allclose(few.decorrelation, grid.decorrelation[::5], rtol=1e-6)
    np.testing.assert_allclose(few.correlation_depth, grid.correlation_depth[::5], rtol=1e-5)


def test_a_map_that_falls_before_it_grows_is_iterated_and_not_jumped_over() -> None:
    """5 exp(-u²) + u³/30: E[φ²] = 25/√(1+4q) + q³/60, which runs away from q = 0.628 and has a fixed point at 4.58."""
    assert phase_diagram("5*exp(-u**2) + u**3/30", 0.628, 0.0).variance == math.inf
    line = critical_line("5*exp(-u**2) + u**3/30", 0.0)
    assert np.isnan(line.largest_bounded)
    assert "stays bounded" not in line.why_none(0)
