"""How much of an activation's second moment each Hermite degree has: Mehler's series of E φφ, one coefficient a degree.

For u, v of variance q and correlation c, ``E φ(u)φ(v) = Σ_k a_k c^k`` with ``a_k = (E φ(√q z) h_k(z))² >= 0`` and h_k
the normalised Hermite polynomials.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanfield.gaussian.mehler import hermite_expansion
from meanfield.spec.activations import Activation

__all__ = ["HermiteSquares", "hermite_squares"]

Floats = NDArray[np.float64]


class HermiteSquares(NamedTuple):
    """a_0, a_1, …, and the largest absolute error that the coefficients √a_k seem to have, relative to √(E φ²)."""

    squares: Floats
    error: float


@functools.lru_cache(maxsize=64)
def hermite_squares(activation: Activation, q: float, count: int) -> HermiteSquares:
    """The first ``count`` of a_k at variance q > 0, by the rules of Mehler's expansion."""
    fine, coarse = hermite_expansion(activation, 0, q, count, 2)
    error = float(np.abs(fine - coarse)[1:].max())
    coefficients = fine[1:]
    coefficients[activation.parity == (-1) ** (np.arange(count) + 1)] = 0.0  # an even φ has no odd degrees
    return HermiteSquares(math.exp(fine[0]) * coefficients**2, error)
