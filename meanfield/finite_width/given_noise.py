"""The noise of the kernel at given inputs, source by source.

Each hidden layer m is a source twice. Its M_m neurons change K_kk for all outputs alike, by their response
(:mod:`meanfield.finite_width.given_response`); and they do it through the weights above, which different outputs don't
share. Neuron i, to which output k is sensitive by a_ik(s), a Gaussian vector of the covariance X = Π_{k>m} χ^k over
samples, adds to K_kk'

    P_i = a_ik a_ik'ᵀ ∘ g (θ ∘ φ'φ'ᵀ + ε),    g = Π_{k>m} σ_w²_k,

which is positive, over all outputs together. The inputs are a source of this kind where the metric counts them (ε_1).
Apart from its mean over a it has the covariance B of K_kk' (k ≠ k'), of which

    Y = g (ζ ζ'ᵀ) ∘ (θ ∘ φ'φ'ᵀ + ε),    ζ, ζ' ~ N(0, X) independent,

is a sample.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.given_layers import Chain, HiddenLayer
from meanfield.finite_width.given_neurons import root, sampled
from meanfield.finite_width.given_response import Response

__all__ = ["Noise", "Pool", "Source", "drawn_noise", "sources"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pool:
    """Sampled neurons of one source, a row each: φ, φ' and, of the weights above, ζ and ζ' of its N samples."""

    phi: Floats
    slope: Floats
    zeta: Floats
    other: Floats


@dataclass(frozen=True)
class Source:
    """One layer as a source of noise in K. ``layer`` is None for the inputs, which have no neurons but ζ.

    ``mean`` is the mean of its response without slopes, ``passed`` E P; ``slope`` is g θ and ``counted`` g ε;
    ``factor`` and ``above`` are the roots of the neurons' covariance and of that of ζ.
    """

    width: float
    layer: HiddenLayer | None
    response: Response
    mean: Floats
    passed: Floats
    slope: Floats
    counted: float
    factor: Floats
    above: Floats

    @property
    def average(self) -> Floats:
        """The mean of the whole response, which is K's to δ of one neuron."""
        chi = self.layer.slope if self.layer is not None else self.mean
        return self.mean + self.response.slope * chi

    def pool(self, count: int, rng: np.random.Generator) -> Pool:
        phi, slope = self.neurons(count, rng)
        zeta, other = rng.standard_normal((2, count, self.above.shape[1])) @ self.above.T
        return Pool(phi, slope, zeta, other)

    def neurons(self, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """φ and φ' of ``count`` neurons."""
        if self.layer is None:
            nothing = np.zeros((count, len(self.mean)))
            return nothing, nothing
        return sampled(self.layer, self.factor, count, rng)


def sources(chain: Chain, responses: list[Response]) -> list[Source]:
    """Those of K from below, with its ``responses`` to the hidden layers; the last is the one whose weights are the
    outputs', if there is any."""
    found, above, gain = list[Source](), np.ones_like(chain.inputs), 1.0
    layers = [None, *zip(chain.layers, responses, strict=True)]
    for terms, known in zip(reversed(chain.terms), reversed(layers), strict=True):
        gain *= terms.weight_variance
        mixing = root(above) if found else above[:, :1]  # under the output weights all samples share ζ
        if known is not None:
            found.append(_of_layer(*known, gain, gain * terms.epsilon, above, mixing))
            above = above * known[0].slope
        elif terms.epsilon:
            found.append(_of_inputs(chain.units, gain * terms.epsilon, above, mixing))
    return found[::-1]


def _of_layer(
    layer: HiddenLayer, response: Response, gain: float, counted: float, above: Floats, mixing: Floats
) -> Source:
    F, chi = layer.feature, layer.slope
    mean = response.value(np.diagonal(F), F, np.zeros_like(F))
    passed = response.slope * chi + counted * above
    return Source(layer.width, layer, response, mean, passed, gain * layer.theta, counted, root(layer.q), mixing)


def _of_inputs(units: float, counted: float, above: Floats, mixing: Floats) -> Source:
    nothing = np.zeros_like(above)
    none = Response(nothing, nothing, nothing, nothing)
    return Source(units, None, none, nothing, counted * above, nothing, counted, nothing, mixing)


@dataclass(frozen=True)
class Noise:
    """Of one network and source: the response to φ_s², φ_t² and φ_sφ_t (N, N), which all outputs share, and
    Σ_i (P_i - E P_i)/n, (C, C, N, N)."""

    response: Floats
    positive: Floats


def drawn_noise(source: Source, outputs: int, most: int, rng: np.random.Generator) -> Noise:
    """A network's; of a layer of more than ``most`` neurons so many are drawn, and their mean less its expectation scaled
    down to the layer's variance."""
    count, n = min(round(source.width), most), len(source.mean)
    scale = math.sqrt(count / source.width)
    phi, slope = source.neurons(count, rng)
    sensitive = rng.standard_normal((count, outputs, source.above.shape[1])) @ source.above.T
    whole = source.counted * _products(sensitive) if source.counted else 0.0
    if source.layer is not None:
        whole = whole + source.slope * _products(sensitive * slope[:, None, :])
    return Noise(scale * _response(source, phi), scale * (whole - np.eye(outputs)[:, :, None, None] * source.passed))


def _response(source: Source, phi: Floats) -> Floats:
    r, square = source.response, np.mean(phi**2, axis=0)
    changed = r.own * square[:, None] + r.other * square + r.across * (phi.T @ phi / len(phi))
    return changed - source.mean


def _products(rows: Floats) -> Floats:
    """Means over rows (rows, C, N) of their outer products, (C, C, N, N)."""
    count, outputs, n = rows.shape
    flat = rows.reshape(count, outputs * n)
    return np.swapaxes((flat.T @ flat / count).reshape(outputs, n, outputs, n), 1, 2)
