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

from meanfield.gaussian.quadrature import FINEST, TOLERANCE, natural_level
from meanfield.gaussian.rules import line_rules
from meanfield.spec.activations import Activation

__all__ = ["HermiteSquares", "hermite_squares"]

Floats = NDArray[np.float64]


class HermiteSquares(NamedTuple):
    """a_0, a_1, …, and the largest absolute error that the coefficients √a_k seem to have, relative to √(E φ²)."""

    squares: Floats
    error: float


@functools.lru_cache(maxsize=64)
def hermite_squares(activation: Activation, q: float, count: int) -> HermiteSquares:
    """The first ``count`` of a_k at variance q > 0, by the line's quadrature, refined until two rules agree.

    A degree k oscillates √k times faster than the Gaussian: refinement starts where that is resolved.
    """
    start = natural_level(activation, 0) + math.ceil(math.log2(count) / 2) - 2
    for level in range(max(start, 0), FINEST):
        fine, coarse = (_coefficients(activation, q, count, *rule) for rule in line_rules(activation, 2 * q, level))
        size = math.sqrt(float(np.sum(fine**2)))
        error = float(np.abs(fine - coarse).max()) / size if size > 0 else 0.0
        if error <= TOLERANCE:
            break
    fine[activation.parity == (-1) ** (np.arange(count) + 1)] = 0.0  # an even φ has no odd degrees
    return HermiteSquares(fine**2, error)


def _coefficients(activation: Activation, q: float, count: int, u: Floats, weights: Floats) -> Floats:
    """Σ of w φ h_k over nodes for the variance 2q, by ``√k h_k = z h_{k-1} - √(k-1) h_{k-2}``.

    Half of the Gaussian's exponent goes with h_k, which it keeps below 1 (Cramér), and the rule needs the other half:
    out to where N(0, q) ends, h_k of a high degree would still have weight.
    """
    z, weighted = u / math.sqrt(q), weights * activation.function()(u)
    before, now = np.zeros_like(z), math.sqrt(2) * np.exp(-(z**2) / 4)
    found = np.empty(count)
    for k in range(count):
        found[k] = weighted @ now
        before, now = now, (z * now - math.sqrt(k) * before) / math.sqrt(k + 1)
    return found
