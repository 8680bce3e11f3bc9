"""The cross-entropy metrics on given inputs: ``Rᵀ (ν I_C ⊗ K) R`` with Q_n = R_n R_nᵀ = diag(g) - g gᵀ (theory.md §4).

Axes of ``g``: outputs × samples, the softmax probabilities of one network. R_jk(n) = √g_k (δ_jk - g_j), so that the
dual has the entries

    K_st √g_k(s) √g_k'(t) [δ_kk' - g_k(t) - g_k'(s) + Σ_j g_j(s) g_j(t)].
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["SandwichMoments", "largest_eigenvalues", "sandwich", "sandwich_moments"]

Floats = NDArray[np.float64]


class SandwichMoments(NamedTuple):
    """Trace and squared Frobenius norm, in units of ν and ν²."""

    trace: float
    square: float


def sandwich(kernel: Floats, g: Floats) -> Floats:
    """The dual in units of ν, (CN, CN), output-major rows k N + n."""
    outputs, samples = g.shape
    root, overlap = np.sqrt(g), g.T @ g
    dual = np.empty((outputs, samples, outputs, samples))
    for k in range(outputs):
        for other in range(outputs):
            inner = float(k == other) - g[k] - g[other][:, None] + overlap
            dual[k, :, other] = kernel * (root[k][:, None] * root[other]) * inner
    return dual.reshape(outputs * samples, -1)


def sandwich_moments(kernel: Floats, g: Floats) -> SandwichMoments:
    """Without the dual: tr Q_s = 1 - Σg², tr(Q_s Q_t) = Σ g g' (1 - g - g') + (Σ g g')²."""
    overlap, squared = g.T @ g, g**2
    pair = overlap - squared.T @ g - g.T @ squared + overlap**2
    trace = np.sum(g * (1 - g), axis=0) @ np.diagonal(kernel)
    return SandwichMoments(float(trace), float(np.vdot(kernel**2, pair)))


def largest_eigenvalues(kernel: Floats, g: Floats, count: int) -> Floats:
    """The ``count`` largest eigenvalues of the dual in units of ν, descending, by Lanczos: no CN × CN matrix."""
    from scipy.sparse.linalg import LinearOperator, eigsh

    outputs, samples = g.shape
    size = outputs * samples
    if count >= size - 1 or size <= 60:
        return np.asarray(np.linalg.eigvalsh(sandwich(kernel, g))[::-1][:count], dtype=np.float64)
    root = np.sqrt(g)

    def product(vector: Floats) -> Floats:
        v = vector.reshape(outputs, samples)
        right = root * v
        right = (right - g * right.sum(axis=0)) @ kernel
        left: Floats = root * (right - np.sum(g * right, axis=0))
        return left.ravel()

    start = np.random.default_rng(0).standard_normal(size)
    operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
    found = eigsh(operator, k=count, which="LA", v0=start, return_eigenvectors=False)
    return np.asarray(np.sort(found)[::-1], dtype=np.float64)
