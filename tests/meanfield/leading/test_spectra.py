"""The spectrum of an exchangeable kernel, held against the eigenvalues of the matrix itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meanfield.kernels.exchangeable import ExchangeableKernel
from meanfield.kernels.logits import given_logits
from meanfield.leading.spectra import softmax_spectrum, spectrum_statistics


def exchangeable(same, other, normaliser, dimension, outputs, samples):
    floats = {"same": same, "other": other, "gap": same - other, "normaliser": normaliser, "dimension": dimension}
    floats |= {"samples": samples, "narrowest": 100.0, "gradient_width": 100.0}
    return ExchangeableKernel(outputs=outputs, **{k: np.array(float(v)) for k, v in floats.items()})


sizes = st.integers(1, 6)
values = st.floats(0.1, 10)


@example(1.0, 1.0, 1.0, 2, 3, 0)
@given(values, st.floats(0, 1), values, sizes, sizes, st.integers(0, 50))
def test_statistics_are_those_of_the_matrix(same, share, normaliser, outputs, samples, extra):
    other = share * same
    dimension = outputs * samples + extra
    block = (same - other) * np.eye(samples) + other
    eigenvalues = np.sort(np.linalg.eigvalsh(normaliser * np.kron(np.eye(outputs), block)))[::-1]
    found = spectrum_statistics(exchangeable(same, other, normaliser, dimension, outputs, samples))
    assert found.mean == pytest.approx(eigenvalues.sum() / dimension, rel=1e-10)
    assert found.second_moment == pytest.approx((eigenvalues**2).sum() / dimension, rel=1e-10)
    assert found.outliers == pytest.approx(eigenvalues[:outputs], rel=1e-10)
    assert found.multiplicity == outputs * (samples - 1) * (share < 1)  # of the non-zero ones
    if samples > 1 and share < 1:
        rest = eigenvalues[outputs:]
        assert found.bulk == pytest.approx(rest.mean(), rel=1e-9, abs=1e-9 * normaliser * same)


def test_bulk_shares_the_trace_where_the_metric_has_fewer_dimensions_than_the_dual():
    found = spectrum_statistics(exchangeable(3.0, 1.0, 0.5, dimension=7, outputs=2, samples=10))
    assert found.multiplicity == 5
    assert found.mean * 7 == pytest.approx(found.outliers.sum() + 5 * found.bulk, rel=1e-12)


@pytest.mark.parametrize(("dimension", "samples"), [(2, 10), (1, 10), (50, 1)])
def test_without_a_bulk_its_mean_is_void(dimension, samples):
    found = spectrum_statistics(exchangeable(3.0, 1.0, 0.5, dimension, 2, samples))
    assert found.multiplicity == 0
    assert np.isnan(found.bulk)


def sandwiched(kernel, logits):
    """ν Rᵀ (I_C ⊗ [(K₁ - K₂) I + K₂ 1 1ᵀ]) R written out, output-major."""
    n, c = logits.shape
    g = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    root = np.zeros((c, n, c, n))
    for i, p in enumerate(g):
        root[:, i, :, i] = np.diag(np.sqrt(p)) - np.outer(p, np.sqrt(p))
    root = root.reshape(c * n, c * n)
    block = (kernel.same - kernel.other) * np.eye(n) + kernel.other
    return kernel.normaliser * root.T @ np.kron(np.eye(c), block) @ root


@given(values, st.floats(0.05, 0.9), values, st.integers(2, 5), sizes, st.integers(0, 50), st.booleans())
def test_softmax_statistics_are_those_of_the_sandwich(same, share, normaliser, outputs, samples, extra, centered):
    kernel = exchangeable(same, share * same, normaliser, outputs * samples + extra, outputs, samples)
    kernel = kernel.centered() if centered else kernel
    logits = np.random.default_rng(extra).normal(size=(samples, outputs))
    centred_logits = logits - logits.mean(0) if centered else logits
    eigenvalues = np.linalg.eigvalsh(sandwiched(kernel, centred_logits))[::-1]
    found = softmax_spectrum(kernel, lambda _: given_logits(logits, centered))
    scale = 1e-12 * normaliser * same
    assert found.mean * kernel.dimension == pytest.approx(eigenvalues.sum(), rel=1e-9, abs=scale)
    assert found.second_moment * kernel.dimension == pytest.approx((eigenvalues**2).sum(), rel=1e-9, abs=scale**2)
    predicted = found.outliers[np.isfinite(found.outliers)]
    assert found.outliers.shape == ((0,) if centered else (outputs - 1,))
    assert predicted == pytest.approx(eigenvalues[: len(predicted)], rel=1e-9)
    rest = eigenvalues[len(predicted) :]
    assert found.multiplicity == np.sum(rest > 1e-10 * normaliser * same)
    if found.multiplicity > 0:
        assert found.bulk * found.multiplicity == pytest.approx(rest.sum(), rel=1e-8, abs=1e3 * scale)
    if len(predicted):
        lower, upper = found.bounds
        assert lower * (1 - 1e-9) <= predicted[0] <= upper * (1 + 1e-9)


def test_softmax_statistics_broadcast():
    kernel = exchangeable(3.0, 1.0, 0.5, 40, 3, 5)
    shaped = {k: np.full((2, 4), v) for k, v in vars(kernel).items() if isinstance(v, np.ndarray)}
    many = type(kernel)(**{**vars(kernel), **shaped})
    logits = np.random.default_rng(0).normal(size=(5, 3))
    one, table = (softmax_spectrum(k, lambda _: given_logits(logits, False)) for k in (kernel, many))
    assert table.outliers.shape == (2, 4, 2)
    for name in ("mean", "second_moment", "outliers", "bulk", "multiplicity"):
        np.testing.assert_array_equal(getattr(table, name)[1, 3], getattr(one, name))
