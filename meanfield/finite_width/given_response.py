"""How the noise of one hidden layer's neurons changes the kernels of the layers above, to first order.

A neuron of preactivations u (an N-vector) adds φ(u_s)φ(u_t) to H and θ_st φ'(u_s)φ'(u_t) to τ. The linear response of
every layer above is elementwise in the pair (s, t) and in its two variances, so that whatever it makes of one neuron has
four N × N coefficients, the same for all neurons:

    δ_st = own_st φ_s² + own_ts φ_t² + across_st φ_s φ_t + slope_st φ'_s φ'_t   less its mean.

Sums over neurons are then matrix products, and nothing of the size neurons × N × N is ever held.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.covariance import LayerTerms
from meanfield.finite_width.given_layers import Chain, HiddenLayer

__all__ = ["Response", "first_response", "responses", "through_neurons", "through_weights"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Response:
    """The coefficients of one kernel's change, (N, N) each; ``across`` and ``slope`` are symmetric, ``own`` is 0 on the
    diagonal."""

    own: Floats
    across: Floats
    slope: Floats

    def __add__(self, other: Response) -> Response:
        return Response(self.own + other.own, self.across + other.across, self.slope + other.slope)

    def times(self, factor: Floats | float) -> Response:
        """Elementwise, by a symmetric matrix or a number."""
        return Response(self.own * factor, self.across * factor, self.slope * factor)

    def value(self, square: Floats, product: Floats, slope: Floats) -> Floats:
        """δ_st of features φ_s² (N,), φ_s φ_t and φ'_s φ'_t (N, N), be it of one neuron or of a sum over them."""
        own = self.own * square[:, None]
        changed: Floats = own + own.T + self.across * product + self.slope * slope
        return changed


Pair = tuple[Response, Response]  # of (H, τ), or of (S, θ)


def first_response(layer: HiddenLayer) -> Pair:
    """What the layer's own neurons do to its (H, τ)."""
    nothing, one = np.zeros_like(layer.q), np.ones_like(layer.q)
    return Response(nothing, one, nothing), Response(nothing, nothing, layer.theta)


def through_weights(terms: LayerTerms, below: Pair) -> Pair:
    """(H, τ) of a layer → (S, θ) of the next."""
    H, tau = below
    return H.times(terms.weight_variance), H.times(terms.weight) + tau.times(terms.weight_variance)


def through_neurons(layer: HiddenLayer, given: Pair) -> Pair:
    """(S, θ) of a layer → its (H, τ): δH = F_q δS_q, δτ = χ δθ + θ χ_q δS_q, q in {ss, tt, st}."""
    S, theta = given
    one_sample = np.diagonal(S.across)[:, None]  # δS_ss is this times φ_s²
    F, chi = layer.feature, layer.slope
    H = Response(F.own * one_sample, np.zeros_like(layer.q), np.zeros_like(layer.q)) + S.times(F.across)
    through_chi = Response(layer.theta * chi.own * one_sample, np.zeros_like(layer.q), np.zeros_like(layer.q))
    return H, through_chi + S.times(layer.theta * chi.across) + theta.times(chi.value)


def responses(chain: Chain) -> list[Response]:
    """Of K to the neurons of each hidden layer 1..L-1."""
    found: list[Pair] = []
    for terms, layer in zip(chain.terms, chain.layers, strict=False):
        found = [through_neurons(layer, through_weights(terms, pair)) for pair in found]
        found.append(first_response(layer))
    return [through_weights(chain.terms[-1], pair)[1] for pair in found]
