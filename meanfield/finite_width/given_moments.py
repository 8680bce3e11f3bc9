"""Trace and largest eigenvalue at given inputs in closed form: sums over sampled neurons, first order in 1/M.

With v_1 the top eigenvector, Z what a neuron of a source does to K (both of :mod:`meanfield.finite_width.given_noise`):

    var tr K = C² Σ E(tr Z)²/n + 2 C Σ E(tr Y)²/n,
    R_1j = Σ E(v_1ᵀ Z v_j)²/n,   B_1j = Σ E(v_1ᵀ Y v_j)²/n,   B̃_1j = Σ E(v_1ᵀ Y v_j)(v_jᵀ Y v_1)/n,
    W_1j = R_1j + B_1j + B̃_1j + (C - 1) B_1j,
    E λ̄_1 = λ_1 + v_1ᵀ dK v_1 + Σ_j W_1j (λ_1 - λ_j)/((λ_1 - λ_j)² + W_1j),   var λ̄_1 = R_11 + (B_11 + B̃_11)/C,

λ̄_1 the mean of the C eigenvalues of index 1, about which they are those of a Gaussian matrix, GOE_C(√B_11). Of deeper
eigenvalues this is wrong: neighbours lie closer than the noise (:mod:`meanfield.finite_width.given_joint`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.given_neurons import FIRST_ORDER, stream
from meanfield.finite_width.given_noise import Pool, Source
from meanfield.finite_width.given_spectrum import Basis
from meanfield.finite_width.outliers import log_normal

__all__ = ["TopLaw", "top_law", "trace_deviation"]

Floats = NDArray[np.float64]

_BLOCK = 4_000_000  # numbers of a block of neurons
_SAMPLED = 4096  # values of λ_max


@dataclass(frozen=True)
class TopLaw:
    """Mean and standard deviation of λ̄_1, and equally likely values of λ_max (all of K, without ν)."""

    mean: float
    std: float
    largest: Floats


def trace_deviation(sources: list[Source], outputs: int, draws: int, centered: bool) -> float:
    """The standard deviation of tr K over networks, of all C outputs, with or without the samples' means."""
    variance = 0.0
    for number, source in enumerate(sources):
        own = through = 0.0
        for pool in _pools(source, draws, 0, number):
            own += float(np.sum(_trace(source, pool, centered) ** 2))
            through += float(np.sum(_trace_above(source, pool, centered) ** 2))
        variance += (outputs**2 * own + 2 * outputs * through) / (draws * source.width)
    return math.sqrt(variance)


def top_law(sources: list[Source], basis: Basis, outputs: int, draws: int) -> TopLaw:
    """The law of the largest eigenvalue."""
    values, vectors = basis.values, basis.vectors
    R, B, swapped = np.zeros((3, len(values)))
    for number, source in enumerate(sources):
        scale = 1 / (draws * source.width)
        for pool in _pools(source, draws, 1, number):
            R += scale * np.sum((_times(source, pool, vectors[:, 0]) @ vectors) ** 2, axis=0)
            left, right = (side @ vectors for side in _times_above(source, pool, vectors[:, 0]))
            B += scale * np.sum(left**2, axis=0)
            swapped += scale * np.sum(left * right, axis=0)
    W, gap = (R + swapped + outputs * B)[1:], values[0] - values[1:]
    mean = values[0] * (1 + basis.shift[0, 0]) + float(np.sum(W * gap / (gap**2 + W)))
    std = math.sqrt(R[0] + (B[0] + swapped[0]) / outputs)
    common = log_normal(1.0, math.sqrt(R[0]) / mean, _SAMPLED)
    return TopLaw(mean, std, common * (mean + math.sqrt(B[0]) * _top_of_gaussian(outputs)))


def _top_of_gaussian(outputs: int) -> Floats:
    """Largest eigenvalues of GOE_C of unit variance off the diagonal."""
    rng = stream(FIRST_ORDER, 2)
    matrices = rng.standard_normal((_SAMPLED, outputs, outputs)) / math.sqrt(2)
    return np.asarray(np.linalg.eigvalsh(matrices + np.swapaxes(matrices, 1, 2))[:, -1], dtype=np.float64)


def _pools(source: Source, draws: int, purpose: int, number: int) -> Iterator[Pool]:
    """``draws`` neurons in blocks of bounded size."""
    rng, size = stream(FIRST_ORDER, purpose, number), max(1, _BLOCK // len(source.mean))
    for start in range(0, draws, size):
        yield source.pool(min(size, draws - start), rng)


def _times(source: Source, pool: Pool, v: Floats) -> Floats:
    """Z v of each neuron, a row each."""
    r, square = source.response, pool.phi**2
    product: Floats = (
        square * (r.own @ v)
        + (square * v) @ r.other.T
        + pool.phi * ((pool.phi * v) @ r.across)
        + pool.slope * ((pool.slope * v) @ r.slope)
        - source.average @ v
    )
    return product


def _times_above(source: Source, pool: Pool, v: Floats) -> tuple[Floats, Floats]:
    """Y v and Yᵀ v of each neuron, a row each."""

    def product(left: Floats, right: Floats) -> Floats:
        counted = source.counted * (right @ v)[:, None] * left
        found: Floats = counted + pool.slope * left * ((pool.slope * right * v) @ source.slope)
        return found

    return product(pool.zeta, pool.other), product(pool.other, pool.zeta)


def _trace(source: Source, pool: Pool, centered: bool) -> Floats:
    r = source.response
    trace: Floats = (
        pool.phi**2 @ np.diagonal(r.across) + pool.slope**2 @ np.diagonal(r.slope) - np.trace(source.average)
    )
    return trace - _average(_times(source, pool, np.ones(len(r.own)))) if centered else trace


def _trace_above(source: Source, pool: Pool, centered: bool) -> Floats:
    both = pool.zeta * pool.other
    trace: Floats = (pool.slope**2 * both) @ np.diagonal(source.slope) + source.counted * both.sum(axis=1)
    return trace - _average(_times_above(source, pool, np.ones(both.shape[1]))[0]) if centered else trace


def _average(product: Floats) -> Floats:
    """1ᵀ Z 1/N from Z 1."""
    found: Floats = product.mean(axis=1)
    return found
