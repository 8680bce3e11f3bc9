"""The law of the outliers: against the prototype, sampled matrices, and what is known of Wishart matrices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from meanfield import FIM, NTK, InputMetric, Network, order_parameters
from meanfield.finite_width.classes import class_of
from meanfield.finite_width.outliers import _laguerre, _Source, law_size, log_normal, outlier_law
from meanfield.finite_width.refined import kernel_law
from meanfield.kernels.setting import Setting
from meanfield.propagation.inputs import GAUSSIAN, Inputs


def found_for(network, metric, width, samples, given=GAUSSIAN):
    cell = Setting.of(network, metric, order_parameters(network), width, samples, given)
    return outlier_law(kernel_law(cell), cell.kernel, cell.widths)


def test_prototype(case, asked):
    """Means within 5 standard errors of both samples (the prototype's and ours), standard deviations too."""
    network, metric, width = asked
    found, wanted = (
        found_for(network, metric, width, case["samples"], Inputs(random=case["data"] == "gaussian")),
        case["spectrum"],
    )
    size = law_size(network.outputs)
    mean, std = (np.array(wanted[k]) for k in ("outliers", "outliers_std"))
    error = np.hypot(wanted["outliers_error"], std / np.sqrt(size))
    assert np.all(np.abs(found.values.mean(axis=0) - mean) < 5 * error)
    # The standard deviation of n draws is off by 1/√(2n) of itself, somewhat more for skewed laws.
    assert found.values.std(axis=0) == pytest.approx(std, rel=5 * 1.3 / np.sqrt(2 * size))
    if wanted["edge"] < 0.8 * mean[-1]:
        assert found.edge == pytest.approx(wanted["edge"] / mean[-1], rel=1e-3 + 5 * error[-1] / mean[-1])


@pytest.mark.parametrize(("outputs", "units"), [(1, 7.5), (3, 12), (6, 9), (40, 90)])
def test_wishart_matrices(outputs, units):
    """Eigenvalues of X Xᵀ - μ 1, drawn here; five standard errors of the two samples."""
    rng = np.random.default_rng(11)
    count = 4000 if outputs < 10 else 300
    found = _laguerre(outputs, float(units), law_size(outputs))
    if units == int(units):
        x = rng.standard_normal((count, outputs, int(units)))
        drawn = np.linalg.eigvalsh(x @ x.swapaxes(1, 2))[:, ::-1] - units
    else:
        drawn = rng.chisquare(units, (count, outputs)) - units
    error = np.hypot(drawn.std(axis=0) / np.sqrt(count), found.std(axis=0) / np.sqrt(len(found)))
    assert np.all(np.abs(found.mean(axis=0) - drawn.mean(axis=0)) < 5 * error)
    assert np.mean(found**2) == pytest.approx(units * (outputs + 1), rel=1e-12)


@pytest.mark.parametrize(("outputs", "mean", "deviation"), [(2, 1.2533, 1.19), (3, 2.08, 1.10), (10, 5.32, 0.87)])
def test_many_units_are_gaussian(outputs, mean, deviation):
    """finite_width.md: λ_max of GOE_C(1); for C = 2 it is √(π/2)."""
    largest = _laguerre(outputs, 1e8, law_size(outputs))[:, 0] / 1e4
    assert largest.mean() == pytest.approx(mean, abs=0.02)
    assert largest.std() == pytest.approx(deviation, rel=0.02)


def test_descending_and_the_same_again():
    network = Network(3, "tanh", 1.5, 0.2, outputs=5)
    values = found_for(network, FIM(), 100, 50).values
    assert np.all(np.diff(values, axis=1) <= 0)
    _laguerre.cache_clear()
    assert np.array_equal(values, found_for(network, FIM(), 100, 50).values)


def test_last_block_has_equal_outliers():
    """Its dual is I_C ⊗ K(s,t), whatever the hidden layers are."""
    values = found_for(Network(3, "tanh", 1.5, 0.2, outputs=4), FIM(layer=3), 100, 50).values
    assert np.array_equal(values, np.repeat(values[:, :1], 4, axis=1))
    assert values.std() > 0


def test_one_output_has_one_outlier():
    found = found_for(Network(3, "tanh", 1.5, 0.2, outputs=1), NTK(), 100, 50)
    assert found.values.shape[1] == 1


@pytest.mark.parametrize("samples", [2, 3, 5, 10, 20, 50])
def test_common_part_without_mean_is_void(samples):
    """A centred network: K(s,t) of two samples is zero on average, up to rounding; or hardly above it."""
    found = found_for(Network(3, "tanh", 3.0, 0.0, outputs=2), NTK(), 400, samples)
    assert np.all(np.isnan(found.values))
    assert found.edge > 1
    assert found_for(Network(3, "tanh", 3.0, 1e-4, outputs=2), NTK(), 400, samples).edge > 1


def test_lifted_beyond_its_own_height_counts_as_merged():
    """A tiny common part: the shift is a multiple of it, and the edge lies below the sum, yet they have merged."""
    network = Network(3, "erf", 5.0, 0.1, outputs=10)
    found = found_for(network, FIM(), 100, 20)
    assert found.edge > 1
    assert found_for(network, InputMetric(), 400, 200).edge < 0.8


@pytest.mark.parametrize(("mean", "deviation"), [(2.0, 0.3), (5.0, 0.01), (1.0, 0.0)])
def test_log_normal(mean, deviation):
    values = log_normal(mean, deviation, 8192)
    assert values.mean() == pytest.approx(mean, rel=1e-4)
    assert values.std() == pytest.approx(deviation, rel=3e-3, abs=1e-15)
    assert np.array_equal(log_normal(0.0, deviation, 3), np.zeros(3))


def test_shift_of_a_spiked_matrix():
    """Deterministic kernel of two values plus independent noise of one sample pair's entries: BBP, λ = θ + σ²/θ."""
    parameters_of = Network(2, "linear", 1.0, 0.5, outputs=1)
    parameters, widths = order_parameters(parameters_of), np.array([1e9, 1e9, 1.0])
    samples, spike, sigma = 400.0, 3.0, 1.0
    cell = Setting(parameters_of, NTK(), parameters, widths, np.array(samples))
    law = kernel_law(cell)
    shared = np.zeros_like(law.covariance)
    for labels in ((0, 1, 0, 1), (0, 1, 1, 0)):
        shared[0, 1, 1, class_of(*labels)] = sigma**2 * samples
    law = replace(law, mean=np.full((2, 2), spike), shift=np.zeros((2, 2)), covariance=shared, crossing=np.zeros(15))
    found = outlier_law(law, cell.kernel, widths)
    rng = np.random.default_rng(3)
    drawn = []
    for _ in range(8):
        noise = rng.standard_normal((400, 400))
        matrix = spike * np.ones((400, 400)) + sigma * np.sqrt(samples) * (noise + noise.T) / np.sqrt(2)
        drawn.append(np.linalg.eigvalsh(matrix)[-1])
    assert found.values.mean() == pytest.approx(np.mean(drawn), rel=0.02)
    assert found.values.mean() == pytest.approx(samples * (spike + sigma**2 / spike), rel=0.01)


def test_shift_by_a_wishart_bulk():
    """A spike on c (X Xᵀ - n 1): the R-transform of a free-Poisson law with variance k and n units for N samples."""
    samples, units, spike, count = 300, 36, 3.0, 30
    c = 0.6 / np.sqrt(samples * units)
    rng = np.random.default_rng(4)
    drawn = []
    for _ in range(count):
        x = rng.standard_normal((samples, units))
        drawn.append(np.linalg.eigvalsh(spike / samples + c * (x @ x.T - units * np.eye(samples)))[-1])
    k = c**2 * samples * units
    found, without = (_Source(0.0, k, j).shift(spike) for j in (np.sqrt(k * samples / units), 0.0))
    error = np.std(drawn, ddof=1) / np.sqrt(count)
    assert abs(np.mean(drawn) - spike - found) < 4 * error < found - without
