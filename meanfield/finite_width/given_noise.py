"""The noise of the kernel at given inputs, source by source, in N × N blocks of pairs of outputs.

Each hidden layer m is a source twice. Its M_m neurons change K_kk for all outputs alike, by their response
(:mod:`meanfield.finite_width.given_response`); and through the weights above, which different outputs don't share,

    Y = g (ζ ζ'ᵀ) ∘ (θ ∘ φ'φ'ᵀ + ε),    ζ, ζ' ~ N(0, Π_{k>m} χ^k) independent,    g = Π_{k>m} σ_w²_k,

has the covariance B of K_kk' over its M_m neurons. The inputs are a source of the second kind where the metric counts
them (ε_1). Where θ = 0, so that ε is all that Y has (a block of the input metric, and its part of the inputs), the sum is
a Wishart matrix of M_m units; it is drawn as it is, and so is the last hidden layer with the output weights: what they
make is positive. Other noise of the layers below is Gaussian.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.given_layers import Chain, HiddenLayer
from meanfield.finite_width.given_neurons import root, sampled
from meanfield.finite_width.given_response import Response

__all__ = ["Pool", "Source", "counted_noise", "last_noise", "lower_noise", "sources"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pool:
    """Sampled neurons of one source, a row each: φ, φ' and, of the weights above, ζ and ζ' of its N samples."""

    phi: Floats
    slope: Floats
    zeta: Floats
    other: Floats

    def half(self, rng: np.random.Generator) -> Pool:
        """Those that drew the sign +."""
        positive = rng.random(len(self.phi)) < 0.5
        return Pool(self.phi[positive], self.slope[positive], self.zeta[positive], self.other[positive])


@dataclass(frozen=True)
class Source:
    """One layer as a source of noise in K. ``layer`` is None for the inputs, which have no neurons but ζ.

    ``mean`` is the response's mean; ``slope`` is g θ and ``counted`` g ε; ``factor`` and ``above`` are the roots of the
    neurons' covariance and of that of ζ.
    """

    width: float
    layer: HiddenLayer | None
    response: Response
    mean: Floats
    slope: Floats
    counted: float
    factor: Floats
    above: Floats

    @property
    def counts_alone(self) -> bool:
        """Whether Y is g ε ζζ'ᵀ and nothing else."""
        return self.counted > 0 and not np.any(self.slope)

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
    """Those of K from below, with its ``responses`` to the hidden layers; the last is the one whose weights are the outputs', if there is any."""
    found = []
    above, gain = np.ones_like(chain.inputs), 1.0
    nothing = np.zeros_like(chain.inputs)
    of_layers = [None, *responses]
    for m in reversed(range(len(chain.terms))):
        gain *= chain.terms[m].weight_variance
        layer, response, counted = chain.layers[m - 1] if m else None, of_layers[m], gain * chain.terms[m].epsilon
        mixing = root_of_ones(above) if m == len(chain.layers) else root(above)
        if layer is not None and response is not None:
            F, chi = layer.feature, layer.slope
            mean = response.value(np.diagonal(F), F, chi)
            factor = root(layer.q)
            found.append(
                Source(layer.width, layer, response, mean, gain * layer.theta, counted, factor, mixing)
            )
            above = above * chi
        elif counted > 0:
            empty = Response(nothing, nothing, nothing, nothing)
            found.append(Source(chain.units, None, empty, nothing, nothing, counted, nothing, mixing))
    return found[::-1]


def root_of_ones(ones: Floats) -> Floats:
    """Under the output weights all samples share ζ."""
    return ones[:, :1]


def lower_noise(
    source: Source, size: int, outputs: int, networks: int, rng: np.random.Generator
) -> Iterator[Floats]:
    """Gaussian noise of a layer below the last, (C, C, N, N), of networks that share a pool of ``size`` neurons, whose
    signs each network draws anew."""
    pool = source.pool(size, rng)
    shared, crossed = _shared(source, pool), _crossed(source, pool)
    scale = 1 / math.sqrt(source.width * size)
    for _ in range(networks):
        noise = np.empty((outputs, outputs, *source.mean.shape))
        common = 2 * _shared(source, pool.half(rng)) - shared
        for k in range(outputs):
            for j in range(k, outputs):
                block = 2 * _crossed(source, pool.half(rng)) - crossed
                noise[k, j] = common + (block + block.T) / math.sqrt(2) if k == j else block
                noise[j, k] = noise[k, j].T
        yield scale * noise


def _shared(source: Source, pool: Pool) -> Floats:
    """Σ Z over the pool."""
    if source.layer is None:
        return source.mean
    phi, slope = pool.phi, pool.slope
    features = (np.sum(phi**2, axis=0), phi.T @ phi, slope.T @ slope)
    return source.response.value(*features) - len(phi) * source.mean


def _crossed(source: Source, pool: Pool) -> Floats:
    """Σ Y over the pool, but for Wishart matrices, which are drawn apart."""
    if not np.any(source.slope):
        return np.zeros_like(source.mean)
    found: Floats = source.slope * ((pool.slope * pool.zeta).T @ (pool.slope * pool.other))
    return found + source.counted * (pool.zeta.T @ pool.other)


def counted_noise(source: Source, outputs: int, most: int, rng: np.random.Generator) -> Floats:
    """Noise of the Wishart matrix g ε Σ_i a_i a_iᵀ/n, (C, C, N, N); of more than ``most`` units so many are drawn, as in
    :func:`last_noise`."""
    count, (n, rank) = min(round(source.width), most), source.above.shape
    units = (rng.standard_normal((count, outputs, rank)) @ source.above.T).reshape(count, outputs * n)
    noise = _blocks(units.T @ units / count, outputs)
    noise[np.arange(outputs), np.arange(outputs)] -= source.above @ source.above.T
    return source.counted * math.sqrt(count / source.width) * noise


def _blocks(matrix: Floats, outputs: int) -> Floats:
    """(CN, CN) → (C, C, N, N)."""
    n = len(matrix) // outputs
    return np.array(np.swapaxes(matrix.reshape(outputs, n, outputs, n), 1, 2))


def last_noise(source: Source, outputs: int, most: int, rng: np.random.Generator) -> Floats:
    """Noise of the last layer and the output weights, (C, C, N, N); K plus it is positive.

    Of a layer of more than ``most`` neurons so many are drawn, and their mean less its expectation scaled down to the
    layer's variance.
    """
    count = min(round(source.width), most)
    phi, slope = source.neurons(count, rng)
    weights = rng.standard_normal((count, outputs))
    n = phi.shape[1]
    own = source.response.across * (phi.T @ phi / count) - source.mean
    each = (weights[:, :, None] * slope[:, None, :]).reshape(count, outputs * n)
    noise = source.slope * _blocks(each.T @ each / count, outputs)
    counted = source.counted * (weights.T @ weights / count - np.eye(outputs))
    noise += counted[:, :, None, None]
    noise[np.arange(outputs), np.arange(outputs)] += own
    return math.sqrt(count / source.width) * noise
