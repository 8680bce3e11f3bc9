"""The leading theory of a fully connected network at given inputs, as the refinement needs it: layer by layer.

Arrays are N × N over samples. With the notation of :mod:`meanfield.finite_width.covariance`: S^l = σ_w² H^{l-1} + σ_b²
(here ``q``), θ^l = w_l H^{l-1} + β_l + σ_w² τ^{l-1}, H^l = F(S^l), τ^l = χ(S^l) θ^l, and the kernel K = θ^L.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.covariance import LayerTerms
from meanfield.finite_width.given_pairs import one_sample, pair_values
from meanfield.kernels.exchangeable import ROWS, coefficients
from meanfield.spec import Metric, Network
from meanfield.spec.activations import Activation

__all__ = ["Chain", "HiddenLayer", "given_chain"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HiddenLayer:
    """Hidden layer l of ``width`` neurons: what they are given (q, θ), and their F and χ; ``alone`` has E φ² and E φ'²
    of each sample with two derivatives."""

    width: float
    activation: Activation
    q: Floats
    theta: Floats
    feature: Floats
    slope: Floats
    alone: tuple[Floats, Floats]


@dataclass(frozen=True)
class Chain:
    """``terms`` of the weight layers 1..L, hidden ``layers`` 1..L-1 above the inputs' Gram matrix x_s·x_t/M_0
    (``inputs``, of ``units`` = M_0), and ``kernel``, K without ν."""

    terms: Sequence[LayerTerms]
    layers: Sequence[HiddenLayer]
    units: float
    inputs: Floats
    kernel: Floats

    @property
    def features(self) -> list[Floats]:
        """H^0..H^{L-1}."""
        return [self.inputs, *(layer.feature for layer in self.layers)]

    @property
    def widths(self) -> list[float]:
        """M_0..M_{L-1}."""
        return [self.units, *(layer.width for layer in self.layers)]


def given_chain(network: Network, metric: Metric, widths: Floats, inputs: Floats) -> Chain:
    """The chain at layer widths M_0..M_L for ``inputs`` (N, M_0).

    Raises
    ------
    ValueError
        If a sample's preactivations do not fluctuate in some layer, so that it has no direction.
    """
    terms = _terms(network, metric, widths)
    gram = inputs @ inputs.T / widths[0]
    H, tau, layers = gram, np.zeros_like(gram), list[HiddenLayer]()
    for activation, width, of_layer, bias in zip(
        network.activation, widths[1:], terms, network.bias_variance, strict=False
    ):
        q, theta = of_layer.weight_variance * H + bias, _theta(of_layer, H, tau)
        if not np.all(np.diagonal(q) > 0):
            raise ValueError(
                f"inputs: expected q > 0 for every sample in layer {len(layers) + 1}, got {np.min(np.diagonal(q)):g}"
            )
        alone = one_sample(activation, 0, np.diagonal(q)), one_sample(activation, 1, np.diagonal(q))
        H, slope = (pair_values(activation, order, q, alone[order]) for order in (0, 1))
        layers.append(HiddenLayer(float(width), activation, q, theta, H, slope, alone))
        if not (np.all(np.isfinite(H)) and np.all(np.isfinite(slope))):
            raise ValueError(
                f"inputs: expected finite E φφ and E φ'φ' in layer {len(layers)}, got {activation} overflow"
            )
        tau = slope * theta
    return Chain(terms, layers, float(widths[0]), gram, _theta(terms[-1], H, tau))


def _theta(terms: LayerTerms, H: Floats, tau: Floats) -> Floats:
    theta: Floats = terms.weight * H + terms.bias + terms.weight_variance * tau
    return theta


def _terms(network: Network, metric: Metric, widths: Floats) -> list[LayerTerms]:
    random = ROWS[metric.family].random
    rows = zip(network.weight_variance, coefficients(network, metric, widths), strict=True)
    return [LayerTerms(sw2, float(w), float(b), float(random and b > 0)) for sw2, (w, b) in rows]
