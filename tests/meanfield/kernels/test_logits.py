"""The ensemble of logits: its law, its stated error, and that it is the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from meanfield.kernels.logits import draw_ensemble, given_logits
from meanfield.kernels.softmax import mean_covariance, softmax_moments
from meanfield.propagation.recursion import order_parameters
from meanfield.spec import Network

C = 4
PARAMETERS = order_parameters(Network(3, "tanh", 3.0, 0.64, outputs=C))
STATISTICS = {
    "trace": lambda g: softmax_moments(g).trace,
    "square": lambda g: softmax_moments(g).square,
    "product": lambda g: softmax_moments(g).product,
    "eigenvalues": lambda g: np.linalg.eigvalsh(mean_covariance(g))[:, 1:],
}


def plain_monte_carlo(samples, centered, count=4000):
    """The law written out: one covariance matrix over the samples, factored."""
    rng = np.random.default_rng(5)
    q, q_st = PARAMETERS.q[-1], PARAMETERS.q_st[-1]
    factor = np.linalg.cholesky(q_st + (q - q_st) * np.eye(samples))
    f = rng.standard_normal((count, C, samples)) @ factor.T
    f = f - f.mean(2, keepdims=True) if centered else f
    g = np.exp(f)
    return g / g.sum(1, keepdims=True)


@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("samples", [2, 30])
@pytest.mark.parametrize("statistic", STATISTICS)
def test_ensemble_has_the_law(statistic, samples, centered):
    ensemble = draw_ensemble(PARAMETERS, C, samples, centered)
    found, expected = (STATISTICS[statistic](g) for g in (ensemble.g, plain_monte_carlo(samples, centered)))
    error = np.hypot(ensemble.standard_error(found), expected.std(0) / np.sqrt(len(expected)))
    assert np.all(np.abs(found.mean(0) - expected.mean(0)) <= 5 * error)
    assert np.all(found.std(0) == pytest.approx(expected.std(0), rel=0.25))


def test_few_samples_stand_for_many():
    many, plain = draw_ensemble(PARAMETERS, C, 100_000, False), plain_monte_carlo(600, False, count=2000)
    assert many.g.shape[2] < 1000
    for statistic in STATISTICS.values():
        found, expected = statistic(many.g), statistic(plain)
        error = np.hypot(many.standard_error(found), expected.std(0) / np.sqrt(len(expected)))
        assert np.all(np.abs(found.mean(0) - expected.mean(0)) <= 5 * error + 0.01 * expected.mean(0))


def test_stated_error_is_honest():
    # Against plain Monte Carlo of the same law, errors measured in stated errors scatter like Student's t, 7 degrees.
    expected = plain_monte_carlo(20, False, count=40_000)
    ensemble = draw_ensemble(PARAMETERS, C, 20, False)
    values = np.column_stack([s(ensemble.g) for s in STATISTICS.values()])
    truth = np.column_stack([s(expected) for s in STATISTICS.values()]).mean(0)
    stated = ensemble.standard_error(values)
    assert np.all(stated < 0.02 * truth)
    assert np.sqrt(np.mean(((values.mean(0) - truth) / stated) ** 2)) < 3


def test_the_same_every_time():
    first, second = (draw_ensemble(PARAMETERS, C, 10, False).g for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("centered", [False, True])
def test_huge_logits_saturate_and_larger_are_refused(centered):
    f = np.array([[1.0, -1.0], [-1.0, 1.0], [1.0, -1.0]])
    np.testing.assert_array_equal(given_logits(9e299 * f, centered).g[0].T, f > 0)
    with pytest.raises(ValueError, match=r"logits: expected numbers below 1e\+300 in size, got 1e\+308"):
        given_logits(1e308 * f, centered)


def test_given_logits_are_centred_before_the_softmax():
    f = np.random.default_rng(0).normal(size=(7, C))
    g = np.exp(f - f.mean(0))
    expected = g / g.sum(1, keepdims=True)
    np.testing.assert_allclose(given_logits(f, centered=True).g[0].T, expected, rtol=1e-13)
    assert given_logits(f, centered=False).standard_error(np.ones((1, 3))).tolist() == [0, 0, 0]
