"""Traces at given inputs: exact where nothing is random, equal in the mean where theory says so, bounded elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from empirical import measure
from empirical.record import Measurement
from meanfield.spec import FIM, NTK, Metric, Network
from verify.asking.inputs import Inputs
from verify.asking.records import Cell, Sample
from verify.judging.pairing import Pair
from verify.judging.traces import Traces, traces

X = np.random.default_rng(5).normal(size=(6, 3)) * [2.0, 1.0, 0.3]
TOTAL = float(np.trace(X.T @ X) / len(X))
NETWORKS = 300


def pairs_of(network: Network, width: int, metrics: tuple[Metric, ...] = (FIM(),), networks: int = 1) -> list[Pair]:
    cell = Cell(network, width, len(X), metrics, Inputs("x", "x", X, "x"))
    found = [measure(cell.drawn, metrics, width=width, inputs=X, seed=s, spectrum="moments") for s in range(networks)]
    return [_pair(cell, metric, [of_network[i] for of_network in found]) for i, metric in enumerate(metrics)]


def _pair(cell: Cell, metric: Metric, found: list[Measurement]) -> Pair:
    samples = tuple(Sample(float(m.mean), float(m.second_moment), np.nan, (), m.dimension) for m in found)
    return Pair(cell, metric, None, "", samples, tuple(m.order_parameters for m in found), "leading", None)


def one_of(*arguments: Any, **options: Any) -> Traces:
    (found,) = traces(pairs_of(*arguments, **options))
    return found


def test_the_trace_of_a_linear_map_is_that_of_the_data() -> None:
    found = one_of(Network(1, [], 0.7, outputs=4), 3)
    assert found.input_trace == pytest.approx(TOTAL)
    assert found.measured.value == pytest.approx(4 * TOTAL)
    assert found.expected == pytest.approx(4 * TOTAL)


def test_without_biases_relu_has_the_trace_of_the_equality_in_the_mean() -> None:
    """By hand: C (σ_w²/2)² M_{l-1}/d tr Σ_x of each layer, whose bias parameters weigh as much as the weights."""
    metrics = (FIM(layer=1), FIM(layer=2), FIM(layer=3), FIM())
    found = traces(pairs_of(Network(3, "relu", 1.6, outputs=2), 5, metrics, networks=NETWORKS))
    of_layers = 2 * 0.8**2 * np.array([3, 5, 5]) / 3 * TOTAL
    for one, expected in zip(found, [*of_layers, of_layers.sum()], strict=True):
        assert one.expected == pytest.approx(expected)
        assert abs(one.measured.value - expected) < 4 * one.measured.standard_error
        assert one.measured.standard_error < 0.1 * expected
        assert one.ratio.value == pytest.approx(one.measured.value / expected)


def test_the_bound_holds_for_every_network_of_a_wide_law_and_is_the_one_by_hand() -> None:
    network = Network(3, "tanh", 1.5, outputs=2)
    found = one_of(network, 40, networks=5)
    assert np.isnan(found.expected)
    norms = np.sqrt(1.5) * (1 + np.sqrt([40 / 3, 1, 2 / 40]))
    by_hand = 2 * TOTAL * sum(np.prod(np.delete(norms, l) ** 2) for l in range(3))
    assert found.bound == pytest.approx(by_hand, rel=1e-6)  # the steepest slope of tanh is 1
    (pair,) = pairs_of(network, 40, networks=5)
    for sample, own in zip(pair.samples, pair.order_parameters, strict=True):
        assert own is not None
        assert sample.mean * sample.dimension - 2 * own.backward.sum() <= found.bound


def test_the_bound_of_a_steeper_activation_knows_its_slope() -> None:
    plain, steep = (one_of(Network(2, f"leaky_relu({a})", 1.5), 6).bound for a in (0.5, 3.0))
    assert steep == pytest.approx(9 * plain, rel=1e-6)


@pytest.mark.parametrize(
    ("network", "metric"),
    [
        (Network(2, "relu", 1.5, 0.1), FIM()),
        (Network(2, "relu", 1.5), NTK()),
        (Network(2, "relu", 1.5), FIM(centered=True)),
        (Network(2, "relu", 1.5, outputs=2), FIM(loss="cross_entropy")),
        (Network(2, "softplus", 1.5), FIM()),
    ],
)
def test_elsewhere_nothing_is_said(network: Network, metric: Metric) -> None:
    assert traces(pairs_of(network, 6, (metric,))) == ()
