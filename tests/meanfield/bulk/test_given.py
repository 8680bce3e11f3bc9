"""The bulk on given inputs: known laws, limits, and random networks by NumPy."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq

from meanfield import FIM, NTK, Network, spectrum
from meanfield.bulk.given import given_spectrum
from meanfield.kernels.matrix import given_kernel


def drawn(n: int, d: int, scales: Any = 1.0, seed: int = 0) -> Any:
    return np.random.default_rng((44, seed)).standard_normal((n, d)) * scales


def relu_kernel(x: Any, depth: int, sw2: float, sb2: float, width: int, metric: str = "fim") -> Any:
    """The mean-field kernel of ReLU networks (Cho and Saul 2009), pair by pair, in the metric's normalisation."""
    n, d = x.shape
    features, slopes, preactivations = [x @ x.T / d], [], []
    for _ in range(depth):
        q = sw2 * features[-1] + sb2
        root = np.sqrt(np.outer(np.diagonal(q), np.diagonal(q)))
        angle = np.arccos(np.clip(q / root, -1, 1))
        preactivations.append(q)
        slopes.append((np.pi - angle) / (2 * np.pi))
        features.append(root / (2 * np.pi) * (np.sin(angle) + (np.pi - angle) * np.cos(angle)))
    backward, total = np.ones((n, n)), np.zeros((n, n))
    for l in range(depth, 0, -1):
        units = d if l == 1 else width
        own = units * features[l - 1] + 1 if metric == "fim" else preactivations[l - 1]
        total += backward * own / (n if metric == "fim" else 1)
        if l > 1:
            backward = sw2 * backward * slopes[l - 2]
    return total


def relu_network(x: Any, depth: int, sw2: float, sb2: float, width: int, seed: int) -> Any:
    """The FIM's dual of one ReLU network with one output, K/N, by forward and backward passes."""
    random, (n, d) = np.random.default_rng((45, seed)), x.shape
    units = [d, *[width] * (depth - 1), 1]
    weights = [random.standard_normal((b, a)) * np.sqrt(sw2 / a) for a, b in itertools.pairwise(units)]
    features, inputs = [x], []
    for w in weights:
        inputs.append(features[-1] @ w.T + np.sqrt(sb2) * random.standard_normal(len(w)))
        features.append(np.maximum(inputs[-1], 0))
    gradient, dual = np.ones((n, 1)), np.zeros((n, n))
    for l in range(depth, 0, -1):
        dual += (features[l - 1] @ features[l - 1].T + 1) * (gradient @ gradient.T) / n
        if l > 1:
            gradient = (gradient @ weights[l - 1]) * (inputs[l - 2] > 0)
    return dual


def test_one_layer_is_its_gram_matrix() -> None:
    """Nothing is random: the eigenvalues are those of the kernel, smoothed by 0.4 %."""
    x = drawn(40, 60, np.exp(-0.05 * np.arange(60)))
    kernel = 1.5 * x @ x.T / 60 + 0.2
    law = given_spectrum(Network(1, "linear", 1.5, 0.2), NTK(), width=60, inputs=x, kernel=kernel)
    exact = np.linalg.eigvalsh(kernel)[::-1]
    together = np.sort([law.common, *law.kernel_eigenvalues])[::-1]
    np.testing.assert_allclose(together, exact, rtol=1e-10)
    np.testing.assert_allclose(law.eigenvalues[:20], law.kernel_eigenvalues[:20], rtol=0.02)
    assert law.distance(np.linalg.eigvalsh(kernel)) < 1 / 39
    assert law.status == "ok"


def test_last_layer_of_two_is_marchenko_pastur_over_the_kernel() -> None:
    """φ(u)φ(u)ᵀ/M for linear φ on orthonormal samples: the Marchenko-Pastur law of ratio N/M, whose quantiles follow
    from its distribution function."""
    n, width = 60, 120
    x = np.linalg.qr(drawn(120, n))[0].T * np.sqrt(120)
    kernel = 120 * (x @ x.T / 120) / n
    law = given_spectrum(Network(2, "linear", 1.0, 0.0), FIM(layer=2), width=width, inputs=x, kernel=kernel + 1 / n)
    ratio = (n - 1) / width
    a, b = (1 - ratio**0.5) ** 2, (1 + ratio**0.5) ** 2

    def above(share: float) -> float:
        theta = np.linspace(0, np.pi, 4001)  # t = (a + b)/2 + (b - a)/2 cos θ

        def mass(t: float) -> float:
            y = (a + b) / 2 + (b - a) / 2 * np.cos(theta)
            density = ((b - a) / 2 * np.sin(theta)) ** 2 / (2 * np.pi * ratio * y)
            return float(np.trapezoid(np.where(y < t, density, 0), theta))

        return float(brentq(lambda t: mass(t) - share, a, b))

    for share in (0.2, 0.5, 0.8):
        expected = 120 / n * above(share)
        found = np.quantile(law.eigenvalues, share)
        assert found == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("metric", ["fim", "ntk"])
def test_wide_networks_have_the_kernels_eigenvalues(metric: str) -> None:
    x = drawn(50, 40, np.exp(-0.05 * np.arange(40)))
    kernel, width = relu_kernel(x, 3, 2.0, 0.1, 4 * 10**6, metric), 4 * 10**6
    network = Network(3, "relu", 2.0, 0.1, width_ratios=[1e-5, 1, 1])
    law = given_spectrum(network, metric, width=width, inputs=x, kernel=kernel)
    np.testing.assert_allclose(law.eigenvalues[:-5], law.kernel_eigenvalues[:-5], rtol=0.02)


def test_mean_is_the_kernels() -> None:
    """Noise of zero mean moves no trace: ∫ λ dF by the quantiles, N = M."""
    x = drawn(150, 100, np.exp(-0.02 * np.arange(100)))
    network = Network(3, "relu", 2.0, 0.1, width_ratios=[2 / 3, 1, 1])
    law = given_spectrum(network, FIM(), width=150, inputs=x, kernel=relu_kernel(x, 3, 2.0, 0.1, 150))
    assert law.eigenvalues.mean() == pytest.approx(law.kernel_eigenvalues.mean(), rel=0.01)
    assert law.eigenvalues[0] > 1.2 * law.kernel_eigenvalues[0]
    assert law.eigenvalues[-1] < 0.8 * law.kernel_eigenvalues[-1]


def test_independent_inputs_have_the_law_for_them() -> None:
    """The other law, for i.i.d. inputs in the limit, which knows of N and d only: on one draw of many of them."""
    x = drawn(400, 400)
    network = Network(3, "relu", 2.0, 0.1)
    law = given_spectrum(network, FIM(), width=400, inputs=x, kernel=relu_kernel(x, 3, 2.0, 0.1, 400))
    other = spectrum(network, FIM(), width=400, samples=400, finite_size=False)
    quantiles = other.quantile(np.linspace(0.05, 0.95, 19))
    np.testing.assert_allclose(law.cdf(quantiles), np.linspace(0.05, 0.95, 19), atol=0.03)


@pytest.mark.parametrize(("n", "width"), [(100, 400), (200, 200)])
def test_random_networks_on_clustered_inputs_of_unequal_norms(n: int, width: int) -> None:
    """Twenty networks together, so that counts of eigenvalues hardly fluctuate. The law is that of M → ∞: the distance
    is its corrections', of order 1/√M, and a fraction of the kernel's, and of that of the law for the covariance."""
    random = np.random.default_rng(46)
    centres = random.standard_normal((8, 50))
    norms = np.exp(0.3 * random.standard_normal((n, 1)))
    x = 0.7 + norms * (centres[random.integers(8, size=n)] + 0.5 * random.standard_normal((n, 50)))
    kernel = relu_kernel(x, 3, 2.0, 0.1, width)
    network = Network(3, "relu", 2.0, 0.1, width_ratios=[50 / width, 1, 1])
    law = given_spectrum(network, FIM(), width=width, inputs=x, kernel=kernel)
    bulks = [np.linalg.eigvalsh(relu_network(x, 3, 2.0, 0.1, width, seed))[:-1] for seed in range(20)]
    together = np.sort(np.concatenate(bulks))
    ranks = (np.arange(len(together)) + 0.5) / len(together)
    distance = np.abs(law.cdf(together) - ranks).max()
    alone = np.abs(np.searchsorted(law.kernel_eigenvalues[::-1], together) / (n - 1) - ranks).max()
    covariance = spectrum(network, FIM(), width=width, inputs=x)
    assert distance < 1 / np.sqrt(width)
    assert distance < 0.5 * alone
    assert distance < 0.5 * np.abs(covariance.cdf(together) - ranks).max()
    assert law.status == "ok"
    assert covariance.status != "ok"


def test_the_common_eigenvalue_need_not_be_the_largest() -> None:
    """Inputs with one strong direction of their own, orthogonal to a weak mean; and a centred kernel without any."""
    x = drawn(60, 40, 0.3)
    x[:, 0] = np.repeat([4.0, -4.0], 30)
    x[:, 1] = 1.0
    kernel = x @ x.T / 40
    network = Network(1, "linear", 1.0)
    law = given_spectrum(network, NTK(), width=40, inputs=x, kernel=kernel)
    assert law.common == pytest.approx(60 / 40, rel=0.15)
    assert law.kernel_eigenvalues[0] > 10 * law.common
    assert law.distance(np.linalg.eigvalsh(kernel)[-40:]) < 1 / 40
    away = kernel - kernel.mean(axis=0)
    away = (away.T - away.mean(axis=1)).T
    centred = given_spectrum(network, NTK(centered=True), width=40, inputs=x, kernel=away)
    assert centred.common == pytest.approx(0, abs=1e-9)
    assert centred.distance(np.linalg.eigvalsh(away)[-39:]) < 1 / 40


def test_distance_and_cdf() -> None:
    x = drawn(60, 40)
    network = Network(2, "relu", 2.0, 0.1, width_ratios=[0.4, 1])
    law = given_spectrum(network, FIM(), width=100, inputs=x, kernel=relu_kernel(x, 2, 2.0, 0.1, 100))
    assert law.common > law.eigenvalues[0]
    outlier = 10 * law.eigenvalues[0]
    typical = [*law.eigenvalues, outlier]
    assert law.distance(typical) == pytest.approx(0.5 / 59, rel=0.05)
    assert law.distance(3 * np.array(typical), normalised=True) < 0.02
    assert law.cdf([-1.0, 0.0, outlier]).tolist() == [0.0, pytest.approx(0, abs=1e-3), pytest.approx(1, abs=1e-3)]
    assert np.all(np.diff(law.eigenvalues) <= 0)
    with pytest.raises(ValueError, match="eigenvalues: expected more than 1"):
        law.distance([1.0])


def test_near_duplicates_of_kinked_networks() -> None:
    """An angle of 1e-3 rad between two samples leaves 100 × 1e-3/π of 100 kinks between them."""
    x = drawn(40, 40)
    twins = np.concatenate([x, x + 1e-3 * drawn(40, 40, seed=1)])
    network = Network(2, "relu", 2.0, 0.1, width_ratios=[0.4, 1])

    def said(rows: Any) -> tuple[str, ...]:
        kernel = relu_kernel(rows, 2, 2.0, 0.1, 100)
        return given_spectrum(network, FIM(), width=100, inputs=rows, kernel=kernel).warnings

    assert any("near-duplicates" in w and "about 0.03" in w for w in said(twins))
    biased = Network(2, "relu", 0.5, 2.0, width_ratios=[0.4, 1])
    a, b = 0.5 / 40 * np.sum(twins[:40] ** 2, axis=1) + 2, 0.5 / 40 * np.sum(twins[40:] ** 2, axis=1) + 2
    angles = np.arccos((0.5 / 40 * np.sum(twins[:40] * twins[40:], axis=1) + 2) / np.sqrt(a * b))
    law = given_spectrum(biased, FIM(), width=100, inputs=twins, kernel=relu_kernel(twins, 2, 0.5, 2.0, 100))
    assert f"about {100 * np.median(angles) / np.pi:.2g}" in law.warnings[0]
    wide = Network(2, "relu", 2.0, 0.1, width_ratios=[0.04, 1])
    kernel = relu_kernel(x, 2, 2.0, 0.1, 1000)
    assert given_spectrum(wide, FIM(), width=1000, inputs=x, kernel=kernel).warnings == ()
    smooth = Network(2, "tanh", 2.0, 0.1, width_ratios=[0.4, 1])
    kernel = relu_kernel(twins, 2, 2.0, 0.1, 100)  # any: the warning doesn't look at it
    assert given_spectrum(smooth, FIM(), width=100, inputs=twins, kernel=kernel).warnings == ()


@pytest.mark.parametrize("kernel", [np.ones((3, 3)), np.triu(np.ones((9, 9))), np.full((9, 9), np.nan)])
def test_refusals(kernel: Any) -> None:
    network, x = Network(2, "relu", 2.0), drawn(9, 20)
    with pytest.raises(ValueError, match="kernel: expected a symmetric matrix"):
        given_spectrum(network, FIM(), width=20, inputs=x, kernel=kernel)
    with pytest.raises(TypeError, match="kernel: expected a symmetric matrix"):
        given_spectrum(network, FIM(), width=20, inputs=x, kernel="x")
    with pytest.raises(ValueError, match="width_ratios: expected α_0 M = 20"):
        given_spectrum(Network(2, "relu", 2.0, width_ratios=[2, 1]), FIM(), width=30, inputs=x)
    with pytest.raises(ValueError, match="inputs: expected the shape"):
        given_spectrum(network, FIM(), width=30, inputs=x[:2])


def test_the_kernel_is_that_of_given_kernel_by_default() -> None:
    x = drawn(12, 20)
    asked = {"width": 30, "inputs": x}
    made = given_kernel(Network(3, "relu", 2.0, 0.1), x, metric=FIM(), width=30)
    own, told = (given_spectrum(Network(3, "relu", 2.0, 0.1), FIM(), **asked, **more)
                 for more in ({}, {"kernel": made.normaliser * made.matrix}))  # fmt: skip
    np.testing.assert_array_equal(own.eigenvalues, told.eigenvalues)
    theirs = given_spectrum(Network(3, "relu", 2.0, 0.1), FIM(), **asked, kernel=relu_kernel(x, 3, 2.0, 0.1, 30))
    np.testing.assert_allclose(own.eigenvalues, theirs.eigenvalues, rtol=1e-9)
