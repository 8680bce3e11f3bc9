"""Lanczos against LAPACK, on spectra that are hard for it."""

import numpy as np
import pytest
from numpy.random import default_rng

from empirical.backends import make_backend
from empirical.dual.lanczos import NotConverged, largest_pairs, tolerance

HOST = make_backend("numpy", "float64")
SIZE = 400
SPECTRA = {
    "exactly equal outliers": np.r_[[50.0] * 6, np.linspace(1, 0, SIZE - 6)],
    "outliers in a cluster": np.r_[50 + 1e-7 * np.arange(6), np.linspace(1, 0, SIZE - 6)],
    "low rank": np.r_[np.arange(4.0, 0, -1), np.zeros(SIZE - 4)],
    "no outliers": np.linspace(2.0, 1.0, SIZE),
    "zero": np.zeros(SIZE),
    "a million to one": np.geomspace(1e6, 1e-6, SIZE),
}


@pytest.mark.parametrize("name", SPECTRA)
def test_largest_eigenvalues(name):
    values = np.sort(SPECTRA[name])[::-1]
    basis = np.linalg.qr(default_rng(1).standard_normal((SIZE, SIZE)))[0]
    matrix = (basis * values) @ basis.T
    found = largest_pairs(lambda v: matrix @ v, SIZE, 7, HOST)
    # What the residual promises, and rounding of the matrix itself.
    np.testing.assert_allclose(found.values, values[:7], rtol=0, atol=(tolerance("float64") + 1e-13) * values[0])
    np.testing.assert_allclose(found.vectors.T @ found.vectors, np.eye(7), atol=1e-12)
    residuals = np.linalg.norm(matrix @ found.vectors - found.vectors * found.values, axis=0)
    np.testing.assert_allclose(found.residuals, residuals, rtol=0, atol=1e-13 * (values[0] + 1))


def test_too_few_vectors_are_told():
    matrix = np.diag(np.linspace(2.0, 1.0, SIZE))
    with pytest.raises(NotConverged, match="7 largest"):
        largest_pairs(lambda v: matrix @ v, SIZE, 7, HOST, most=30)


def test_a_wrong_product_is_told():
    """The residual is measured: an operator that isn't symmetric doesn't pass."""
    matrix = default_rng(3).standard_normal((60, 60))
    with pytest.raises(NotConverged):
        largest_pairs(lambda v: matrix @ v, 60, 3, HOST)
