"""The sandwich of the softmax, against R written out sample by sample."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from meanfield.kernels.given_softmax import largest_eigenvalues, sandwich, sandwich_moments

Floats = NDArray[np.float64]
RNG = np.random.default_rng(30)


def _case(samples: int, outputs: int, scale: float = 1.0) -> tuple[Floats, Floats]:
    """A kernel, and probabilities (C, N)."""
    root = RNG.standard_normal((samples, samples + 3))
    g = np.exp(scale * RNG.standard_normal((outputs, samples)))
    return root @ root.T, g / g.sum(axis=0)


def _dense(kernel: Floats, g: Floats) -> Floats:
    """Rᵀ (I_C ⊗ K) R with R_n = (1 - g_n 1ᵀ) diag √g_n, which has R_n R_nᵀ = diag g_n - g_n g_nᵀ."""
    outputs, samples = g.shape
    whole = np.zeros((outputs * samples, outputs * samples))
    for n in range(samples):
        root = (np.eye(outputs) - g[:, [n]]) * np.sqrt(g[:, n])
        np.testing.assert_allclose(root @ root.T, np.diag(g[:, n]) - np.outer(g[:, n], g[:, n]), atol=1e-15)
        places = np.arange(outputs) * samples + n
        whole[np.ix_(places, places)] = root
    return whole.T @ np.kron(np.eye(outputs), kernel) @ whole


@pytest.mark.parametrize(("samples", "outputs", "scale"), [(7, 4, 1.0), (1, 3, 1.0), (5, 2, 4.0), (4, 3, 30.0)])
def test_entries_and_moments_are_those_of_the_matrix_written_out(samples: int, outputs: int, scale: float) -> None:
    kernel, g = _case(samples, outputs, scale)
    dense = _dense(kernel, g)
    np.testing.assert_allclose(sandwich(kernel, g), dense, atol=1e-13 * kernel.max())
    found = sandwich_moments(kernel, g)
    assert found.trace == pytest.approx(np.trace(dense), rel=1e-10)
    assert found.square == pytest.approx(np.sum(dense**2), rel=1e-9)


@pytest.mark.parametrize(("samples", "outputs"), [(40, 4), (31, 2), (5, 3), (2, 40)])
def test_lanczos_finds_what_the_matrix_has(samples: int, outputs: int) -> None:
    kernel, g = _case(samples, outputs)
    count = outputs - 1
    dense = np.linalg.eigvalsh(_dense(kernel, g))[::-1][:count]
    np.testing.assert_allclose(largest_eigenvalues(kernel, g, count), dense, rtol=1e-11, atol=1e-12 * dense[0])


def test_a_uniform_softmax_sees_what_is_not_common_to_the_outputs() -> None:
    """g = 1/C: every eigenvalue of K, C - 1 times, over C."""
    kernel, _ = _case(6, 3)
    found = np.linalg.eigvalsh(sandwich(kernel, np.full((3, 6), 1 / 3)))
    expected = np.concatenate([np.zeros(6), np.repeat(np.linalg.eigvalsh(kernel) / 3, 2)])
    np.testing.assert_allclose(found, np.sort(expected), atol=1e-12)
