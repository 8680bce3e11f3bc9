"""How the noise of one hidden layer's neurons changes the kernels of the layers above, to first order.

A neuron of preactivations u (an N-vector) adds φ(u_s)φ(u_t) to H and θ_st φ'(u_s)φ'(u_t) to τ. The linear response of
every layer above is elementwise in the pair (s, t) and in its two variances, so that what it makes of one neuron has
four coefficients a pair, the same for all neurons:

    δ_st = own_st φ_s² + other_st φ_t² + across_st φ_s φ_t + slope_st φ'_s φ'_t   less its mean.

Sums over neurons are then matrix products, and nothing of the size neurons × N × N is ever held.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.covariance import LayerTerms
from meanfield.finite_width.given_pairs import PairTable

__all__ = ["Pair", "Response", "first_response", "through_neurons", "through_weights"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Response:
    """The coefficients of one kernel's change, over all pairs or a block of rows; ``own`` and ``other`` are 0 on the
    diagonal."""

    own: Floats
    other: Floats
    across: Floats
    slope: Floats

    def __add__(self, second: Response) -> Response:
        return Response(
            self.own + second.own, self.other + second.other, self.across + second.across, self.slope + second.slope
        )

    def times(self, factor: Floats | float) -> Response:
        """Elementwise."""
        return Response(self.own * factor, self.other * factor, self.across * factor, self.slope * factor)

    def value(self, square: Floats, product: Floats, slope: Floats) -> Floats:
        """δ_st at all pairs of features φ_s² (N,), φ_s φ_t and φ'_s φ'_t (N, N), be it of one neuron or of a sum."""
        changed: Floats = self.own * square[:, None] + self.other * square + self.across * product + self.slope * slope
        return changed


Pair: TypeAlias = tuple[Response, Response]
"""Of (H, τ), or of (S, θ)."""


def first_response(theta: Floats) -> Pair:
    """What a layer's own neurons do to its (H, τ)."""
    nothing, one = np.zeros_like(theta), np.ones_like(theta)
    return Response(nothing, nothing, one, nothing), Response(nothing, nothing, nothing, theta)


def through_weights(terms: LayerTerms, below: Pair) -> Pair:
    """(H, τ) of a layer → (S, θ) of the next."""
    H, tau = below
    return H.times(terms.weight_variance), H.times(terms.weight) + tau.times(terms.weight_variance)


def through_neurons(F: PairTable, chi: PairTable, theta: Floats, given: Pair, alone: Floats, rows: slice) -> Pair:
    """(S, θ) of a layer → its (H, τ) in a block of rows: δH = F_q δS_q, δτ = χ δθ + θ χ_q δS_q, q in {ss, tt, st}, with
    δS_ss = ``alone``_s φ_s²."""
    S, of_theta = given
    H = _variances(F, alone, rows) + S.times(F.across)
    return H, (_variances(chi, alone, rows) + S.times(chi.across)).times(theta) + of_theta.times(chi.value)


def _variances(table: PairTable, alone: Floats, rows: slice) -> Response:
    nothing = np.zeros_like(table.value)
    return Response(table.own * alone[rows, None], table.other * alone, nothing, nothing)
