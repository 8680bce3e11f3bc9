"""The union-of-products law against all multi-indices written out, and against kernels of Gaussian data."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from meanfield import FIM, Network, kernel_series, product_spectrum
from meanfield.information.series import KernelSeries

SERIES = KernelSeries(np.array([0.7, 2.0, 0.0, 1.1, 0.4]), total=4.5)


def written_out(coefficients, p):
    """Every eigenvalue with its word."""
    found = []
    for k, g in enumerate(coefficients):
        for word in itertools.combinations_with_replacement(range(len(p)), k):
            repeats = math.prod(math.factorial(word.count(i)) for i in set(word))
            found.append((g * math.factorial(k) / repeats * math.prod(p[i] for i in word), word))
    return sorted((pair for pair in found if pair[0] > 0), reverse=True)


@pytest.mark.parametrize("p", [[0.5, 0.3, 0.15, 0.05], [0.25] * 4, [0.9, 0.1], [1.0], [0.1, 0.6, 0.0, 0.3]])
def test_the_largest_come_first_and_none_is_left_out(p):
    expected = written_out(SERIES.coefficients, p)
    found = product_spectrum(SERIES, p, len(expected) + 5)
    np.testing.assert_allclose(found.eigenvalues, [value for value, _ in expected], rtol=1e-12)
    values = {word: value for value, word in expected}
    assert len(set(found.words)) == len(found.words)
    for value, word in zip(found.eigenvalues, found.words, strict=True):
        assert value == pytest.approx(values[word])
    assert any("only" in warning for warning in found.warnings)
    for k, g in enumerate(SERIES.coefficients):
        assert found.eigenvalues[found.degrees == k].sum() == pytest.approx(g)
    few = product_spectrum(SERIES, p, 4)
    np.testing.assert_array_equal(few.eigenvalues, found.eigenvalues[:4])


def test_scale_of_the_covariance_does_not_matter():
    one, other = (product_spectrum(SERIES, c * np.array([3.0, 2.0, 1.0]), 10) for c in (1.0, 1e-7))
    np.testing.assert_allclose(one.eigenvalues, other.eigenvalues)


def test_isotropic_data_have_multiplicities():
    d, series = 12, KernelSeries(np.array([5.0, 3.0, 1.0]), total=9.0)
    found = product_spectrum(series, np.ones(d), 1 + d + d * (d + 1) // 2)
    expected = np.concatenate([[5.0], [3 / d] * d, [2 / d**2] * (d * (d - 1) // 2), [1 / d**2] * d])
    np.testing.assert_allclose(found.eigenvalues, expected)
    assert (found.takeover, found.copied) == (1 + d, d)


def test_takeover_is_where_a_product_exceeds_the_copy():
    # g_1 p = 1, .5, .25, .125, …; the largest of degree 2 is 2 g_2 p_1 p_2 = .25/g_1² · 4 g_2
    p = 0.5 ** np.arange(1, 15)
    p /= p.sum()
    series = KernelSeries(np.array([9.0, 2.0, 0.65]), total=11.65)
    largest = max(0.65 * p[0] ** 2, 1.3 * p[0] * p[1])
    found = product_spectrum(series, p, 40)
    assert found.copied == np.sum(2.0 * p > largest) == found.takeover - 1
    assert found.words[found.takeover] in {(0, 0), (0, 1)}


def test_a_sample_resolves_degree_two_of_isotropic_data_above_half_the_square_of_the_dimension():
    d = 30
    series = KernelSeries(np.array([5.0, 3.0, 1.0]), total=9.0)
    last = 1 + d + d * (d - 1) // 2  # the products of two different directions
    for samples, resolved in ((d**2, True), (d**2 // 4, False)):
        found = product_spectrum(series, np.ones(d), last, samples)
        assert (found.resolved > 1 + d) == resolved
        assert any("sample is too small" in warning for warning in found.warnings) == (found.resolved < last)
    rest = 9.0 - np.cumsum(found.eigenvalues)
    np.testing.assert_allclose(found.noise, rest / (d**2 // 4), atol=1e-12)
    np.testing.assert_allclose(found.in_sample, found.eigenvalues + found.noise)


def test_no_more_eigenvalues_than_samples_are_resolved():
    assert product_spectrum(SERIES, [0.99, 0.01], 10, samples=2).resolved <= 2


def test_degrees_beyond_the_series_may_be_missing_and_that_is_said():
    network = Network(3, "relu", 2.0, 0.1)
    p = np.exp(-0.5 * np.arange(6))
    short, long = (kernel_series(network, FIM(), width=100, degree=k) for k in (4, 60))
    for count in (5, 60):
        found, whole = (product_spectrum(s, p, count) for s in (short, long))
        same = np.allclose(found.eigenvalues, whole.eigenvalues)
        said = any("may be missing" in warning for warning in found.warnings)
        assert same or said
    assert said
    assert not same


def gaussian_kernel(seed, network, width, p, samples):
    """K/N of Gaussian data of mean square 1: the arc-cosine recursion of unequal norms, written out for relu."""
    x = np.random.default_rng(seed).standard_normal((samples, len(p))) * np.sqrt(p)
    h = x @ x.T / np.mean(x**2) / len(p)
    widths, weight, bias = network.widths(width), network.weight_variance[0], network.bias_variance[0]
    features, slopes = [h], []
    for _ in range(network.depth - 1):
        q = weight * features[-1] + bias
        scale = np.sqrt(np.outer(q.diagonal(), q.diagonal()))
        c = np.clip(q / scale, -1, 1)
        angle = np.arccos(c)
        features.append(scale * (np.sqrt(1 - c**2) + c * (np.pi - angle)) / (2 * np.pi))
        slopes.append((np.pi - angle) / (2 * np.pi))
    back, kernel = np.ones_like(h), 0.0
    for l in range(network.depth - 1, -1, -1):
        kernel = kernel + back * (widths[l] * features[l] + 1)
        back = back * weight * slopes[l - 1] if l else back
    return np.linalg.eigvalsh(kernel / samples)[::-1]


@pytest.mark.parametrize("decay", [0.05, 0.2])
def test_against_the_kernel_of_gaussian_data(decay):
    """Covariance e^{-ci}, d = 100, N = 800. A sample's eigenvalues spread by √(2/N), 0.022 in log10."""
    samples, width, p = 800, 1000, np.exp(-decay * np.arange(100))
    network = Network(3, "relu", 2.0, 0.1, width_ratios=(0.1, 1.0, 1.0))
    law = product_spectrum(kernel_series(network, FIM(), width=width), p, 300, samples)
    exact = gaussian_kernel(61, network, width, p, samples)[:300]
    plain, lifted = (np.abs(np.log10(exact / found)) for found in (law.eigenvalues, law.in_sample))
    spread = math.sqrt(2 / samples) / math.log(10)
    assert np.median(lifted[:120]) < 2 * spread
    assert np.median(plain[:30]) < 2 * spread
    assert np.median(plain[:300]) > 3 * np.median(lifted)  # where the sample is too small, the law alone fails
    assert 62 < law.takeover < 80 if decay == 0.05 else 8 <= law.takeover <= 16


@pytest.mark.parametrize(
    ("covariance", "count", "samples", "message"),
    [
        ([], 3, None, "covariance: expected one axis"),
        ([[1.0]], 3, None, "covariance: expected one axis"),
        ([1.0, -0.1], 3, None, "covariance: expected finite eigenvalues"),
        ([1.0, math.nan], 3, None, "covariance: expected finite eigenvalues"),
        ([0.0, 0.0], 3, None, "covariance: expected finite eigenvalues"),
        ([1.0], 0, None, "count: expected"),
        ([1.0], 3, 0, "samples: expected"),
    ],
)
def test_what_makes_no_sense_is_refused(covariance, count, samples, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        product_spectrum(SERIES, covariance, count, samples)


def test_it_shows_itself():
    shown = str(product_spectrum(SERIES, [0.6, 0.4], 30, samples=10))
    assert "directions" in shown
    assert "warning: there are only" in shown
