"""Linear response of a network: what the fresh fluctuations of every layer do to states of the layers after them.

States run forward, f^l from f^{l-1} (l = 1..L-1; f^0 is the input's), and backward, b^l from b^{l+1} and, as slopes are
taken where the preactivations are, from f^{l-1} (l = L-1..1; b^L does not fluctuate):

    f^l = F_l f^{l-1} + (fresh),    b^l = B_l b^{l+1} + A_l f^{l-1} + (fresh).

Fresh fluctuations of different layers are independent. So every state is a linear function of all of them, whose
covariance is block-diagonal; variances follow from both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Gains", "Response", "propagate"]

Floats = NDArray[np.float64]


class Gains(NamedTuple):
    """F_l (m, m), A_l (n, m) and B_l (n, n) of one layer, for m forward and n backward states."""

    forward: Floats
    across: Floats
    backward: Floats

    @classmethod
    def downwards(cls, backward: ArrayLike) -> Gains:
        """Of backward states alone."""
        matrix = np.asarray(backward, dtype=np.float64)
        return cls(np.zeros((0, 0)), np.zeros((len(matrix), 0)), matrix)


@dataclass(frozen=True)
class Response:
    """Derivatives of all states with respect to the fresh fluctuations, the last axis.

    Attributes
    ----------
    forward
        (L, m, ·): of f^l at index l.
    backward
        (L + 1, n, ·): of b^l at index l; 0 at index L, and at 0, where there is none.
    noise
        (·, ·): covariance of the fresh fluctuations.
    """

    forward: Floats
    backward: Floats
    noise: Floats

    def covariance(self, first: Floats, second: Floats) -> float:
        """Of two linear combinations of the states, given by their own derivatives."""
        return float(first @ self.noise @ second)

    def variance(self, combination: Floats) -> float:
        return self.covariance(combination, combination)


def propagate(
    gains: Sequence[Gains], sources: Sequence[Floats], states: tuple[int, int], inputs: Floats | None = None
) -> Response:
    """The response of a network.

    Parameters
    ----------
    gains
        Of the hidden layers l = 1..L-1.
    sources
        The same layers' covariances of the fresh fluctuations of (f^l, b^l), (m + n, m + n).
    states
        m and n.
    inputs
        The covariance of f^0, (m, m); ``None`` where the inputs don't fluctuate.
    """
    depth, (m, n) = len(gains) + 1, states
    size = m + len(sources) * (m + n)
    fresh = [slice(i, i + m + n) for i in range(m, size, m + n)]
    noise = np.zeros((size, size))
    if inputs is not None:
        noise[:m, :m] = inputs
    for at, source in zip(fresh, sources, strict=True):
        noise[at, at] = source
    forward, backward = np.zeros((depth, m, size)), np.zeros((depth + 1, n, size))
    forward[0, :, :m] = np.eye(m)
    for l, (gain, at) in enumerate(zip(gains, fresh, strict=True), 1):
        forward[l] = gain.forward @ forward[l - 1]
        forward[l, :, at] += np.eye(m, m + n)
    for l in range(depth - 1, 0, -1):
        gain, at = gains[l - 1], fresh[l - 1]
        backward[l] = gain.across @ forward[l - 1] + gain.backward @ backward[l + 1]
        backward[l, :, at] += np.eye(n, m + n, m)
    return Response(forward, backward, noise)
