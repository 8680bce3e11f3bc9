"""The mean kernel's resolved eigenbasis, in which noise is relative: K̄ = B Bᵀ and noise R = B⁻¹ (noise) B⁻ᵀ.

Neurons add positive matrices, so the noise of K is multiplicative: small eigenvalues fluctuate as little, relative to
themselves, as large ones. The mean shift dK is taken multiplicatively too, K̄ = Λ^½ exp(Λ^-½ Vᵀ dK V Λ^-½) Λ^½ in K's
eigenbasis: the same to first order, and positive.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Basis", "exponential", "resolved_basis"]

Floats = NDArray[np.float64]

_LARGEST = 0.5  # shift of an eigenvalue, relative to it, from which on the expansion says nothing
_ROUNDING = 1e3  # times N ε λ_1: below, rounding reaches 1 % of what is relative to an eigenvalue


@dataclass(frozen=True)
class Basis:
    """The r resolved eigenvalues of K (descending) with eigenvectors (N, r), and Λ^-½ Vᵀ dK V Λ^-½ (r, r)."""

    values: Floats
    vectors: Floats
    shift: Floats

    @property
    def trace(self) -> float:
        """tr (K + dK)."""
        return float(self.values @ (1 + np.diagonal(self.shift)))

    @property
    def lift(self) -> Floats:
        """B (r, r), K̄ = B Bᵀ."""
        return np.sqrt(self.values)[:, None] * exponential(self.shift / 2)

    @property
    def whitening(self) -> Floats:
        """B⁻¹ Vᵀ (r, N)."""
        return exponential(-self.shift / 2) @ (self.vectors / np.sqrt(self.values)).T


def resolved_basis(kernel: Floats, shift: Floats, centered: bool) -> Basis:
    """That of K, and of dK in it; with every sample mean projected out if ``centered``."""
    trace = float(np.trace(kernel))
    if centered:
        kernel, shift = _centered(kernel), _centered(shift)
    values, vectors = np.linalg.eigh(kernel)
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = values > _ROUNDING * np.finfo(float).eps * max(len(values) * values[0], trace)
    values, vectors = values[kept], vectors[:, kept]
    white = vectors / np.sqrt(values)
    relative = white.T @ shift @ white
    known = int(np.argmax(np.append(np.abs(np.diagonal(relative)) > _LARGEST, True)))
    return Basis(values[:known], vectors[:, :known], (relative + relative.T)[:known, :known] / 2)


def exponential(symmetric: Floats) -> Floats:
    """exp of a symmetric matrix."""
    values, vectors = np.linalg.eigh(symmetric)
    found: Floats = (vectors * np.exp(values)) @ vectors.T
    return found


def _centered(matrix: Floats) -> Floats:
    matrix = matrix - matrix.mean(axis=0)
    centered: Floats = matrix - matrix.mean(axis=1, keepdims=True)
    return centered
