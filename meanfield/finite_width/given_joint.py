"""The joint law of all eigenvalues at given inputs: sampled kernels that are positive.

    K̂ = B E^½ (1 + R_{L-1}) (1 + R_{L-2}) ⋯ E^½ Bᵀ,    E = exp(R - ½ E R²),    K̄ = B Bᵀ

on CN × CN. Noise is relative to the mean kernel K̄ = K + dK. Of each source 1 + R_m is positive, the neurons and weights
drawn as they are; the product is meant symmetrised, by a root of each. The response to the features of the layers below
the last, R, may have any sign: its exponential is positive. Perturbation theory does not give this law: next to each
other levels lie closer than the noise, and repel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.given_neurons import LAW, root, stream
from meanfield.finite_width.given_noise import Source, drawn_noise
from meanfield.finite_width.given_spectrum import Basis, exponential

__all__ = ["joint_law"]

Floats = NDArray[np.float64]

_LEAST, _PER_SAMPLE = 1000, 4  # neurons drawn at most, whose number must exceed that of the samples


def joint_law(sources: list[Source], basis: Basis, outputs: int, networks: int) -> Floats:
    """All C r eigenvalues of K̂, descending, of ``networks`` networks, one a row; the same for the same question."""
    white, lift = basis.whitening, basis.lift
    most = max(_LEAST, _PER_SAMPLE * outputs * white.shape[1])
    drawn = [_network(sources, white, outputs, most, number) for number in range(networks)]
    curvature = sum(exponent @ exponent for exponent, _ in drawn) / (2 * networks)
    rows = np.array([_eigenvalues(lift @ exponential((r - curvature) / 2), product) for r, product in drawn])
    # The mean trace is known, which takes out of every mean most of what the sampled networks share.
    found: Floats = rows * (outputs * np.sum(lift**2) / rows.sum(axis=1).mean())
    return found


def _network(sources: list[Source], white: Floats, outputs: int, most: int, number: int) -> tuple[Floats, Floats]:
    """R of one network (r, r), and the root of the product of its 1 + R_m (C r, C r)."""
    exponent, product, one = np.zeros((len(white), len(white))), np.eye(outputs * len(white)), np.eye(outputs)
    for m, source in reversed(list(enumerate(sources))):
        noise = drawn_noise(source, outputs, most, stream(LAW, m, number))
        positive = noise.positive
        if m == len(sources) - 1:
            positive = positive + one[:, :, None, None] * noise.response
        else:
            exponent += white @ noise.response @ white.T
        product = product @ root(np.eye(len(product)) + _matrix(white @ positive @ white.T))
    return exponent, product


def _matrix(blocks: Floats) -> Floats:
    """(C, C, r, r) → (C r, C r)."""
    return np.swapaxes(blocks, 1, 2).reshape(2 * (len(blocks) * blocks.shape[2],))


def _eigenvalues(lift: Floats, product: Floats) -> Floats:
    """Of the lifted product with its transpose, descending."""
    rank = len(lift)
    lifted = (lift @ product.reshape(-1, rank, len(product))).reshape(product.shape)
    return np.linalg.eigvalsh(lifted @ lifted.T)[::-1]
