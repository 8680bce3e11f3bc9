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

__all__ = ["LowerNoise", "Pool", "Source", "last_noise", "lower_noise", "sources"]

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
class _Drawn:
    """Neurons of one network, a row each: φ, φ', and how sensitive the outputs are to them (neurons, C, N); ``scale``
    takes a mean over them to the noise of the layer's width."""

    phi: Floats
    slope: Floats
    sensitive: Floats
    scale: float

    @classmethod
    def of(cls, source: Source, outputs: int, most: int, rng: np.random.Generator) -> _Drawn:
        """Of a layer of more than ``most`` neurons so many are drawn."""
        count = min(round(source.width), most)
        phi, slope = source.neurons(count, rng)
        sensitive = rng.standard_normal((count, outputs, source.above.shape[1])) @ source.above.T
        return cls(phi, slope, sensitive, math.sqrt(count / source.width))

    def passed(self, source: Source) -> Floats:
        """Σ_i P_i/n, (C, C, N, N)."""
        found = source.counted * _products(self.sensitive) if source.counted else 0.0
        if source.layer is not None:
            found = found + source.slope * _products(self.sensitive * self.slope[:, None, :])
        return np.asarray(found)


def last_noise(source: Source, outputs: int, most: int, rng: np.random.Generator) -> Floats:
    """Of the last layer and the output weights, (C, C, N, N): K plus it is positive."""
    drawn = _Drawn.of(source, outputs, most, rng)
    own = source.response.across * _square(drawn.phi) / len(drawn.phi) - source.mean - source.passed
    return drawn.scale * (drawn.passed(source) + _diagonal(own, outputs))


@dataclass(frozen=True)
class LowerNoise:
    """Of one network and source below the last. ``response`` (N, N): of the neurons, as all outputs share it, Gaussian.
    ``given`` (N, N) and ``passed`` (C, C, N, N): Σ_i (P_i - E P_i)/n on average over the weights above, and as is."""

    response: Floats
    given: Floats
    passed: Floats


def lower_noise(source: Source, outputs: int, most: int, rng: np.random.Generator) -> LowerNoise:
    """A network's."""
    drawn = _Drawn.of(source, outputs, most, rng)
    count, signs = len(drawn.phi), np.sign(rng.random(len(drawn.phi)) - 0.5)
    slopes, above = _square(drawn.slope), source.above @ source.above.T
    given = above * (source.slope * slopes / count + source.counted)
    signed = _signed(drawn.phi, signs), _signed(drawn.slope, signs, slopes)
    response = source.response.value(signs @ drawn.phi**2, *signed) - np.sum(signs) * source.average
    return LowerNoise(
        response / math.sqrt(count * source.width),
        drawn.scale * (given - source.passed),
        drawn.scale * (drawn.passed(source) - _diagonal(source.passed, outputs)),
    )


def _square(rows: Floats) -> Floats:
    found: Floats = rows.T @ rows
    return found


def _signed(rows: Floats, signs: Floats, whole: Floats | None = None) -> Floats:
    """Σ ± x xᵀ over rows x, whose sum without signs is ``whole``."""
    return 2 * _square(rows[signs > 0]) - (_square(rows) if whole is None else whole)


def _diagonal(block: Floats, outputs: int) -> Floats:
    """The same for every output: (N, N) → (C, C, N, N)."""
    return np.eye(outputs)[:, :, None, None] * block


def _products(rows: Floats) -> Floats:
    """Means over rows (rows, C, N) of their outer products, (C, C, N, N)."""
    count, outputs, n = rows.shape
    return np.swapaxes((_square(rows.reshape(count, outputs * n)) / count).reshape(outputs, n, outputs, n), 1, 2)
