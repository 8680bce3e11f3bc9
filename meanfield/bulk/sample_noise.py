"""Finite-size terms of the bulk, of relative order 1/M: what makes the ridge r a narrow band instead of a number.

Two sources, both entering the inverse z(p) as a self-energy of the ridge (a semicircle's, in first approximation):

* Off the diagonal, Δ^l ∘ H^{l-1} has the product of both factors' fluctuations, which the limit neglects: noise of
  variance σ²/N. It becomes leading where N ~ M².
* On the diagonal, a sample's own norms and overlaps with the common parts,

      T = |h̃|²/M,  O = m·h̃/M,  T' = |δ̃|²,  O' = m'·δ̃        (m, m': the neurons' common parts)

  differ from sample to sample by a relative 1/√M. They modulate the ridge (variance v₀), and the noise and the rows of
  the linear parts (v₂; v₁ is twice the covariance): a level x_s that is proportional to X(p).

Both covariances follow from linear response, layer by layer, to the fresh noise of every layer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.bulk.features import BulkFeatures
from meanfield.bulk.unknowns import Unknowns
from meanfield.gaussian.conditional import ConditionalMoments

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
    response = _Response(x)
    v, vx = response.ridge(), response.linear(start)
    omega = response.covariance
    rows = x.features @ response.overlap + x.gradients[1:] @ response.backward_overlap[1 : x.depth]
    ridge, mixed, linear = np.array([v @ omega @ v, 2 * v @ omega @ vx, vx @ omega @ vx]) + _split(x)
    ridge += _product_noise(x) + _between_outputs(x)
    return SampleNoise(float(ridge), float(mixed), float(linear), float(rows @ omega @ rows))


class _Response:
    """T, O (index l = 0..L-1) and T', O' (index l = 1..L) as linear functions of the fresh noises, whose covariance is
    block-diagonal over layers."""

    def __init__(self, x: BulkFeatures) -> None:
        self.x = x
        depth = x.depth
        size = 1 + 4 * (depth - 1)
        self.covariance = np.zeros((size, size))
        values, shares = x.inputs
        self.covariance[0, 0] = 2 * float(shares @ values**2) / x.widths[0]
        self.norm, self.overlap = np.zeros((depth, size)), np.zeros((depth, size))
        self.backward_norm, self.backward_overlap = np.zeros((depth + 1, size)), np.zeros((depth + 1, size))
        self.norm[0, 0] = 1
        self.slopes = {layer: _Slopes(x, layer) for layer in range(1, depth)}
        for layer in range(1, depth):
            f, i = self.slopes[layer], 1 + 4 * (layer - 1)
            self.covariance[i : i + 4, i : i + 4] = _fresh(x, layer) / x.widths[layer]
            self.norm[layer] = self._forward(layer, f.variance)
            self.overlap[layer] = self._forward(layer, f.feature_overlap)
            self.norm[layer, i] += 1
            self.overlap[layer, i + 1] += 1
        for layer in range(depth - 1, 0, -1):
            f, i = self.slopes[layer], 1 + 4 * (layer - 1)
            own = self._forward(layer, f.y * f.slope_variance + f.theta * f.slope_square)
            self.backward_norm[layer] = own + self._from_above(layer)
            self.backward_norm[layer, i + 2] += 1
            self.backward_overlap[layer] = f.y * self._forward(layer, f.slope_overlap)
            self.backward_overlap[layer] += f.z2 * f.above * self.backward_overlap[layer + 1]
            self.backward_overlap[layer, i + 3] += 1

    def _forward(self, layer: int, slope: Floats) -> Floats:
        """What T and O of the layer below do; ``slope``: derivatives with respect to τ and to q_st's share."""
        result: Floats = slope[0] * self.norm[layer - 1] + slope[1] * self.overlap[layer - 1]
        return result

    def _from_above(self, layer: int) -> Floats:
        f = self.slopes[layer]
        result: Floats = f.above * (2 * f.v2 * self.backward_overlap[layer + 1] + f.d2 * self.backward_norm[layer + 1])
        return result

    def ridge(self) -> Floats:
        """A sample's own r."""
        x, v = self.x, np.zeros(len(self.covariance))
        for l in range(1, x.depth):
            v += x.weight[l] * (x.backward[l] - x.backward_st[l]) * self.norm[l - 1]
            v += x.weight[l] * (x.forward[l - 1] - x.forward_st[l - 1]) * self.backward_norm[l]
        return v

    def linear(self, start: Unknowns) -> Floats:
        """A sample's own X(0): the layers' noise, and the rows of the linear parts, which mean × fluctuation scales."""
        x, v = self.x, np.zeros(len(self.covariance))
        for l in range(1, x.depth):
            f = self.slopes[l]
            S, T = start.S[l], start.T[l]
            v += S * self._forward(l, f.variance - np.array([f.below * f.z2, 0.0]))
            own = f.y * f.slope_variance + f.theta * f.slope_square - np.array([f.below * f.y * f.b2, 0.0])
            v += T * (self._forward(l, own) + self._from_above(l) - f.above * f.z2 * self.backward_norm[l + 1])
            if x.backward_st[l] > 0:
                forward = x.forward[l - 1] - x.forward_st[l - 1]
                v += 2 * x.features[l - 1] * forward * self.backward_overlap[l] / x.backward_st[l]
            v += 2 * x.weight[l] * (x.backward[l] - x.backward_st[l]) * self.overlap[l - 1]
        return v


class _Slopes:
    """Averages over z of one layer, and derivatives of four of them with respect to what comes from below: pairs (by
    T, by O)."""

    def __init__(self, x: BulkFeatures, layer: int) -> None:
        f = x.hidden(layer)
        self.below, self.above = float(x.weight_variance[layer]), float(x.weight_variance[layer + 1])
        self.y, self.theta = x.common_gradient(layer), x.own_gradient(layer)
        self.z2, self.b2 = f.average(f.slope**2), f.average(f.bend**2)
        self.v2, self.d2 = f.average(f.central[0, 2]), f.average(f.slope_square)
        # The overlap O moves every neuron's common part √q_st z by its share σ_w² O/q_st.
        by_overlap = f.by_shift * f.z / (f.common or np.inf)
        self.variance = self._pair(f, by_overlap, lambda d: d[0] - 2 * f.mean * d[1])
        self.feature_overlap = self._pair(f, by_overlap, lambda d: f.mean * d[1])
        self.slope_variance = self._pair(f, by_overlap, lambda d: d[2] - 2 * f.slope * d[3])
        self.slope_square = self._pair(f, by_overlap, lambda d: d[2])
        self.slope_overlap = self._pair(f, by_overlap, lambda d: f.slope * d[3])

    def _pair(self, f: ConditionalMoments, by_overlap: Floats, combine: Callable[[Floats], Floats]) -> Floats:
        return self.below * np.array([f.average(combine(f.by_tau)), f.average(combine(by_overlap))])


def _fresh(x: BulkFeatures, layer: int) -> Floats:
    """M_l times the covariance of the noises that a layer adds to (T, O, T', O')."""
    f, y, theta = x.hidden(layer), x.common_gradient(layer), x.own_gradient(layer)
    c, m, z = f.central, f.mean, f.slope
    d2 = f.slope_square
    e_d2 = c[0, 3] + 2 * z * c[0, 2]
    e2_d2 = c[0, 4] + 2 * z * c[0, 3] + z**2 * c[0, 2]
    d4 = c[0, 4] + 4 * z * c[0, 3] + 6 * z**2 * c[0, 2] + z**4
    of_e, of_d = c[2, 2] - c[2, 0] * c[0, 2], c[2, 2] + 2 * z * c[2, 1] - c[2, 0] * c[0, 2]
    entries = {
        (0, 0): c[4, 0] - c[2, 0] ** 2,
        (0, 1): m * c[3, 0],
        (1, 1): m**2 * c[2, 0],
        (0, 2): y * of_e + theta * of_d,
        (1, 2): m * (y * c[1, 2] + theta * (c[1, 2] + 2 * z * c[1, 1])),
        (0, 3): z * y * c[2, 1],
        (1, 3): m * z * y * c[1, 1],
        (2, 2): 3 * y**2 * (c[0, 4] - c[0, 2] ** 2)
        + 2 * y * theta * (3 * e2_d2 - c[0, 2] * d2)
        + theta**2 * (3 * d4 - d2**2),
        (2, 3): 3 * z * y * (y * c[0, 3] + theta * e_d2),
        (3, 3): z**2 * y * (3 * y * c[0, 2] + theta * d2),
    }
    result = np.zeros((4, 4))
    for (i, j), values in entries.items():
        result[i, j] = result[j, i] = f.average(values)
    return result


def _product_noise(x: BulkFeatures) -> float:
    """N times the variance of Σ_l w_l ε_δ^l ε_h^{l-1}, ε the fluctuation of an entry of Δ or H between two samples."""
    depth = x.depth
    size = 1 + 2 * (depth - 1)
    noise, between = np.zeros((size, size)), np.zeros((depth + 1, depth + 1))
    forward, backward = np.zeros((depth, size)), np.zeros((depth + 1, size))
    passed = np.eye(depth + 1)
    values, shares = x.inputs
    noise[0, 0] = float(shares @ values**2) / x.widths[0]
    forward[0, 0] = 1
    for l in range(1, depth):
        f, y, theta, i = x.hidden(l), x.common_gradient(l), x.own_gradient(l), 2 * l - 1
        v = f.central[0, 2]
        noise[i, i] = f.average(f.central[2, 0] ** 2) / x.widths[l]
        squared = 3 * (y * v) ** 2 + 2 * theta * y * v * f.slope_square + (theta * f.slope_square) ** 2
        noise[i + 1, i + 1] = f.average(squared) / x.widths[l]
        noise[i, i + 1] = noise[i + 1, i] = y * f.average(f.central[1, 1] ** 2) / x.widths[l]
        between[l, l] = y**2 * f.average(v**2) / x.widths[l]
        forward[l] = x.weight_variance[l] * f.average(f.slope**2) * forward[l - 1]
        forward[l, i] += 1
    for l in range(depth - 1, 0, -1):
        f = x.hidden(l)
        handed_down = x.weight_variance[l + 1] * f.average(f.slope**2)
        bent = x.weight_variance[l] * x.common_gradient(l) * f.average(f.bend**2)
        backward[l] = bent * forward[l - 1] + handed_down * backward[l + 1]
        backward[l, 2 * l] += 1
        passed[l] = handed_down * passed[l + 1]
        passed[l, l] = 1
    h, d, w = forward[: depth - 1], backward[1:depth], x.weight[1:depth]
    hh, dd, dh = h @ noise @ h.T, d @ noise @ d.T, d @ noise @ h.T
    other = (passed @ between @ passed.T)[1:depth, 1:depth]
    return x.samples * float(w @ (hh * (dd + (x.outputs - 1) * other) + dh * dh.T) @ w)


def _between_outputs(x: BulkFeatures) -> float:
    """The ridge's variance in the blocks of two outputs: their gradients' products, sample by sample."""
    depth = x.depth
    norm, overlap = np.zeros((depth + 1, 2 * depth)), np.zeros((depth + 1, 2 * depth))
    noise = np.zeros((2 * depth, 2 * depth))
    v = np.zeros(2 * depth)
    for l in range(depth - 1, 0, -1):
        f, y, theta, above = x.hidden(l), x.common_gradient(l), x.own_gradient(l), x.weight_variance[l + 1]
        c, z, d2 = f.central, f.slope, f.slope_square
        e_d2, e2_d2 = c[0, 3] + 2 * z * c[0, 2], c[0, 4] + 2 * z * c[0, 3] + z**2 * c[0, 2]
        d4 = c[0, 4] + 4 * z * c[0, 3] + 6 * z**2 * c[0, 2] + z**4
        q4 = y**2 * (c[0, 4] - c[0, 2] ** 2) + 2 * y * theta * e2_d2 + theta**2 * d4
        n2 = 2 * z**2 * y * (2 * y * c[0, 2] + theta * d2)
        n12 = 2 * z * y * (y * c[0, 3] + theta * e_d2)
        block = [[f.average(q4), f.average(n12)], [f.average(n12), f.average(n2)]]
        noise[2 * l : 2 * l + 2, 2 * l : 2 * l + 2] = np.array(block) / x.widths[l]
        norm[l] = above * (f.average(d2) * norm[l + 1] + f.average(c[0, 2]) * overlap[l + 1])
        overlap[l] = above * f.average(z**2) * overlap[l + 1]
        norm[l, 2 * l] += 1
        overlap[l, 2 * l + 1] += 1
        v += x.weight[l] * (x.forward[l - 1] - x.forward_st[l - 1]) * norm[l]
    return (x.outputs - 1) * float(v @ noise @ v)


def _split(x: BulkFeatures) -> Floats:
    """What different outputs of one network add to (v₀, v₁, v₂): the C × C matrices of q̃^l and q̃_st^l, the same for all
    samples, give each direction among the outputs a ridge and a linear part of its own."""
    depth = x.depth
    same, other = np.zeros((depth + 1, 2 * depth)), np.zeros((depth + 1, 2 * depth))
    noise = np.zeros((2 * depth, 2 * depth))
    ridge, linear = np.zeros(2 * depth), np.zeros(2 * depth)
    for l in range(depth - 1, 0, -1):
        f, y, above = x.hidden(l), x.common_gradient(l), x.weight_variance[l + 1]
        b, z = f.slope_square, f.slope**2
        block = [[f.average(b * b), f.average(b * z)], [f.average(b * z), f.average(z * z)]]
        noise[2 * l : 2 * l + 2, 2 * l : 2 * l + 2] = y**2 * np.array(block) / x.widths[l]
        same[l] = above * f.average(b) * same[l + 1]
        other[l] = above * f.average(z) * other[l + 1]
        same[l, 2 * l] += 1
        other[l, 2 * l + 1] += 1
        features = x.weight[l] * (x.forward[l - 1] - x.forward_st[l - 1])
        ridge += features * (same[l] - other[l])
        linear += features * other[l] + x.gradients[l] * (same[l] - other[l])
    # S without its trace, which is common to all outputs: E[S²] = C + 1 - 2/C.
    terms = np.array([ridge @ noise @ ridge, 2 * ridge @ noise @ linear, linear @ noise @ linear])
    return np.asarray((x.outputs + 1 - 2 / x.outputs) * terms)
