"""The joint law of all eigenvalues at given inputs: sampled kernels that are positive.

    K̂ = B E^½ W^½ (1 + R_last) W^½ E^½ Bᵀ,    E = exp(R_low - ½ E R_low²),    K̄ = B Bᵀ

on CN × CN, where R is the noise relative to the mean kernel K̄ = K + dK and W = 1 + R of a Wishart matrix, where there is
one. Perturbation theory does not give this law: next
to each other levels lie closer than the noise, and repel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.given_neurons import LAW, stream
from meanfield.finite_width.given_noise import Source, counted_noise, last_noise, lower_noise
from meanfield.finite_width.given_spectrum import Basis, exponential

__all__ = ["joint_law"]

Floats = NDArray[np.float64]

_LEAST, _PER_SAMPLE = 1000, 4  # neurons of a pool, whose number must exceed that of the samples
_NETWORKS = 25  # that share a pool


def joint_law(sources: list[Source], basis: Basis, outputs: int, networks: int) -> Floats:
    """All C r eigenvalues of K̂, descending, of ``networks`` networks, one a row; the same for the same question."""
    white, lift = basis.whitening, basis.lift
    size = max(_LEAST, _PER_SAMPLE * outputs * white.shape[1])
    lower = _lower(sources[:-1], white, outputs, networks, size)
    curvature = sum(r @ r for r in lower) / (2 * networks)
    rows = np.array(
        [
            _eigenvalues(lift, r - curvature, _positive(sources, white, outputs, size, number))
            for number, r in enumerate(lower)
        ]
    )
    # The mean trace is known, which takes out of every mean most of what the sampled networks share.
    found: Floats = rows * (outputs * np.sum(lift**2) / rows.sum(axis=1).mean())
    return found


def _lower(sources: list[Source], white: Floats, outputs: int, networks: int, size: int) -> Floats:
    """R_low of every network, (networks, C r, C r)."""
    rank = outputs * len(white)
    noise = np.zeros((networks, rank, rank))
    for m, source in enumerate(sources):
        if source.layer is None:
            continue
        for start in range(0, networks, _NETWORKS):
            some = noise[start : start + _NETWORKS]
            drawn = lower_noise(source, size, outputs, len(some), stream(LAW, 0, m, start))
            for total, blocks in zip(some, drawn, strict=True):
                total += _whitened(blocks, white)
    return noise


def _positive(sources: list[Source], white: Floats, outputs: int, size: int, network: int) -> Floats:
    """W^½ (1 + R_last) W^½ of one network."""
    found = one = np.eye(outputs * len(white))
    for source in sources[-1:]:
        found = one + _whitened(last_noise(source, outputs, size, stream(LAW, 1, network)), white)
    for m, source in enumerate(sources[:-1]):
        if source.counts_alone:
            drawn = counted_noise(source, outputs, size, stream(LAW, 2, m, network))
            half = _square_root(one + _whitened(drawn, white))
            found = half @ found @ half
    return found


def _square_root(symmetric: Floats) -> Floats:
    values, vectors = np.linalg.eigh(symmetric)
    found: Floats = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return found


def _whitened(blocks: Floats, white: Floats) -> Floats:
    """(C, C, N, N) in the relative basis, (C r, C r)."""
    return _matrix(white @ blocks @ white.T)


def _matrix(blocks: Floats) -> Floats:
    """(C, C, r, r) → (C r, C r)."""
    return np.swapaxes(blocks, 1, 2).reshape(2 * (len(blocks) * blocks.shape[2],))


def _eigenvalues(lift: Floats, low: Floats, positive: Floats) -> Floats:
    half = exponential(low / 2)
    rank = len(lift)
    blocks = (half @ positive @ half).reshape(len(low) // rank, rank, -1, rank).swapaxes(1, 2)
    return np.linalg.eigvalsh(_matrix(lift @ blocks @ lift.T))[::-1]
