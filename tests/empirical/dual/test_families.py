"""The table of families."""

import numpy as np
import pytest

from empirical import measure
from empirical.dual.families import FAMILIES, Family, family_of
from empirical.dual.gram import dimension, dual_blocks
from empirical.dual.implicit import DualOperator
from empirical.networks.layers import DRAW
from empirical.networks.layers.base import PREACTIVATION
from empirical.provenance import code_hash
from meanfield.spec import FIM, LOSSES, METRICS, NTK, InputMetric, Layer, Linear, Network
from meanfield.spec.layers import LAYERS


def test_both_sides_know_the_same_metrics_and_layers():
    assert set(FAMILIES) == set(METRICS)
    assert set(DRAW) == set(LAYERS.values())


def test_a_layer_type_that_cannot_be_drawn_is_refused_in_a_sentence():
    class Unknown(Layer):
        kind = "unknown"

    network = Network.of([Unknown(), Linear(1.0)])
    for ask in (lambda: measure(network, FIM(), width=4, samples=3), lambda: code_hash([network], [FIM()], "numpy")):
        with pytest.raises(ValueError, match=r"^layers: expected those that can be drawn \(linear, .*\), got Unknown$"):
            ask()


def test_the_oracle_knows_every_family_and_loss(definitions):
    families, losses = definitions
    assert (set(families), set(losses)) == (set(METRICS), set(LOSSES))


class Parted(FIM):
    """Weights and biases with coefficients of their own."""

    family = "parted"


@pytest.mark.parametrize("coefficients", [(1.0, 0.0), (0.0, 1.0), (0.25, 9.0)])
@pytest.mark.parametrize("layer", [None, 2])
def test_only_what_a_family_weighs_is_held_and_pulled_back(monkeypatch, draw_network, dense, coefficients, layer):
    network, (a, b) = Network(3, "tanh", 2.0, 0.3, outputs=2), coefficients
    monkeypatch.setitem(FAMILIES, "parted", Family(PREACTIVATION, lambda layer, entering: coefficients, True, False))
    drawn, metric = draw_network(network, 8, 6, 11), Parted(layer)
    blocks = dense.draw(network, 8, 6, 11).derivatives([(1.0, 1.0)] * 3)
    weighed = [
        blocks[kind, l].numpy() * c**0.5
        for l in ([1, 2, 3] if layer is None else [layer])
        for kind, c in (("weight", a), ("bias", b))
        if c
    ]
    jacobian = np.concatenate(weighed, axis=2)
    flat = jacobian.transpose(1, 0, 2).reshape(12, -1)  # output-major
    assert dimension(metric, drawn) == flat.shape[1]
    pulled = DualOperator(metric, drawn).pull_back(np.eye(12))
    np.testing.assert_allclose(pulled, flat / 6**0.5, rtol=0, atol=1e-12 * abs(flat).max())
    dual = dual_blocks([metric], drawn, drawn.passed, drawn.passed)[0].matrix.reshape(12, 12)
    np.testing.assert_allclose(dual, flat @ flat.T / 6, rtol=0, atol=1e-12 * abs(flat).max() ** 2 * 12)


def test_the_ntk_of_a_network_without_biases_stays_on_outputs_and_samples(draw_network):
    assert dimension(NTK(), draw_network(Network(3, "tanh", 2.0, 0.0, outputs=2), 8, 6, 11)) == 12


@pytest.mark.parametrize(
    ("metric", "pair", "dimension"),
    [(FIM(), (0.2, 0.2), 7), (NTK(), (0.25, 0.5), 15), (InputMetric(), (0.0, 0.2), 7)],
)
def test_coefficients_and_dimension_are_those_of_the_definition(metric, pair, dimension):
    row = family_of(metric)
    assert row.coefficients(Linear(3.0, 0.5), entering=12, samples=5) == pair
    assert row.dimension(held=7, order=15) == dimension
