"""Participation against eigenvalues: of the two-value kernel written out, and of random networks."""

from __future__ import annotations

import numpy as np
import pytest

from meanfield import FIM, Network, participation, predict
from meanfield.information import kernel_participation, sloppiness
from meanfield.kernels.exchangeable import exchangeable_kernel
from meanfield.propagation.recursion import order_parameters


@pytest.mark.parametrize(
    ("same", "other", "samples", "outputs"), [(2.0, 0.7, 9, 3), (1.0, 0.0, 5, 1), (3.0, 3.0, 4, 2)]
)
def test_of_the_kernel_written_out(same, other, samples, outputs):
    kernel = np.kron(np.eye(outputs), (same - other) * np.eye(samples) + other)
    eigenvalues = np.linalg.eigvalsh(kernel)
    expected = eigenvalues.sum() ** 2 / np.sum(eigenvalues**2)
    assert kernel_participation(same, other, samples, outputs) == pytest.approx(expected)
    assert sloppiness(eigenvalues).participation == pytest.approx(expected)


def test_of_many_samples():
    assert kernel_participation(2.0, 0.5, 10**9, 3) == pytest.approx(3 * (2.0 / 0.5) ** 2, rel=1e-6)


def test_a_prediction_has_that_of_its_order_parameters():
    network = Network(3, "tanh", 3.0, 0.64, outputs=4)
    widths, samples = np.array([300, 1000]), np.array([50, 100])
    found = participation(predict(network, FIM(), width=widths, samples=samples))
    for i in range(2):
        sizes = np.array(network.widths(int(widths[i])), dtype=float)
        kernel = exchangeable_kernel(network, FIM(), order_parameters(network), sizes, np.array(float(samples[i])))
        assert found[i] == pytest.approx(kernel_participation(kernel.same, kernel.other, samples[i], 4))


def test_nothing_has_none():
    assert np.isnan(kernel_participation(0.0, 0.0, 3))
    np.testing.assert_array_equal(np.isnan(kernel_participation([0.0, 1.0], 0.0, 3)), [True, False])


def test_of_random_networks(draw):
    """The ratio of mean moments over 60 networks, its error by the jackknife, against the refined order's."""
    count, width, samples = 60, 60, 20
    drawn = draw(7, count, "tanh", (width, width, 1), 3.0, 0.64, samples)
    duals = drawn.dual("fim")
    trace, square = np.trace(duals, axis1=1, axis2=2), np.sum(duals**2, axis=(1, 2))
    found = trace.mean() ** 2 / square.mean()
    without = np.array([np.delete(trace, i).mean() ** 2 / np.delete(square, i).mean() for i in range(count)])
    error = np.sqrt((count - 1) * without.var())
    network = Network(2, "tanh", 3.0, 0.64)
    predicted = participation(predict(network, FIM(), width=width, samples=samples, order="refined"))
    assert abs(found - predicted) < 4 * error
    assert error < 0.05 * found  # a wrong factor of N or C would show
