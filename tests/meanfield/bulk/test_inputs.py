"""The law of given inputs: scales, means, constants, and Gram matrices by NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from meanfield import FIM, NTK, Network, spectrum

D = 80


def drawn(n: int, scales: Any, mean: Any = 0.0, seed: int = 0) -> Any:
    """n samples of D features with these standard deviations."""
    return mean + np.random.default_rng((42, seed)).standard_normal((n, D)) * scales


SLOPED = np.exp(-0.02 * np.arange(D))


@pytest.mark.parametrize("samples", [40, 160, 800])
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_one_linear_layer_has_the_spectrum_of_the_gram_matrix(samples: int, scale: float) -> None:
    """Of X Xᵀ σ_w²/d + σ_b²: the population's estimate gives the sample back that it came from, and the mean's part is
    in the outlier."""
    x = scale * drawn(samples, SLOPED, mean=1.0)
    law = spectrum(Network(1, "linear", 1.5, 0.2), NTK(), width=D, inputs=x)
    measured = np.linalg.eigvalsh(1.5 * x @ x.T / D + 0.2)[-min(samples, D + 1) :]
    assert law.samples == samples
    assert law.distance(measured) < 2 / min(samples, D)  # counts of eigenvalues hardly fluctuate
    assert law.mean == pytest.approx(measured[:-1].sum() / (samples - 1), rel=0.03)
    assert law.outliers.values[0] == pytest.approx(measured[-1], rel=0.03)
    assert law.atom == pytest.approx(max(0.0, 1 - D / samples))


def test_more_samples_than_given() -> None:
    """The law is that of draws like the inputs, of which there may be others than were given."""
    few, many = drawn(200, SLOPED), np.linalg.svd(drawn(1000, SLOPED, seed=1), compute_uv=False) ** 2 / D
    law = spectrum(Network(1, "linear", 1.0, 0.0), NTK(), width=D, samples=1000, inputs=few)
    assert law.distance(many) < 2 / D
    assert law.samples == 1000


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_scale_of_the_inputs_is_that_of_the_first_weights(activation: str) -> None:
    """The NTK of s X with σ_w² is that of X with s² σ_w² in the first layer, to all digits."""
    x = drawn(60, SLOPED, mean=0.2)
    one = spectrum(Network(3, activation, [4.5, 2.0, 1.5], 0.3), NTK(), width=D, inputs=x)
    other = spectrum(Network(3, activation, [0.5, 2.0, 1.5], 0.3), NTK(), width=D, inputs=3 * x)
    assert [e.position for e in other.edges] == pytest.approx([e.position for e in one.edges], rel=1e-8)
    assert other.outliers.values == pytest.approx(one.outliers.values, rel=1e-9)
    assert other.outliers.std == pytest.approx(one.outliers.std, rel=1e-9)
    assert other.quantile([0.1, 0.5, 0.9]) == pytest.approx(one.quantile([0.1, 0.5, 0.9]), rel=1e-8)


def test_standard_inputs_have_the_standard_law() -> None:
    """Edges within the error of the population's eigenvalues, edges being no steeper in them."""
    network = Network(3, "tanh", 3.0, 0.64)
    law = spectrum(network, FIM(), width=D, samples=40, inputs=drawn(20_000, 1.0))
    standard = spectrum(network, FIM(), width=D, samples=40)
    assert law.inputs.error < 0.03
    assert law.lower == pytest.approx(standard.lower, rel=0.03)
    assert law.upper == pytest.approx(standard.upper, rel=0.03)
    assert law.quantile(0.5) == pytest.approx(standard.quantile(0.5), rel=0.03)
    assert not any("inputs" in w for w in law.warnings)


def test_norm_and_overlap_are_the_means_over_samples_and_pairs() -> None:
    x = drawn(50, SLOPED, mean=0.3)
    gram = x @ x.T / D
    law = spectrum(Network(2, "relu", 2.0), FIM(), width=D, inputs=x)
    assert law.inputs.norm == pytest.approx(np.diagonal(gram).mean(), rel=1e-12)
    assert law.inputs.overlap == pytest.approx(gram[~np.eye(50, dtype=bool)].mean(), rel=1e-12)
    assert law.order_parameters.forward[0] == law.inputs.norm
    assert law.order_parameters.forward_st[0] == law.inputs.overlap
    gap = law.inputs.norm - law.inputs.overlap
    assert law.inputs.shares @ law.inputs.eigenvalues == pytest.approx(gap, rel=1e-12)
    assert gap == pytest.approx(np.trace(np.cov(x.T)) / D, rel=1e-12)
    assert any("they have a mean" in w for w in law.warnings)
    centred = spectrum(Network(2, "relu", 2.0), FIM(), width=D, inputs=x - x.mean(axis=0))
    assert centred.inputs.overlap == 0
    assert not any("they have a mean" in w for w in centred.warnings)


def test_levels_are_those_of_gaussian_inputs() -> None:
    """Var |x - m|²/d = 2 tr Σ²/d² and Var m·(x - m)/d = mᵀΣm/d²: 20000 samples, five standard errors of variances."""
    law = spectrum(Network(2, "relu", 2.0), FIM(), width=D, samples=20, inputs=drawn(20_000, SLOPED, mean=0.5))
    expected = [2 * np.sum(SLOPED**4), 0.25 * np.sum(SLOPED**2)]
    np.testing.assert_allclose(np.diagonal(law.inputs.levels) * D**2, expected, rtol=5 * np.sqrt(3 / 20_000))


def test_constant_features_are_the_means() -> None:
    """Half of the features constant: zeros of the covariance, whose others are those of the rest alone."""
    x = np.hstack([drawn(400, SLOPED)[:, :40], np.full((400, 40), 0.1)])
    law = spectrum(Network(1, "linear", 1.0), NTK(), width=D, inputs=x)
    rest = spectrum(Network(1, "linear", 1.0), NTK(), width=40, inputs=x[:, :40])
    assert law.inputs.eigenvalues[0] == 0
    assert law.inputs.shares[0] == pytest.approx(0.5)
    np.testing.assert_allclose(law.inputs.eigenvalues[1:], rest.inputs.eigenvalues, rtol=1e-9)
    assert law.inputs.error == pytest.approx(0.5 * rest.inputs.error, rel=1e-9)
    assert law.atom == pytest.approx(0.9)
    assert any("40 of 80 features are constant" in w for w in law.warnings)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.ones((2, D)), r"inputs: expected the shape \(N, d\) with N >= 3 and d >= 1, got \(2, 80\)"),
        (np.ones(D), r"got \(80,\)"),
        (np.ones((9, D)), "inputs: expected samples that differ"),
        (np.full((9, D), np.nan), "inputs: expected finite numbers, got 720 that are not"),
    ],
)
def test_refusals(inputs: Any, message: str) -> None:
    network = Network(2, "tanh", 2.0)
    with pytest.raises(ValueError, match=message):
        spectrum(network, FIM(), width=D, inputs=inputs)
    for wrong in ("x", 1j * np.ones((9, D))):
        with pytest.raises(TypeError, match="inputs: expected an array of numbers"):
            spectrum(network, FIM(), width=D, inputs=wrong)
    with pytest.raises(ValueError, match="input_spectrum: expected none where inputs are given"):
        spectrum(network, FIM(), width=D, inputs=drawn(9, 1.0), input_spectrum=[1.0])
    with pytest.raises(ValueError, match="samples: expected a number where no inputs are given"):
        spectrum(network, FIM(), width=D)
