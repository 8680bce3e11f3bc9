"""Sequences of layers other than the dense one: the recursion and the kernel ask each layer."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from meanfield import FIM, NTK, InputMetric, Network, order_parameters, predict, spectrum
from meanfield.propagation.recursion import MAPS
from meanfield.spec import LAYERS, Activate, Layer, LayerState, Linear, Metric

STACKED = Network.of([Linear(2.0, 0.3), Linear(0.7, 0.1), Activate("tanh"), Linear(1.5, 0.2)], outputs=3)
THE_SAME = Network(3, ["linear", "tanh"], [2.0, 0.7, 1.5], [0.3, 0.1, 0.2], outputs=3)


def test_every_layer_type_has_a_map() -> None:
    assert set(MAPS) == set(LAYERS.values())


def test_two_linear_layers_in_a_row_are_those_with_the_identity_between() -> None:
    stacked, with_identity = order_parameters(STACKED), order_parameters(THE_SAME)
    for name in (f.name for f in fields(LayerState)):
        np.testing.assert_allclose(getattr(stacked, name), getattr(with_identity, name), rtol=1e-13, err_msg=name)


METRICS = [FIM(), FIM(layer=2), NTK(), InputMetric(), InputMetric(layer=1), FIM(centered=True)]


@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_predictions_too(metric: Metric) -> None:
    stacked, with_identity = (predict(n, metric, width=[100, 300], samples=40) for n in (STACKED, THE_SAME))
    for name in ("mean", "second_moment", "outliers", "dimension"):
        np.testing.assert_allclose(getattr(stacked, name), getattr(with_identity, name), rtol=1e-12, err_msg=name)
    assert stacked.exponents == with_identity.exponents


def test_an_activation_of_gaussian_inputs_needs_no_layer_below() -> None:
    """E φ(x)² at variance 1; the inputs themselves are then Activate's, not a weight layer's."""
    first = order_parameters(Network.of([Activate("relu"), Linear(2.0, 0.5), Activate("tanh"), Linear(1.0)]))
    assert first.forward[0] == pytest.approx(0.5, rel=1e-14)
    assert first.forward_st[0] == pytest.approx(1 / (2 * np.pi), rel=1e-14)  # (E max(x, 0))²
    assert first.q[0] == pytest.approx(1.5, rel=1e-14)


def test_an_activation_of_given_inputs_is_refused() -> None:
    """They are whatever they are: E φφ of a Gaussian would be another number."""
    first = Network.of([Activate("relu"), Linear(2.0, 0.3), Activate("tanh"), Linear(1.2, 0.1)], outputs=2)
    assert np.isfinite(predict(first, FIM(), width=512, samples=64).largest)
    for given in ("fixed", np.eye(64)):
        with pytest.raises(ValueError, match=r"^layers: expected Gaussian units .* to enter relu, got others"):
            predict(first, FIM(), width=512, samples=64, inputs=given)


def test_an_activation_of_an_activation_is_refused() -> None:
    twice = Network.of([Linear(1.0), Activate("relu"), Activate("tanh"), Linear(1.0)])
    with pytest.raises(ValueError, match=r"^layers: expected Gaussian units .* to enter tanh, got others"):
        order_parameters(twice)


def test_what_knows_dense_networks_only_refuses_others() -> None:
    with pytest.raises(ValueError, match=r"^network: expected a fully connected one .* for the refined order"):
        predict(STACKED, FIM(), width=100, samples=40, order="refined")
    with pytest.raises(ValueError, match=r"^network: expected a fully connected one .* for the whole spectrum"):
        spectrum(STACKED, FIM(), width=100, samples=40)


def test_a_network_is_integrated_once() -> None:
    network = Network(3, "gelu", 1.2345, 0.678)
    assert order_parameters(network) is order_parameters(Network(3, "gelu", 1.2345, 0.678))
    assert order_parameters(network) is not order_parameters(network, overlap=0.5)


def test_a_layer_type_without_a_map_is_refused_in_a_sentence() -> None:
    class Unknown(Layer):
        kind = "unknown"

    message = r"^layers: expected those that theory has a map for \(linear, activate.*\), got Unknown$"
    with pytest.raises(ValueError, match=message):
        predict(Network.of([Unknown(), Linear(1.0)]), FIM(), width=4, samples=3)
