"""The joint law of all eigenvalues at given inputs: sampled kernels that are positive.

    K̂ = B E^½ (1 + R_last) E^½ Bᵀ,    E = exp(R_low - ½ E R_low²),    K̄ = B Bᵀ

on CN × CN, where R is the noise relative to the mean kernel K̄ = K + dK. Perturbation theory does not give this law: next
to each other levels lie closer than the noise, and repel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.given_neurons import LAW, stream
from meanfield.finite_width.given_noise import Source, last_noise, lower_noise
from meanfield.finite_width.given_spectrum import Basis, exponential

__all__ = ["joint_law"]

Floats = NDArray[np.float64]

_LEAST, _PER_SAMPLE = 1000, 4  # neurons of a pool, whose number must exceed that of the samples
_NETWORKS = 25  # that share a pool


def joint_law(sources: list[Source], basis: Basis, outputs: int, networks: int) -> Floats:
    """All C r eigenvalues of K̂, descending, of ``networks`` networks, one a row; the same for the same question."""
    size = max(_LEAST, _PER_SAMPLE * len(basis.vectors))
    white, lift = basis.whitening, basis.lift
    lower = _lower(sources[:-1], white, outputs, networks, size)
    curvature = sum(r @ r for r in lower) / (2 * networks)
    rows = np.array(
        [
            _eigenvalues(lift, r - curvature, _last(sources[-1:], white, outputs, size, stream(LAW, 1, i)))
            for i, r in enumerate(lower)
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
        for start in range(0, networks, _NETWORKS):
            some = noise[start : start + _NETWORKS]
            drawn = lower_noise(source, size, outputs, len(some), stream(LAW, 0, m, start))
            for total, blocks in zip(some, drawn, strict=True):
                total += _whitened(blocks, white)
    return noise


def _last(source: list[Source], white: Floats, outputs: int, most: int, rng: np.random.Generator) -> Floats | float:
    return _whitened(last_noise(source[0], outputs, most, rng), white) if source else 0.0


def _whitened(blocks: Floats, white: Floats) -> Floats:
    """(C, C, N, N) in the relative basis, (C r, C r)."""
    inner = white @ blocks @ white.T
    return np.swapaxes(inner, 1, 2).reshape(2 * (len(blocks) * len(white),))


def _eigenvalues(lift: Floats, low: Floats, last: Floats | float) -> Floats:
    half = exponential(low / 2)
    outputs = len(low) // len(lift)
    whole = half @ (np.eye(len(low)) + last) @ half
    blocks = whole.reshape(outputs, len(lift), outputs, len(lift)).swapaxes(1, 2)
    lifted = (lift @ blocks @ lift.T).swapaxes(1, 2).reshape(whole.shape)
    return np.linalg.eigvalsh(lifted)[::-1]
