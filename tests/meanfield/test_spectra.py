"""The spectrum of an exchangeable kernel, held against the eigenvalues of the matrix itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanfield.kernels import ExchangeableKernel
from meanfield.spectra import spectrum_statistics


def kernel(same, other, normaliser, dimension, outputs, samples):
    floats = {"same": same, "other": other, "gap": same - other, "normaliser": normaliser, "dimension": dimension}
    floats |= {"samples": samples, "narrowest": 100.0, "gradient_width": 100.0}
    return ExchangeableKernel(outputs=outputs, **{k: np.array(float(v)) for k, v in floats.items()})


sizes = st.integers(1, 6)
values = st.floats(0.1, 10)


@given(values, st.floats(0, 1), values, sizes, sizes, st.integers(0, 50))
def test_statistics_are_those_of_the_matrix(same, share, normaliser, outputs, samples, extra):
    other = share * same
    dimension = outputs * samples + extra
    block = (same - other) * np.eye(samples) + other
    eigenvalues = np.sort(np.linalg.eigvalsh(normaliser * np.kron(np.eye(outputs), block)))[::-1]
    found = spectrum_statistics(kernel(same, other, normaliser, dimension, outputs, samples))
    assert found.mean == pytest.approx(eigenvalues.sum() / dimension, rel=1e-10)
    assert found.second_moment == pytest.approx((eigenvalues**2).sum() / dimension, rel=1e-10)
    assert found.outliers == pytest.approx(eigenvalues[:outputs], rel=1e-10)
    assert found.multiplicity == outputs * (samples - 1)
    if samples > 1:
        rest = eigenvalues[outputs:]
        assert found.bulk == pytest.approx(rest.mean(), rel=1e-9, abs=1e-9 * normaliser * same)


def test_bulk_shares_the_trace_where_the_metric_has_fewer_dimensions_than_the_dual():
    found = spectrum_statistics(kernel(3.0, 1.0, 0.5, dimension=7, outputs=2, samples=10))
    assert found.multiplicity == 5
    assert found.mean * 7 == pytest.approx(found.outliers.sum() + 5 * found.bulk, rel=1e-12)


@pytest.mark.parametrize(("dimension", "samples"), [(2, 10), (1, 10), (50, 1)])
def test_without_a_bulk_its_mean_is_void(dimension, samples):
    found = spectrum_statistics(kernel(3.0, 1.0, 0.5, dimension, 2, samples))
    assert found.multiplicity == 0
    assert np.isnan(found.bulk)
