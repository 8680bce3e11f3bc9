"""The relative basis: its defining identities, and what it leaves out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

from meanfield.finite_width.given_spectrum import exponential, resolved_basis


def kernel(values, seed=1):
    vectors = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values), len(values))))[0]
    return (vectors * values) @ vectors.T


def test_identities():
    """B Bᵀ is the mean kernel to first order in dK, and the whitening undoes B."""
    K, dK = kernel(np.array([9.0, 2.0, 1e-3])), 1e-4 * kernel(np.array([3.0, -1.0, 0.5]), 2) * 1e-3
    basis = resolved_basis(K, dK, False)
    V, B = basis.vectors, basis.lift
    assert pytest.approx(K + dK, abs=1e-9) == V @ B @ B.T @ V.T
    assert pytest.approx(np.eye(3), abs=1e-12) == basis.whitening @ V @ B
    assert basis.trace == pytest.approx(np.trace(K + dK))
    assert pytest.approx(expm(K)) == exponential(K)


def test_large_shifts_keep_the_mean_kernel_positive():
    K, dK = np.diag([4.0, 1.0]), np.diag([0.0, -0.4])
    basis = resolved_basis(K, dK, False)
    assert np.diag(basis.lift @ basis.lift.T) == pytest.approx([4.0, np.exp(-0.4)])


def test_centered():
    K = kernel(np.array([9.0, 2.0, 1.0, 0.5]))
    H = np.eye(4) - 0.25
    basis = resolved_basis(K, np.zeros((4, 4)), True)
    assert basis.values == pytest.approx(np.linalg.eigvalsh(H @ K @ H)[:0:-1])
    assert np.abs(basis.vectors.sum(axis=0)).max() < 1e-12


def test_what_is_not_known():
    """Below rounding, and from the first shift on that exceeds half its eigenvalue."""
    nothing = np.zeros((3, 3))
    assert len(resolved_basis(np.diag([1.0, 1e-6, 1e-14]), nothing, False).values) == 2
    assert len(resolved_basis(np.diag([1.0, 1e-3, 1e-4]), np.diag([0.0, -6e-4, 0.0]), False).values) == 1
