"""Neurons of one layer at given inputs, sampled: u ~ N(0, q), an N-vector for each, from fixed streams.

The same question gives the same numbers. A stream's key says what it is for, so that no two share their numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.given_layers import HiddenLayer

__all__ = ["FIRST_ORDER", "LAW", "SHIFT", "root", "sampled", "stream"]

Floats = NDArray[np.float64]

_SEED = 31415
_NOTHING = 1e-15  # of the largest eigenvalue
SHIFT, LAW, FIRST_ORDER = range(3)  # what a stream is for


def stream(*key: int) -> np.random.Generator:
    """The generator for a purpose and its number."""
    return np.random.default_rng([_SEED, *key])


def root(covariance: Floats) -> Floats:
    """A with A Aᵀ = covariance; what rounding makes negative is taken as next to nothing."""
    try:
        return np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariance)
        factor: Floats = vectors * np.sqrt(np.maximum(values, _NOTHING * values[-1]))
        return factor


def sampled(layer: HiddenLayer, factor: Floats, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """φ and φ' of ``count`` neurons, a neuron a row; ``factor`` is the root of the layer's q."""
    u = rng.standard_normal((count, factor.shape[1])) @ factor.T
    return layer.activation.function()(u), layer.activation.function(order=1)(u)
