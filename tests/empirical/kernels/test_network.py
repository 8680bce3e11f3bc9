"""Kernels of random networks, entry by entry against the dense Jacobian of torch's autograd."""

import dataclasses
import subprocess
import sys

import array_api_strict
import numpy as np
import pytest
import scipy.special
import torch

from empirical import empirical_diagonal, empirical_kernel, measure, plan_kernel
from empirical.backends.base import Backend
from empirical.kernels.layouts import LAYOUTS
from meanfield.spec import FIM, NTK, InputMetric, Network

NET = Network(3, ("tanh", "relu"), (1.5, 2.0, 0.7), (0.2, 0.0, 0.5), 3, (0.5, 1.5, 1.0))
BARE = [FIM(), NTK(), InputMetric(), FIM(1), NTK(3), InputMetric(0), InputMetric(2)]


class StrictBackend(Backend):
    """array-api-strict on its second device: nothing but the array API, and no hidden transfer."""

    name = "strict"

    def __init__(self, precision):
        super().__init__(array_api_strict, array_api_strict.Device("device1"), precision)

    def host(self, array):
        return np.asarray(array.to_device(array_api_strict.Device("CPU_DEVICE")), dtype=np.float64)

    def erf(self, x):
        return self.asarray(scipy.special.erf(self.host(x)))


def close(found, expected, tolerance=1e-10):
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * abs(expected).max())


@pytest.mark.parametrize("outputs", LAYOUTS)
def test_every_metric_of_every_network(case, definition, definitions, outputs):
    """In blocks of 4, of which the last has 2 samples."""
    network, width, samples, seed, dense, metrics = case
    for metric in (m for m in metrics if m.loss == "mse" and not m.centered):
        scale = 1 / samples if definitions[0][metric.family].averaged else 1.0
        expected = definition(outputs, dense.jacobian(metric), scale=scale)
        for block in (None, 4):
            found = empirical_kernel(
                network, dense.inputs.numpy(), metric=metric, outputs=outputs, width=width, seed=seed, block=block
            )
            close(found.values, expected)
            np.testing.assert_array_equal(found.values, LAYOUTS[outputs].mirrored(found.values))
            assert found.divisor == round(1 / scale)
            assert len(found.axes) == found.values.ndim


@pytest.mark.parametrize("outputs", LAYOUTS)
@pytest.mark.parametrize(("backend", "dtype"), [("numpy", "float64"), ("torch", "float64"), ("torch", "float32")])
def test_two_sets_of_samples(dense, definition, definitions, outputs, backend, dtype):
    left, right = (dense.draw(NET, 8, n, 5) for n in (7, 5))
    right = dataclasses.replace(right, inputs=torch.randn(5, 4, dtype=torch.float64) * 1.7)
    for metric in BARE:
        scale = 1 / 7 if definitions[0][metric.family].averaged else 1.0
        expected = definition(outputs, left.jacobian(metric), right.jacobian(metric), scale)
        for block in (3, 16):
            found = empirical_kernel(
                NET, left.inputs.numpy(), right.inputs.numpy(), metric, outputs=outputs, width=8, seed=5,
                backend=backend, dtype=dtype, block=block,
            )  # fmt: skip
            assert found.values.dtype == dtype
            close(found.values, expected, 1e-10 if dtype == "float64" else 2e-5)
            assert bool(found.warnings) == (scale != 1)


@pytest.mark.parametrize("outputs", LAYOUTS)
def test_nothing_but_the_array_api(monkeypatch, dense, definition, outputs):
    monkeypatch.setattr("empirical.kernels.network.make_backend", lambda name, dtype: StrictBackend(dtype))
    drawn = dense.draw(NET, 8, 7, 5)
    expected = definition(outputs, drawn.jacobian(NTK()))
    found = empirical_kernel(NET, drawn.inputs.numpy(), outputs=outputs, width=8, seed=5, block=3, memory=10**8)
    close(found.values, expected)


def test_the_whole_matrix_has_the_metrics_eigenvalues():
    x = np.random.default_rng(2).standard_normal((9, 6))
    net = Network(3, "tanh", 2.0, 0.3, outputs=4)
    for metric in (FIM(), NTK(), InputMetric()):
        found = empirical_kernel(net, x, metric=metric, outputs="full", width=6, seed=3, block=4)
        expected = measure(net, metric, width=6, seed=3, inputs=x, spectrum="full").eigenvalues
        values = np.linalg.eigvalsh(found.matrix)[::-1]
        np.testing.assert_allclose(values[: len(expected)], expected, rtol=0, atol=1e-12 * expected[0])
        assert np.shares_memory(found.matrix, found.values)


@pytest.mark.parametrize("block", [None, 4])
def test_the_diagonal_alone(case, definition, definitions, block):
    network, width, samples, seed, dense, metrics = case
    for metric in (m for m in metrics if m.loss == "mse" and not m.centered):
        scale = 1 / samples if definitions[0][metric.family].averaged else 1.0
        each = np.einsum("knkn->kn", definition("full", dense.jacobian(metric), scale=scale))
        for outputs, expected in (("each", each), ("sum", each.sum(axis=0))):
            found = empirical_diagonal(
                network, dense.inputs.numpy(), metric, outputs=outputs, width=width, seed=seed, block=block
            )
            assert found.values.shape == expected.shape
            close(found.values, expected)
            assert found.trace == pytest.approx(each.sum(), rel=1e-12)
            assert len(found.axes) == found.values.ndim


def test_little_memory_gives_the_same_kernel_from_parts_made_again():
    x = np.random.default_rng(2).standard_normal((60, 30))
    options = {"width": 30, "seed": 1, "outputs": "full", "block": 8}
    rich = empirical_kernel(Network(3, "tanh", 2.0, 0.3, 2), x, **options)
    poor = empirical_kernel(Network(3, "tanh", 2.0, 0.3, 2), x, memory=rich.plan.bytes - 1, **options)
    least = empirical_kernel(Network(3, "tanh", 2.0, 0.3, 2), x, memory=_least(x, options), **options)
    assert rich.plan.kept == 8 > poor.plan.kept > least.plan.kept == 2
    np.testing.assert_array_equal(poor.values, rich.values)
    np.testing.assert_array_equal(least.values, rich.values)


def _least(x, options):
    """The bytes that a refusal names."""
    with pytest.raises(ValueError, match="memory: expected a kernel that fits into") as error:
        plan_kernel(Network(3, "tanh", 2.0, 0.3, 2), x, memory=1, **options)
    named = float(str(error.value).rpartition("needs ")[2].removesuffix(" GiB"))
    return int(named * 2**30 * 1.01)  # it has three digits


def test_the_question_counts_the_code_of_kernels():
    x = np.ones((2, 4))
    kernel = empirical_kernel(Network(2, "tanh", 1.0), x, width=4).provenance
    measured = measure(Network(2, "tanh", 1.0), NTK(), width=4, inputs=x).provenance
    assert kernel["question"]["inputs"] == measured["inputs"]
    assert kernel["code"] != measured["code"]


def test_an_overflow_is_told():
    with pytest.raises(ArithmeticError, match="kernel: expected finite entries"):
        empirical_kernel(Network(9, "relu", 1e30, 0.0), np.ones((3, 4)), width=4, dtype="float32")
    with pytest.raises(ArithmeticError, match="kernel: expected finite entries"):
        empirical_diagonal(Network(9, "relu", 1e30, 0.0), np.ones((3, 4)), width=4, dtype="float32")


def test_a_network_needs_no_torch():
    code = (
        "import sys, numpy, empirical; from meanfield import Network;"
        "empirical.empirical_kernel(Network(2, 'tanh', 1.0), numpy.ones((3, 4)), width=4);"
        "print('torch' in sys.modules)"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "False"
