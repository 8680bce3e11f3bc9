"""Streams: what a seed fixes, and what it doesn't depend on."""

import numpy as np
from numpy.random import SeedSequence

from empirical.backends import make_backend
from empirical.networks.layers.linear import DrawnLinear
from empirical.networks.passes import draw_network
from empirical.networks.streams import Source, describe_seed, draw_inputs
from meanfield.spec import Linear, Network

HOST = make_backend("numpy", "float64")
SOURCE = Source(SeedSequence(42), HOST)


def draw_layers(network, width, source):
    """The weight layers."""
    return [layer for layer in draw_network(network, width, source) if isinstance(layer, DrawnLinear)]


def test_layers_depend_only_on_their_own_shape():
    deep = draw_layers(Network(4, "tanh", 2.0, 0.5, 3), 16, SOURCE)
    flat = draw_layers(Network(2, "tanh", 2.0, 0.5, 16), 16, SOURCE)
    for a, b in zip(deep[:2], flat, strict=True):
        np.testing.assert_array_equal(a.weight, b.weight)
        np.testing.assert_array_equal(a.bias, b.bias)


def test_activations_draw_nothing():
    bare = draw_layers(Network.of([Linear(2.0, 0.5), Linear(2.0, 0.5)], 3), 16, SOURCE)
    dense = draw_layers(Network(2, "tanh", 2.0, 0.5, 3), 16, SOURCE)
    for a, b in zip(bare, dense, strict=True):
        assert a.number == b.number
        np.testing.assert_array_equal(a.weight, b.weight)


def test_fewer_inputs_are_the_first_of_more():
    np.testing.assert_array_equal(draw_inputs(5, 7, SOURCE), draw_inputs(9, 7, SOURCE)[:5])


def test_weights_and_biases_have_their_variances():
    layers = draw_layers(Network(2, "tanh", (3.0, 0.5), (0.64, 2.0), 900, (1.0, 2.0)), 600, SOURCE)
    for layer, weight_variance, bias_variance in zip(layers, (3.0, 0.5), (0.64, 2.0), strict=True):
        for array, variance in ((layer.weight, weight_variance / layer.weight.shape[1]), (layer.bias, bias_variance)):
            error = variance * (2.0 / array.size) ** 0.5  # standard error of a Gaussian's sample variance
            assert abs(np.mean(array**2) - variance) < 4 * error
            assert abs(np.mean(array)) < 4 * (variance / array.size) ** 0.5


def test_arrays_are_independent():
    layers = draw_layers(Network(3, "tanh", 1.0, 1.0, 40), 40, SOURCE)
    x = draw_inputs(40, 40, SOURCE)
    arrays = [x.ravel(), *(y.weight.ravel() for y in layers)]
    correlation = np.corrcoef(arrays)[np.triu_indices(4, 1)]
    assert abs(correlation).max() < 4 / np.sqrt(1600)


def test_a_seed_can_be_made_again_from_its_record():
    child = SeedSequence(7).spawn(3)[2]
    record = describe_seed(child)
    again = SeedSequence(record["entropy"], spawn_key=record["spawn_key"])
    assert (again.generate_state(4) == child.generate_state(4)).all()
