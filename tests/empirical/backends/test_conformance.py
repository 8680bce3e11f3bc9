"""One algorithm, several libraries: every statistic on each of them against the dense Jacobian.

array-api-strict has only what the array API has, and its second device refuses arrays of the first: what passes there
keeps host and device apart. torch's meta device has shapes but no numbers: a hidden float() or bool() fails there.
"""

import array_api_strict
import numpy as np
import pytest
import scipy.special
import torch
from numpy.random import SeedSequence

from empirical.backends import make_backend
from empirical.backends.base import Backend
from empirical.backends.torch import TorchBackend
from empirical.dual.gram import Drawn, dual_blocks
from empirical.dual.implicit import DualOperator
from empirical.dual.lanczos import largest_pairs
from empirical.dual.plan import Plan
from empirical.dual.projection import Projection
from empirical.dual.routes import take
from empirical.dual.statistics import Scope
from empirical.networks.layers.linear import DrawnLinear
from empirical.networks.passes import draw_network as draw_layers
from empirical.networks.passes import forward
from empirical.networks.streams import Source
from meanfield.spec import FIM, NTK, InputMetric, Network
from meanfield.spec.activations import activation_names, as_activation

METRICS = [FIM(), NTK(loss="cross_entropy"), InputMetric(centered=True), FIM(2, "cross_entropy", True)]


class StrictBackend(Backend):
    """array-api-strict on its second device."""

    name = "strict"

    def __init__(self, precision):
        super().__init__(array_api_strict, array_api_strict.Device("device1"), precision)

    def host(self, array):
        return np.asarray(array.to_device(array_api_strict.Device("CPU_DEVICE")), dtype=np.float64)

    def erf(self, x):
        return self.asarray(scipy.special.erf(self.host(x)))


MAKE = {
    "numpy": lambda precision: make_backend("numpy", precision),
    "strict": StrictBackend,
    "torch": lambda precision: make_backend("torch", precision),
}


def dense_plan(samples):
    return Plan("dense", samples, 99, 0, 0.0)


@pytest.mark.parametrize("name", ["strict", "torch"])  # NumPy's is in test_measurement.py
def test_every_metric_is_that_of_its_definition(case, draw_network, name):
    network, width, samples, seed, dense, metrics = case
    drawn = draw_network(network, width, samples, seed, MAKE[name]("float64"))
    with drawn.backend.strict():
        results, _ = take(dense_plan(samples), metrics, drawn, Scope("full", False))
    for result in results:
        tensor, dimension = dense.tensor(result.metric)
        expected = np.linalg.eigvalsh(tensor)[::-1]
        np.testing.assert_allclose(result.mean, np.trace(tensor) / dimension, rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(result.second_moment, np.sum(tensor**2) / dimension, rtol=1e-10, atol=1e-14)
        close = {"rtol": 0, "atol": max(1e-10 * expected[0], result.floor)}
        np.testing.assert_allclose(result.eigenvalues, expected[: len(result.eigenvalues)], **close)


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("route", ["blocks", "probes"])
def test_implicit_routes_agree_with_numpy(draw_network, name, route):
    network = Network(3, ("tanh", "relu"), 2.0, 0.3, outputs=3)
    plan = Plan(route, 7, 99, 0, 0.0)
    reference, found = (
        take(plan, METRICS, draw_network(network, 12, 20, 3, MAKE[n]("float64")), Scope("extremes", True))[0]
        for n in ("numpy", name)
    )
    for a, b in zip(reference, found, strict=True):
        np.testing.assert_allclose([b.mean, b.second_moment, b.largest], [a.mean, a.second_moment, a.largest], 1e-10)
        np.testing.assert_allclose(b.outliers, a.outliers, rtol=1e-10)
        assert b.vectors.shape == a.vectors.shape


@pytest.mark.parametrize("name", MAKE)
def test_weights_are_equal_to_the_last_bit(draw_network, name):
    network = Network(3, "tanh", 3.0, 0.64, outputs=3)
    drawn = draw_network(network, 10, 6, 4, MAKE[name]("float64"))
    reference = draw_network(network, 10, 6, 4)
    for a, b in zip(drawn.passed.weights, reference.passed.weights, strict=True):
        assert isinstance(a.drawn, DrawnLinear)
        np.testing.assert_array_equal(drawn.backend.host(a.drawn.weight), b.drawn.weight)
        np.testing.assert_array_equal(drawn.backend.host(a.drawn.bias), b.drawn.bias)


@pytest.mark.parametrize("name", MAKE)
def test_float32_agrees_with_float64_to_its_precision(draw_network, name):
    network = Network(3, "tanh", 3.0, 0.64, outputs=3)
    for metric in METRICS:
        double, single = (
            take(dense_plan(20), [metric], draw_network(network, 40, 20, 4, MAKE[name](p)), Scope("extremes", False))
            for p in ("float64", "float32")
        )
        np.testing.assert_allclose(single[0][0].mean, double[0][0].mean, rtol=1e-5)
        np.testing.assert_allclose(single[0][0].outliers, double[0][0].outliers, rtol=1e-4)


@pytest.mark.parametrize("name", MAKE)
def test_lanczos_agrees_with_lapack(name):
    backend = MAKE[name]("float64")
    x = np.random.default_rng(0).standard_normal((90, 60)) * np.geomspace(10, 0.1, 60)
    matrix = backend.gram(backend.asarray(x))
    found = largest_pairs(lambda v: matrix @ v, 90, 5, backend)
    np.testing.assert_allclose(found.values, np.linalg.eigvalsh(x @ x.T)[::-1][:5], rtol=1e-8)


@pytest.mark.parametrize("name", MAKE)
def test_gram_is_a_symmetric_product(name):
    backend = MAKE[name]("float64")
    x = np.random.default_rng(0).standard_normal((600, 5))  # more rows than one slab of the generic algorithm
    product = backend.host(backend.gram(backend.asarray(x)))
    np.testing.assert_allclose(product, x @ x.T, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(product, product.T)


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("activation", activation_names())
def test_activations_are_numpys(activation, name):
    backend, phi = MAKE[name]("float64"), as_activation(activation)
    u = np.linspace(-4, 4, 33)
    for order in (0, 1):
        found = backend.host(phi.function(backend.functions, order)(backend.asarray(u)))
        np.testing.assert_allclose(found, phi.function(order=order)(u), rtol=1e-13, atol=1e-13)


class Zeros(Source):
    """No numbers at all."""

    def normal(self, role, layer, shape, deviation=1.0):
        return self.backend.zeros(shape)


def test_nothing_looks_at_numbers_before_the_end():
    """On the meta device at M = 4096: shapes, dtype and device of everything, without a number."""
    backend = TorchBackend("float32", "meta")
    network, samples = Network(3, ("relu", "tanh"), 2.0, 0.1, outputs=10), 64
    layers = draw_layers(network, 4096, Zeros(SeedSequence(0), backend))
    passed = forward(layers, backend.zeros((samples, 4096)), backend)
    drawn = Drawn(passed, backend)
    sums = {}
    arrays = [*(w.overlaps for w in passed.weights), passed.logits]
    for dual in dual_blocks(METRICS, drawn, passed, passed, sums):
        dual.matrix = Projection(dual.metric, passed.logits, backend).dual(dual.matrix)
        assert dual.matrix.shape == (10, samples, 10, samples)
        arrays += [dual.matrix, dual.trace]
    arrays += [s.overlaps(samples) for s in sums.values()]
    for metric in METRICS:
        operator = DualOperator(metric, drawn)
        vectors = operator(backend.zeros((10 * samples, 2)))
        rows = operator.pull_back(backend.zeros((10 * samples, 2)))
        assert vectors.shape == (10 * samples, 2)
        assert rows.shape[0] == 2
        arrays += [vectors, rows]
    assert {(a.device.type, a.dtype) for a in arrays} == {("meta", torch.float32)}
    with pytest.raises((RuntimeError, NotImplementedError)):
        backend.host(arrays[0])  # so that the test can fail


def test_tf32_and_autocast_are_off_and_the_users_settings_come_back():
    convolution = torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            with make_backend("torch", "float32").strict():
                assert torch.get_float32_matmul_precision() == "highest"
                assert not torch.backends.cudnn.allow_tf32
                assert not torch.is_grad_enabled()
                assert not torch.is_autocast_enabled("cpu")
            assert torch.is_autocast_enabled("cpu")
        assert torch.get_float32_matmul_precision() == "high"
        assert torch.backends.cudnn.allow_tf32
    finally:
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.allow_tf32 = convolution


def test_device_streams_are_another_network_with_the_same_law():
    from empirical import measure

    network = Network(2, "relu", 2.0, 0.1, outputs=3)
    host, device, again = (
        measure(network, FIM(), width=60, samples=30, backend="torch", rng=r) for r in ("host", "device", "device")
    )
    assert host.mean != device.mean == again.mean
    assert device.provenance["rng"] == "device"
    other = measure(network, FIM(), width=60, samples=30, backend="torch", rng="device", seed=1)
    assert other.mean != device.mean


def test_torch_out_of_memory_is_known():
    backend = MAKE["torch"]("float64")
    with pytest.raises(RuntimeError) as caught:
        backend.zeros((2**25, 2**25))
    assert backend.is_out_of_memory(caught.value)
    assert not backend.is_out_of_memory(RuntimeError("expected a matrix"))
