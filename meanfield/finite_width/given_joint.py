"""The joint law of all eigenvalues at given inputs: sampled kernels that are positive.

    K̂ = B E^½ (1 + R_{L-1}) (1 + R_{L-2}) ⋯ E^½ Bᵀ,    E = exp(R - ½ E R²),    K̄ = B Bᵀ

on CN × CN. Noise is relative to the mean kernel K̄ = K + dK. The last layer's, with the output weights, is drawn as it
is: 1 + R_{L-1} is positive. Of the layers below, the neurons' linear response R may have any sign; its exponential is
positive. What goes through the weights above is drawn as it is, relative to its mean over these weights given the
neurons, so that 1 + R_m is positive and has the mean 1. Their product is symmetrised by a root of each. Perturbation
theory does not give this law: next to each other levels lie closer than the noise, and repel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.given_neurons import LAW, root, stream
from meanfield.finite_width.given_noise import Source, last_noise, lower_noise
from meanfield.finite_width.given_spectrum import Basis, exponential

__all__ = ["joint_law", "relative", "root_given"]

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
    found: Floats = rows * (outputs * basis.trace / rows.sum(axis=1).mean())
    return found


def _network(sources: list[Source], white: Floats, outputs: int, most: int, number: int) -> tuple[Floats, Floats]:
    """R of one network (r, r), and the root of the product of its 1 + R_m (C r, C r)."""
    exponent, product = np.zeros((len(white), len(white))), np.eye(outputs * len(white))
    for m, source in reversed(list(enumerate(sources))):
        rng = stream(LAW, m, number)
        if m == len(sources) - 1:
            product = root(relative(last_noise(source, outputs, most, rng), white))
        else:
            noise = lower_noise(source, outputs, most, rng)
            exponent += white @ noise.response @ white.T
            product = product @ root_given(relative(noise.passed, white), relative(noise.given[None, None], white))
    return exponent, product


def relative(noise: Floats, white: Floats) -> Floats:
    """1 + R of noise (C, C, N, N), as a matrix (C r, C r)."""
    matrix = _matrix(white @ noise @ white.T)
    return np.eye(len(matrix)) + matrix


def root_given(passed: Floats, given: Floats) -> Floats:
    """A root of G^-½ P G^-½, whose mean over the weights above is 1: G (r, r) is that of P (C r, C r)."""
    factor, rank = root(passed), len(given)
    found = np.linalg.solve(root(given), factor.reshape(-1, rank, len(factor)))
    return np.asarray(found, dtype=np.float64).reshape(factor.shape)


def _matrix(blocks: Floats) -> Floats:
    """(C, C, r, r) → (C r, C r)."""
    return np.swapaxes(blocks, 1, 2).reshape(2 * (len(blocks) * blocks.shape[2],))


def _eigenvalues(lift: Floats, product: Floats) -> Floats:
    """Of the lifted product with its transpose, descending."""
    rank = len(lift)
    lifted = (lift @ product.reshape(-1, rank, len(product))).reshape(product.shape)
    return np.asarray(np.linalg.eigvalsh(lifted @ lifted.T)[::-1], dtype=np.float64)
