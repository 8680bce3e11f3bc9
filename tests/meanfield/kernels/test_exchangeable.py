"""The table of coefficients, held against expectations that are exact at any width, however small."""

from __future__ import annotations

import numpy as np
import pytest

from meanfield.kernels.exchangeable import ROWS, exchangeable_kernel
from meanfield.propagation.recursion import order_parameters
from meanfield.spec import FIM, METRICS, NTK, InputMetric, Network

DEPTH, WIDTH, OUTPUTS, SAMPLES = 3, 4, 2, 3
SETTING = {"weight_variance": (1.7, 0.6, 1.3), "bias_variance": (0.3, 0.8, 0.2)}
RATIOS = (1.5, 1.0, 2.0)
WIDTHS = (6, 4, 8, 2)
COUNT = 3000
ALL = [kind(layer=layer) for kind in METRICS.values() for layer in (None, *kind().layers(DEPTH))]
every_metric = pytest.mark.parametrize("metric", ALL, ids=str)


def kernel_of(activation, metric):
    network = Network(DEPTH, activation, outputs=OUTPUTS, width_ratios=RATIOS, **SETTING)
    widths = np.array(network.widths(WIDTH), dtype=float)
    return exchangeable_kernel(network, metric, order_parameters(network), widths, np.array(float(SAMPLES)))


def within_standard_errors(values, expected):
    """5 standard errors: one in two million by chance."""
    error = values.std(0, ddof=1) / np.sqrt(len(values))
    assert np.all(np.abs(values.mean(0) - expected) <= 5 * error + 1e-12 * np.abs(expected))
    assert np.all(error < 0.1 * np.maximum(np.abs(expected), 0.05 * np.abs(values).mean()))  # it could have failed


@pytest.fixture(scope="module")
def networks(draw):
    return {a: draw(1, COUNT, a, WIDTHS, samples=SAMPLES, **SETTING) for a in ("linear", "relu")}


def entries(matrices):
    """Same sample, two samples (each averaged over outputs and samples), one number a network."""
    count = len(matrices)
    blocks = matrices.reshape(count, OUTPUTS, SAMPLES, OUTPUTS, SAMPLES)
    blocks = np.array([blocks[:, k, :, k, :] for k in range(OUTPUTS)]).mean(0)
    same = np.trace(blocks, axis1=1, axis2=2) / SAMPLES
    other = (blocks.sum((1, 2)) - SAMPLES * same) / (SAMPLES * (SAMPLES - 1))
    return same, other


def test_rows_are_the_metrics_of_the_spec():
    assert ROWS.keys() == METRICS.keys()


@every_metric
def test_linear_network_has_these_expectations_at_any_width(metric, networks):
    # Without a nonlinearity δ^l and h^{l-1} are independent, so K₁ and K₂ are exact expectations.
    kernel = kernel_of("linear", metric)
    same, other = entries(networks["linear"].dual(metric.family, metric.layer))
    within_standard_errors(same, kernel.normaliser * kernel.same)
    if kernel.other == 0:
        assert np.all(np.abs(other.mean()) <= 5 * other.std() / np.sqrt(COUNT))
    else:
        within_standard_errors(other, kernel.normaliser * kernel.other)


@every_metric
def test_relu_network_has_this_trace_at_any_width(metric, networks):
    # φ'² is a fair coin whatever the variance, so E[trace] = ν C N K₁ holds exactly.
    kernel = kernel_of("relu", metric)
    traces = np.trace(networks["relu"].dual(metric.family, metric.layer), axis1=1, axis2=2)
    within_standard_errors(traces, kernel.normaliser * OUTPUTS * SAMPLES * kernel.same)


@every_metric
def test_dimension_counts_what_is_differentiated_by(metric, networks):
    assert kernel_of("linear", metric).dimension == networks["linear"].dimension(metric.family, metric.layer)


@every_metric
def test_gap_is_the_difference(metric):
    kernel = kernel_of("tanh", metric)
    assert kernel.gap == pytest.approx(kernel.same - kernel.other, rel=1e-12)


def test_gap_keeps_its_digits_where_the_difference_loses_them():
    # Deep in the ordered phase two inputs become one. A linear network knows the gap in closed form: the variances
    # of the weights alone, since biases are common to all samples.
    network = Network(12, "linear", weight_variance=0.01, bias_variance=1.0)
    kernel = exchangeable_kernel(
        network, FIM(layer=12), order_parameters(network), np.array(network.widths(100), float), np.array(10.0)
    )
    assert kernel.gap == pytest.approx(100 * 0.01**11, rel=1e-10)


@every_metric
def test_centering_is_the_projection(metric):
    kernel = kernel_of("tanh", metric)
    n = 7
    kernel = type(kernel)(**{**vars(kernel), "samples": np.array(float(n))})
    matrix = kernel.gap * np.eye(n) + kernel.other
    project = np.eye(n) - 1 / n
    centered = kernel.centered()
    expected = (centered.same - centered.other) * np.eye(n) + centered.other
    np.testing.assert_allclose(expected, project @ matrix @ project, rtol=0, atol=1e-12 * kernel.same)
    assert centered.gap == kernel.gap


def test_sizes_are_arrays():
    network = Network(DEPTH, "tanh", outputs=OUTPUTS, width_ratios=RATIOS, **SETTING)
    sizes = [4, 8, 16]
    widths, samples = np.array([network.widths(m) for m in sizes], float).T[:, :, None], np.array([5.0, 6.0])
    widths, samples = np.repeat(widths, 2, axis=2), np.tile(samples, (3, 1))
    many = exchangeable_kernel(network, FIM(), order_parameters(network), widths, samples)
    assert many.same.shape == (3, 2)
    one = exchangeable_kernel(
        network, FIM(), order_parameters(network), np.array(network.widths(16), float), np.array(6.0)
    )
    for name in ("same", "other", "gap", "normaliser", "dimension", "narrowest"):
        assert getattr(many, name)[2, 1] == getattr(one, name)


@pytest.mark.parametrize("metric", [FIM(layer=4), FIM(layer=0), NTK(layer=0), InputMetric(layer=3)], ids=str)
def test_layer_that_does_not_exist(metric):
    with pytest.raises(ValueError, match=r"^layer: expected .* got "):
        kernel_of("tanh", metric)
