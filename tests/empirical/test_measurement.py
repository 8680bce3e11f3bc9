"""`measure` against the metric's definition, and its contract."""

import dataclasses
import hashlib

import numpy as np
import pytest
from numpy.random import SeedSequence

from empirical import Measurement, measure
from meanfield.spec import FIM, NTK, InputMetric, Network

NET = Network(3, "tanh", 3.0, 0.64, outputs=4)


def test_every_metric_is_that_of_its_definition(case):
    network, width, samples, seed, dense, metrics = case
    results = measure(network, metrics, width=width, samples=samples, seed=seed, spectrum="full")
    for metric, result in zip(metrics, results, strict=True):
        tensor, dimension = dense.tensor(metric)
        expected = np.linalg.eigvalsh(tensor)[::-1]
        assert result.metric == metric
        assert result.dimension == dimension
        np.testing.assert_allclose(result.mean, np.trace(tensor) / dimension, rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(result.second_moment, np.sum(tensor**2) / dimension, rtol=1e-10, atol=1e-14)
        # A centred metric may be zero, as that of the inputs of a single layer is: hence the floor.
        close = {"rtol": 0, "atol": max(1e-10 * expected[0], result.floor)}
        np.testing.assert_allclose(result.largest, expected[0], **close)
        found = result.eigenvalues
        np.testing.assert_allclose(found, expected[: len(found)], **close)
        np.testing.assert_allclose(expected[len(found) :], 0, **close)
        count = 0 if metric.centered else network.outputs - (metric.loss == "cross_entropy")
        np.testing.assert_allclose(result.outliers, found[:count], **close)


def test_moments_and_extremes_agree_with_the_full_spectrum():
    metrics = [FIM(), NTK(layer=2), InputMetric(loss="cross_entropy"), FIM(centered=True)]
    by = {s: measure(NET, metrics, width=16, samples=9, seed=3, spectrum=s) for s in ("moments", "extremes", "full")}
    for few, some, full in zip(*by.values(), strict=True):
        assert (few.mean, few.second_moment) == (full.mean, full.second_moment) == (some.mean, some.second_moment)
        assert np.isnan(few.largest)
        assert few.outliers.size == 0
        assert few.eigenvalues is None
        assert some.eigenvalues is None
        np.testing.assert_allclose(some.largest, full.largest, rtol=1e-12)
        np.testing.assert_allclose(some.outliers, full.outliers, rtol=1e-12)
        np.testing.assert_allclose(full.eigenvalues.sum(), full.mean * full.dimension, rtol=1e-12)


def test_order_parameters_are_those_of_the_network(case):
    network, width, samples, seed, dense, _ = case
    found = measure(network, FIM(), width=width, samples=samples, seed=seed).order_parameters
    features = dense.jacobian(InputMetric(layer=0))  # only to see that ∂f/∂h^0 = δ^1 W^1
    hs, us = dense.entering()

    def pairs(x):
        product = x @ x.T
        return np.trace(product) / samples, (product.sum() - np.trace(product)) / (samples * (samples - 1))

    np.testing.assert_allclose(list(zip(found.q, found.q_st, strict=True)), [pairs(u / len(u[0]) ** 0.5) for u in us])
    expected = [pairs(x / len(x[0]) ** 0.5) for x in hs]
    np.testing.assert_allclose(list(zip(found.forward, found.forward_st, strict=True)), expected)
    # ∂f/∂b^l = δ^l, so the biases' Jacobian is the backward signal.
    for l in range(1, network.depth + 1):
        delta = dense.jacobian(FIM(layer=l))[:, :, -dense.biases[l - 1].shape[0] :]
        same, cross = np.mean([pairs(delta[:, k]) for k in range(network.outputs)], axis=0)
        np.testing.assert_allclose([found.backward[l - 1], found.backward_st[l - 1]], [same, cross], rtol=1e-10)
    np.testing.assert_allclose(
        features, dense.jacobian(FIM(layer=1))[:, :, -dense.weights[0].shape[0] :] @ dense.weights[0].numpy()
    )


def test_one_sample_has_no_pairs():
    result = measure(NET, FIM(), width=8, samples=1)
    for name in ("q_st", "forward_st", "backward_st"):
        assert np.isnan(getattr(result.order_parameters, name)).all()
    assert np.isfinite(result.mean)


def test_given_inputs_are_used():
    x = np.random.default_rng(5).standard_normal((7, 8))
    given = measure(NET, NTK(), width=8, inputs=x, seed=1)
    assert given.samples == 7
    np.testing.assert_allclose(given.order_parameters.forward[0], np.mean(x**2))
    drawn = measure(NET, NTK(), width=8, samples=7, seed=1)
    assert given.mean != drawn.mean
    digest = hashlib.sha256(x.tobytes()).hexdigest()
    assert given.provenance["inputs"] == {"kind": "given", "shape": [7, 8], "sha256": digest}
    assert drawn.provenance["inputs"] == {"kind": "gaussian", "shape": [7, 8]}


def test_one_metric_gives_a_measurement_and_a_sequence_a_list():
    one = measure(NET, "fim", width=8, samples=4)
    many = measure(NET, [FIM(), {"family": "ntk", "layer": 2}], width=8, samples=4)
    assert isinstance(one, Measurement)
    assert [m.metric for m in many] == [FIM(), NTK(layer=2)]
    assert one.mean == many[0].mean
    assert dataclasses.is_dataclass(one)


def test_seed_is_an_integer_or_a_seed_sequence():
    a = measure(NET, FIM(), width=8, samples=4, seed=9)
    b = measure(NET, FIM(), width=8, samples=4, seed=SeedSequence(9))
    child = measure(NET, FIM(), width=8, samples=4, seed=SeedSequence(9, spawn_key=(1,)))
    assert a.mean == b.mean != child.mean
    assert child.provenance["seed"] == {"entropy": 9, "spawn_key": [1]}


def test_float32_agrees_to_its_precision():
    double = measure(NET, FIM(), width=64, samples=20, spectrum="extremes")
    single = measure(NET, FIM(), width=64, samples=20, spectrum="extremes", dtype="float32")
    np.testing.assert_allclose(single.mean, double.mean, rtol=1e-5)
    np.testing.assert_allclose(single.outliers, double.outliers, rtol=1e-5)
    assert single.floor > 1e6 * double.floor


def test_a_network_that_overflows_says_so():
    with pytest.raises(ArithmeticError, match="finite"):
        measure(Network(4, "exp", 400.0, 0.0), FIM(), width=8, samples=4)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"network": "tanh"}, TypeError, "network: expected a Network, got str"),
        ({"metric": "fisher"}, ValueError, "metric: expected one of"),
        ({"metric": 3}, TypeError, "metric: expected"),
        ({"metric": FIM(layer=4)}, ValueError, r"layer: expected 1\.\.3"),
        ({"network": Network(2, "relu", 2.0), "metric": FIM(loss="cross_entropy")}, ValueError, "outputs: expected"),
        ({"width": 0}, ValueError, "width: expected an integer of at least 1, got 0"),
        ({"samples": 0}, ValueError, "samples: expected an integer of at least 1, got 0"),
        ({"samples": None}, ValueError, "samples: expected a number where no inputs are given, got none"),
        ({"seed": 1.5}, TypeError, "seed: expected an integer or a SeedSequence, got 1.5"),
        ({"seed": -1}, ValueError, "seed: expected"),
        ({"metric": []}, ValueError, "metric: expected at least one"),
        ({"backend": "jax"}, ValueError, "backend: expected one such as"),
        ({"backend": "torch:xyz"}, ValueError, "backend: expected one such as"),
        ({"backend": "torch:meta"}, ValueError, "backend: expected one such as"),
        ({"backend": "cupy:first"}, ValueError, "backend: expected one such as"),
        ({"dtype": "float16"}, ValueError, "dtype: expected one of"),
        ({"spectrum": "half"}, ValueError, "spectrum: expected one of"),
        ({"inputs": np.zeros((4, 0))}, ValueError, r"inputs: expected shape \(N, d\)"),
        ({"inputs": np.full((4, 8), np.nan)}, ValueError, "inputs: expected finite"),
        ({"inputs": np.zeros((3, 8))}, ValueError, "samples: expected 3"),
        ({"inputs": "x"}, TypeError, "inputs: expected an array"),
        ({"inputs": np.zeros((4, 8)) + 1j}, TypeError, "inputs: expected an array"),
    ],
)
def test_bad_input_gets_one_line(change, error, words):
    good = {"network": NET, "metric": FIM(), "width": 8, "samples": 4}
    asked = good | change
    with pytest.raises(error, match=words) as caught:
        measure(asked.pop("network"), asked.pop("metric"), **asked)
    assert "\n" not in str(caught.value)
