"""Finite-size terms of the bulk, of relative order 1/M: what makes the ridge r a narrow band instead of a number.

Three sources, all entering the inverse z(p) as a self-energy of the ridge (a semicircle's, in first approximation):

* Off the diagonal, Δ^l ∘ H^{l-1} has the product of both factors' fluctuations, which the limit neglects: noise of
  variance σ²/N. It becomes leading where N ~ M².
* On the diagonal, samples differ in their norms and overlaps (:mod:`meanfield.bulk.sample_levels`): they modulate the
  ridge (variance v₀) and the linear parts (v₂; v₁ is twice the covariance).
* Among several outputs, gradients of one network are not quite orthogonal, nor of the same size.

All follow from linear response, layer by layer, to the fresh noise of every layer (:mod:`meanfield.bulk.response`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.bulk.features import BulkFeatures
from meanfield.bulk.response import Gains, propagate
from meanfield.bulk.sample_levels import SampleLevels
from meanfield.bulk.unknowns import Unknowns

__all__ = ["SampleNoise", "sample_noise"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SampleNoise:
    """v₀, v₁ and v₂ of the self-energy (units of K²), and the variance over samples of the kernel's row means."""

    ridge: float
    mixed: float
    linear: float
    rows: float


def sample_noise(x: BulkFeatures, start: Unknowns) -> SampleNoise:
    """The finite-size terms of a network; ``start`` is the stationary point at p = 0, in units of K."""
    levels = SampleLevels(x)
    response, v, vx = levels.response, levels.ridge(), levels.linear(start)
    split = _split(x)
    return SampleNoise(
        ridge=response.variance(v) + split[0] + _product_noise(x) + _between_outputs(x),
        mixed=2 * response.covariance(v, vx) + split[1],
        linear=response.variance(vx) + split[2],
        rows=response.variance(levels.rows()),
    )


def _product_noise(x: BulkFeatures) -> float:
    """N times the variance of Σ_l w_l ε_δ^l ε_h^{l-1}, ε the fluctuation of an entry of Δ or H between two samples."""
    hidden, values, shares = range(1, x.depth), x.inputs.eigenvalues, x.inputs.shares
    inputs = np.array([[float(shares @ values**2) / x.widths[0]]])
    one = propagate([_entry_gains(x, l) for l in hidden], [_entry_noise(x, l) for l in hidden], (1, 1), inputs)
    # Of two different outputs: their common gradients alone, and from the layers above alone.
    handed_down = [Gains.downwards([[_handed_down(x, l)]]) for l in hidden]
    two = propagate(handed_down, [_noise_between(x, l) for l in hidden], (0, 1))
    h, d, between = one.forward[:-1, 0], one.backward[1 : x.depth, 0], two.backward[1 : x.depth, 0]
    hh, dd, dh = h @ one.noise @ h.T, d @ one.noise @ d.T, d @ one.noise @ h.T
    other, w = between @ two.noise @ between.T, x.weight[1 : x.depth]
    return x.samples * float(w @ (hh * (dd + (x.outputs - 1) * other) + dh * dh.T) @ w)


def _entry_gains(x: BulkFeatures, layer: int) -> Gains:
    """How entries of H run up through a layer, and those of Δ down."""
    f = x.hidden(layer)
    bent = x.weight_variance[layer] * x.common_gradient(layer) * f.average(f.bend**2)
    features = x.weight_variance[layer] * f.average(f.slope**2)
    return Gains(*(np.array([[gain]]) for gain in (features, bent, _handed_down(x, layer))))


def _handed_down(x: BulkFeatures, layer: int) -> float:
    """What an entry of Δ^l takes from that of Δ^{l+1}."""
    f = x.hidden(layer)
    return float(x.weight_variance[layer + 1] * f.average(f.slope**2))


def _entry_noise(x: BulkFeatures, layer: int) -> Floats:
    """Of one entry of H^l and one of Δ^l."""
    f, y, theta = x.hidden(layer), x.common_gradient(layer), x.own_gradient(layer)
    v = f.central[0, 2]
    of_features, both = f.average(f.central[2, 0] ** 2), y * f.average(f.central[1, 1] ** 2)
    of_gradients = 3 * (y * v) ** 2 + 2 * theta * y * v * f.slope_square + (theta * f.slope_square) ** 2
    return np.asarray(np.array([[of_features, both], [both, f.average(of_gradients)]]) / x.widths[layer])


def _noise_between(x: BulkFeatures, layer: int) -> Floats:
    """Of one entry of the block of Δ^l that belongs to two outputs."""
    f, y = x.hidden(layer), x.common_gradient(layer)
    return np.array([[y**2 * f.average(f.central[0, 2] ** 2) / x.widths[layer]]])


def _between_outputs(x: BulkFeatures) -> float:
    """The ridge's variance in the blocks of two outputs: their gradients' products and overlaps, sample by sample."""
    hidden, gains = range(1, x.depth), []
    for l in hidden:
        f = x.hidden(l)
        norm, overlap = f.average(f.slope_square), f.average(f.central[0, 2])
        gains.append(
            Gains.downwards(x.weight_variance[l + 1] * np.array([[norm, overlap], [0, f.average(f.slope**2)]]))
        )
    response = propagate(gains, [_products(x, l) / x.widths[l] for l in hidden], (0, 2))
    return (x.outputs - 1) * response.variance(_own_features(x) @ response.backward[1 : x.depth, 0])


def _products(x: BulkFeatures, layer: int) -> Floats:
    """M_l times the covariance of the products of two outputs' gradients: own with own, and own with common parts."""
    f, y, theta = x.hidden(layer), x.common_gradient(layer), x.own_gradient(layer)
    c, z, d2 = f.central, f.slope, f.slope_square
    e_d2, e2_d2 = c[0, 3] + 2 * z * c[0, 2], c[0, 4] + 2 * z * c[0, 3] + z**2 * c[0, 2]
    d4 = c[0, 4] + 4 * z * c[0, 3] + 6 * z**2 * c[0, 2] + z**4
    own = f.average(y**2 * (c[0, 4] - c[0, 2] ** 2) + 2 * y * theta * e2_d2 + theta**2 * d4)
    mixed = f.average(2 * z * y * (y * c[0, 3] + theta * e_d2))
    common = f.average(2 * z**2 * y * (2 * y * c[0, 2] + theta * d2))
    return np.array([[own, mixed], [mixed, common]])


def _split(x: BulkFeatures) -> Floats:
    """What different outputs of one network add to (v₀, v₁, v₂): the C × C matrices of q̃^l and q̃_st^l, the same for all
    samples, give each direction among the outputs a ridge and a linear part of its own."""
    gains, sources = [], []
    for l in range(1, x.depth):
        f = x.hidden(l)
        b, z = f.slope_square, f.slope**2
        gains.append(Gains.downwards(x.weight_variance[l + 1] * np.diag([f.average(b), f.average(z)])))
        block = np.array([[f.average(b * b), f.average(b * z)], [f.average(b * z), f.average(z * z)]])
        sources.append(x.common_gradient(l) ** 2 * block / x.widths[l])
    response = propagate(gains, sources, (0, 2))
    same, other = np.moveaxis(response.backward[1 : x.depth], 1, 0)
    features, gradients = _own_features(x), x.gradients[1:]
    ridge, linear = features @ (same - other), features @ other + gradients @ (same - other)
    # S without its trace, which is common to all outputs: E[S²] = C + 1 - 2/C.
    terms = [response.variance(ridge), 2 * response.covariance(ridge, linear), response.variance(linear)]
    return np.asarray((x.outputs + 1 - 2 / x.outputs) * np.array(terms))


def _own_features(x: BulkFeatures) -> Floats:
    """w_l (q̂^{l-1} - q̂_st^{l-1}) of the layers l = 1..L-1: what a gradient's fluctuation is multiplied by."""
    return x.weight[1 : x.depth] * (x.forward - x.forward_st)[: x.depth - 1]
