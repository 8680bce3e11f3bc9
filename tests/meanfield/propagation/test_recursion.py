"""Order parameters against extended-precision integrals, limits, and the tables of interpolants."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meanfield import Network, order_parameters
from meanfield.propagation.expectations import Found, Quadrature
from meanfield.propagation.recursion import MAPS, OrderParameters, _through, order_parameters_grid
from meanfield.propagation.state import Covariance, State
from meanfield.spec.activations import Activation

NETWORKS = json.loads((Path(__file__).parents[2] / "data" / "order_parameters.json").read_text())["networks"]
NAMES = ("q", "q_st", "forward", "forward_st", "backward", "backward_st")


def _network(row: dict[str, Any]) -> Network:
    return Network(
        depth=row["depth"],
        activation=row["activation"],
        weight_variance=[float(x) for x in row["weight_variance"]],
        bias_variance=[float(x) for x in row["bias_variance"]],
    )


@pytest.mark.parametrize("row", NETWORKS, ids=lambda r: r["name"])
def test_against_extended_precision(row: dict[str, Any]) -> None:
    """To 1e-12 of the variance-like quantity, and no worse than three times the stated error."""
    op = order_parameters(_network(row))
    for name in NAMES:
        values, truth = getattr(op, name), np.array(row[name], dtype=float)
        scale = np.array(row[name.removesuffix("_st")], dtype=float)
        error = float(np.max(np.abs(values - truth) / scale))
        assert error <= 1e-12 * max(1.0, row["depth"] / 10), name
        assert error <= 3 * op.error + 1e-14 * row["depth"], name
    decorrelation = np.array(row["one_minus_c"], dtype=float)
    np.testing.assert_allclose(op.q_gap / op.q, decorrelation, rtol=1e-8)  # relative: however small it gets


def test_theory_reference() -> None:
    """The figures of theory.md §8, typed from there."""
    op = order_parameters(Network(depth=3, activation="tanh", weight_variance=3.0, bias_variance=0.64))
    expected = {
        "q": [3.64, 2.501802577239459, 2.316833843256203],
        "q_st": [0.64, 0.917361643313353, 1.182852034239377],
        "forward": [1.0, 0.620600859079820, 0.558944614418734],
        "forward_st": [0.0, 0.092453881104451, 0.180950678079792],
        "backward": [0.762268050803542, 0.950419475760882, 1.0],
        "backward_st": [0.265714243275251, 0.608736651979935, 1.0],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(op, name), values, rtol=1e-12, atol=1e-12, err_msg=name)


def _arc_cosine(network: Network) -> tuple[list[float], list[float]]:
    """q_st and q̃_st of a relu network by the published arc-cosine kernels, written out here."""
    weight, bias = network.weight_variance, network.bias_variance
    h, h_st, q_st, slopes = 1.0, 0.0, [], []
    for i in range(network.depth):
        q, cov = weight[i] * h + bias[i], weight[i] * h_st + bias[i]
        theta = math.acos(cov / q)
        h, h_st = q / 2, q / (2 * math.pi) * (math.sin(theta) + (math.pi - theta) * math.cos(theta))
        q_st.append(cov)
        slopes.append((math.pi - theta) / (2 * math.pi))
    backward = [1.0]
    for i in range(network.depth - 2, -1, -1):
        backward.insert(0, backward[0] * weight[i + 1] * slopes[i])
    return q_st, backward


def test_relu_by_arc_cosine_kernels_with_variances_of_each_layer() -> None:
    network = Network(4, "relu", weight_variance=[2.0, 1.5, 1.8, 2.2], bias_variance=[0.1, 0.0, 0.3, 0.2])
    op = order_parameters(network)
    q_st, backward_st = _arc_cosine(network)
    np.testing.assert_allclose(op.q_st, q_st, rtol=1e-12)
    np.testing.assert_allclose(op.backward_st, backward_st, rtol=1e-12)


def test_linear_closed_form() -> None:
    """q̂^l = σ_w^{2l} + σ_b² Σ σ_w^{2k}, and q̃ = q̃_st = σ_w^{2(L-l)}."""
    op = order_parameters(Network(5, "linear", weight_variance=1.3, bias_variance=0.2))
    geometric = np.array([sum(1.3**k for k in range(l)) for l in range(5)])
    np.testing.assert_allclose(op.forward, 1.3 ** np.arange(5) + 0.2 * geometric, rtol=1e-13)
    np.testing.assert_allclose(op.forward_st, 0.2 * geometric, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(op.backward, 1.3 ** np.arange(4, -1, -1), rtol=1e-13)
    np.testing.assert_allclose(op.backward_st, op.backward, rtol=1e-13)


@settings(max_examples=15, deadline=None)
@given(weight=st.floats(0.2, 4.0), bias=st.floats(0.0, 2.0), depth=st.integers(1, 8))
def test_equal_layers_in_any_spelling(weight: float, bias: float, depth: int) -> None:
    short = order_parameters(Network(depth, "tanh", weight, bias))
    long = order_parameters(Network(depth, ["tanh"] * (depth - 1), [weight] * depth, [bias] * depth))
    for name in NAMES:
        np.testing.assert_array_equal(getattr(short, name), getattr(long, name))
    assert np.all(np.abs(short.q_st) <= short.q * (1 + 1e-12))


def test_first_layers_do_not_depend_on_later_ones() -> None:
    short, long = (order_parameters(Network(d, "tanh", 3.0, 0.64)) for d in (3, 6))
    np.testing.assert_array_equal(short.q, long.q[:3])


def test_chaotic_and_ordered_to_depth_1000() -> None:
    chaotic = order_parameters(Network(1000, "tanh", 2.0, 0.05))
    assert chaotic.q_st[-1] / chaotic.q[-1] == pytest.approx(chaotic.q_st[-50] / chaotic.q[-50], rel=1e-10)
    assert np.all(np.isfinite(chaotic.backward))
    ordered = order_parameters(Network(300, "tanh", 0.9, 0.3))
    rates = ordered.q_gap[-100:] / ordered.q_gap[-101:-1]
    np.testing.assert_allclose(rates, rates[-1], rtol=1e-6)  # 1 - c falls geometrically far below 1e-16
    assert 0 < ordered.q_gap[-1] < 1e-60


def test_uncorrelated_stays_uncorrelated_in_chaos() -> None:
    """An odd φ without biases: c = 0 is an unstable fixed point that rounding must not leave."""
    op = order_parameters(Network(1000, "tanh", 3.0, 0.0))
    assert np.all(op.q_st == 0.0)


def test_jumps_and_overflow_are_statuses() -> None:
    assert order_parameters(Network(3, "sign", 1.0)).status == "infinite"
    assert order_parameters(Network(8, "exp", 4.0)).status == "overflow"
    with pytest.raises(TypeError, match="network: expected a Network"):
        order_parameters("tanh")  # type: ignore[arg-type]


@pytest.mark.parametrize("activation", ["tanh", "silu"])
def test_grid_agrees_with_the_direct_path(activation: str) -> None:
    """Twelve networks, drawn by a fixed generator, to 1e-9 for each order parameter."""
    rng = np.random.default_rng(20)
    weight, bias = rng.uniform(0.5, 2.0, 12), rng.uniform(0.0, 1.0, 12)
    grid = order_parameters_grid(activation, 30, weight, bias)
    for i in range(12):
        _assert_point(grid, i, order_parameters(Network(30, activation, weight[i], bias[i])))


def _assert_point(grid: OrderParameters, i: int, direct: OrderParameters) -> None:
    for name in NAMES:
        # A table has 1e-300 for the variance 0.
        np.testing.assert_allclose(getattr(grid, name)[:, i], getattr(direct, name), 1e-9, 1e-290, err_msg=name)


def test_unbounded_growth_at_large_variances() -> None:
    """silu grows like relu: far out q̂ = q/2 to a relative order 1/√q."""
    op = order_parameters(Network(14, "silu", 12.0, 0.1))
    assert op.status == "ok"
    assert op.q[-1] > 1e9
    assert op.forward[-1] / op.q[-2] == pytest.approx(0.5, rel=10 / math.sqrt(op.q[-2]))


def test_grid_refuses_what_networks_refuse() -> None:
    with pytest.raises(ValueError, match="weight_variance"):
        order_parameters_grid("tanh", 3, [1.0, -1.0], 0.1)
    with pytest.raises(ValueError, match="jumps"):
        order_parameters_grid("step", 3, [1.0], 0.1)


def test_grid_at_variance_zero_is_the_direct_path() -> None:
    grid = order_parameters_grid("tanh", 3, [0.0, 1.0], [0.0, 0.0])
    assert grid.status == "ok"
    for i, weight in enumerate((0.0, 1.0)):
        _assert_point(grid, i, order_parameters(Network(3, "tanh", weight, 0.0)))


@pytest.mark.parametrize(
    ("weight", "bias", "words"),
    [([], [], "got none"), ([1, 2], [1, 2, 3], "broadcasts"), ("a", 1, "expected numbers"), ([1, -1], 0, "got -1")],
)
def test_grid_messages(weight: object, bias: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        order_parameters_grid("tanh", 3, weight, bias)  # type: ignore[arg-type]


class Off(Quadrature):
    """Every expectation of φφ off by a known part of the variance."""

    def __call__(self, activation: Activation, given: State) -> Found:
        found = super().__call__(activation, given)
        assert isinstance(found.feature, Covariance)
        own = 1e-6 * float(found.feature.same)
        feature = Covariance(found.feature.same + own, found.feature.other + own, found.feature.gap)
        errors = {"same_error": found.same_error + own, "other_error": found.other_error + own}
        return found._replace(feature=feature, **errors)


def _outputs(network: Network, source: Quadrature) -> State:
    state = State(Covariance(np.float64(1.0), np.float64(0.0), np.float64(1.0)), True)
    for layer in network.layers:
        state = MAPS[type(layer)](layer, source).forward(state)
    return state


@pytest.mark.parametrize("weight", [0.8, 3.0])
def test_the_error_that_is_carried_is_the_error_that_is_made(weight: float) -> None:
    """Of the variance to first order; of the covariance not less, and not much more (its slopes in both variances are
    taken to be those of the variance)."""
    network = Network(7, "tanh", weight, 0.3)
    true, off = _outputs(network, Quadrature()), _outputs(network, Off())
    same, other = (abs(float(b - a)) for a, b in zip(true.covariance[:2], off.covariance[:2], strict=True))
    assert float(off.same_error) == pytest.approx(same, rel=1e-3)
    assert 0.99 * other <= float(off.other_error) <= 2 * other


@pytest.mark.parametrize(("depth", "worst"), [(2, "q"), (12, "backward")])
def test_the_error_stated_is_no_less_than_the_worst_that_is_made(depth: int, worst: str) -> None:
    """The states of a network whose every expectation is off: at first the last variance, then the products back."""
    network, inputs = Network(depth, "tanh", 0.9, 0.3), Covariance(np.float64(1.0), np.float64(0.0), np.float64(1.0))

    def through(source: Quadrature) -> tuple[OrderParameters, float]:
        states, error = _through([MAPS[type(layer)](layer, source) for layer in network.layers], State(inputs, True))
        return OrderParameters(states), error

    (true, least), (off, error) = through(Quadrature()), through(Off())
    made = {name: np.max(np.abs(getattr(off, name) / getattr(true, name) - 1)) for name in ("q", "backward")}
    assert least < 1e-10
    assert max(made, key=made.__getitem__) == worst
    assert 0.999 * made[worst] <= error < 20 * made[worst]
