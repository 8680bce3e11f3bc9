"""The power series of a kernel against the recursion at single overlaps, which knows nothing of series."""

from __future__ import annotations

import numpy as np
import pytest

from meanfield import FIM, NTK, InputMetric, Network, kernel_series
from meanfield.information.series import KernelSeries
from meanfield.kernels.exchangeable import exchangeable_kernel
from meanfield.propagation.recursion import order_parameters

WIDTH = 50
NETWORKS = {
    "relu": Network(3, "relu", 2.0, 0.1),
    "tanh": Network(3, "tanh", 3.0, 0.64),
    "no biases": Network(4, "tanh", 1.5),
    "ordered": Network(6, "erf", 0.9, 0.3),
    "mixed": Network(4, ("gelu", "relu", "sin"), (2.0, 1.2, 0.7, 1.4), (0.1, 0.0, 0.4, 0.2), width_ratios=(2, 1, 3, 1)),
    "shallow": Network(1, (), 1.3, 0.2),
}
METRICS = [FIM(), NTK(), InputMetric(), FIM(layer=1), NTK(layer=1)]


def between(network, metric, overlap, norm):
    widths = np.array(network.widths(WIDTH), dtype=float)
    parameters = order_parameters(network, norm=norm, overlap=norm * overlap)
    return exchangeable_kernel(network, metric, parameters, widths, np.array(10.0))


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("metric", METRICS, ids=str)
@pytest.mark.parametrize("norm", [1.0, 0.4])
def test_sums_to_the_recursion(network, metric, norm):
    series = kernel_series(network, metric, width=WIDTH, degree=40, norm=norm)
    assert np.all(series.coefficients >= 0)
    assert series.warnings == ()
    beyond = max(series.total - series.coefficients.sum(), 0.0)
    for overlap in (-0.6, 0.0, 0.3, 0.55):
        kernel = between(network, metric, overlap, norm)
        assert series.total == pytest.approx(float(kernel.same), rel=1e-13)
        left = beyond * abs(overlap) ** 41
        assert abs(series(overlap) - kernel.other) <= left + (1e-13 + series.error) * series.total
        assert left < 1e-9 * series.total


def test_a_linear_network_has_two_degrees():
    network = Network(2, "linear", (2.0, 3.0), (0.5, 0.25))
    series = kernel_series(network, NTK(), width=7, degree=3)
    # Θ = q̃¹ q¹ + q² = 3 (2ρ + .5) + 3 (2ρ + .5) + .25
    np.testing.assert_allclose(series.coefficients, [3.25, 12.0, 0.0, 0.0], atol=1e-12)


def test_degree_by_degree_of_relu():
    """One hidden layer without biases: κ = arc-cosine kernels, whose series are known."""
    series = kernel_series(Network(2, "relu", 2.0), NTK(), width=9, degree=6)
    # Θ = 2 ρ κ_0(ρ) + 2 κ_1(ρ), κ_0 = 1 - arccos(ρ)/π, κ_1 = (√(1-ρ²) + ρ (π - arccos ρ))/π
    zeroth = np.array([1 / 2, 1 / np.pi, 0, 1 / (6 * np.pi), 0, 3 / (40 * np.pi), 0])
    first = np.array([1 / np.pi, 1 / 2, 1 / (2 * np.pi), 0, 1 / (24 * np.pi), 0, 1 / (80 * np.pi)])
    np.testing.assert_allclose(series.coefficients, 2 * np.append(0, zeroth[:-1]) + 2 * first, atol=1e-12)


@pytest.mark.parametrize(("name", "rough"), [("relu", True), ("tanh", False)])
def test_too_correlated_layers_are_said(name, rough):
    """Behind 400 layers two inputs are nearly one, and the series of a kinked φ has more degrees than are taken."""
    network = Network(400, name, 2.0 if rough else 1.0)
    series = kernel_series(network, NTK(), width=WIDTH, degree=20)
    off = max(abs(series(overlap) - between(network, NTK(), overlap, 1.0).other) for overlap in (0.0, 0.2))
    assert off <= series.error * series.total
    assert (off > 1e-5 * series.total) == rough
    assert any("too near 1" in warning for warning in series.warnings) == rough


def test_evaluates_arrays():
    series = KernelSeries(np.array([1.0, 2.0, 3.0]), total=6.0)
    np.testing.assert_allclose(series([[0.0, 0.5]]), [[1.0, 2.75]])


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (lambda: kernel_series(NETWORKS["relu"], FIM(centered=True), width=9), "metric: expected one of the squared"),
        (
            lambda: kernel_series(Network(2, "relu", 2, outputs=3), FIM(loss="cross_entropy"), width=9),
            "metric: expected",
        ),
        (lambda: kernel_series(Network(2, "sign", 2), FIM(), width=9), "activation: expected one without jumps"),
        (lambda: kernel_series(Network(2, "relu", 0.0, 1.0), FIM(), width=9), "weight_variance: expected positive"),
        (lambda: kernel_series(NETWORKS["relu"], FIM(), width=9, degree=-1), "degree: expected"),
        (lambda: kernel_series(NETWORKS["relu"], FIM(), width=9, norm=0.0), "norm: expected"),
        (lambda: kernel_series(NETWORKS["relu"], FIM(layer=9), width=9), "layer"),
    ],
)
def test_what_has_no_series_is_refused(question, message):
    with pytest.raises(ValueError, match=message):
        question()
