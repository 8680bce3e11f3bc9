"""The bulk's equivalent Gaussian features: what its law needs to know of a network.

Without the rank-C part of its outliers the dual matrix is, in the limit of N ~ M → ∞,

    K_b = r I + Σ_{l=0}^{L-1} c_l I_C ⊗ H̃^lᵀ H̃^l / M_l + Σ_{l=1}^{L-1} d_l D̃^lᵀ D̃^l / M_l
    c_l = w_{l+1} q̃_st^{l+1},  d_l = w_l q̂_st^{l-1} + β_l,  r = Σ_l w_l (q̃^l - q̃_st^l)(q̂^{l-1} - q̂_st^{l-1})

with H̃ the features and D̃ the gradients √M δ, each without the part of its neuron that all samples share. A neuron of
layer l carries that part: z ~ N(0, 1) forward and Y ~ N(0, σ_w² q̃_st^{l+1} I_C) backward, y² = |Y|². Given these, its
features act as linear ones plus noise, and everything that the law needs is their covariance

    A = ζ² σ_w² s + n p,  B = |Y| (ζ ζ₂ σ_w² s + n' p),  G = (ζ₂² y² σ_w²) s + (ζ² σ_w²) t + (...) p,

linear in s = s_{l-1}, t = t_{l+1} and p. This file makes the table of its coefficients over the nodes of (z, y²).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from meanfield.gaussian.conditional import ConditionalMoments, conditional_moments
from meanfield.kernels.exchangeable import coefficients
from meanfield.spec import Metric, Network, OrderParameters

__all__ = ["BulkFeatures", "bulk_features"]

Floats = NDArray[np.float64]

_WINDOW = 1.0  # of z in which neurons count as alike: as many of them share a tail of y²
_BODY = (0.9, 0.8, 0.7, 0.6, 0.5)  # probabilities above the lower bins of y², from where
_BIN_RATIO = 1.86  # they fall by this factor


@dataclass(frozen=True)
class BulkFeatures:
    """A network as its bulk sees it, in units of K (theory.md §3); ν times an eigenvalue is the metric's.

    Attributes
    ----------
    widths, outputs, samples
        M_0..M_{L-1}, C, N.
    weight, bias, weight_variance
        w_l, β_l and σ_w² for l = 1..L, at index l; index 0 is unused.
    forward, forward_st, backward, backward_st
        q̂^l and q̂_st^l at index l = 0..L-1; q̃^l and q̃_st^l at index l = 1..L.
    moments
        Of the hidden layers l = 1..L-1 at index l; ``None`` at index 0.
    features, gradients, ridge
        c_l (l = 0..L-1), d_l (at index l = 1..L-1; d_0 = 0) and r.
    same, other
        κ₁ and κ₂ = K₁ and K₂.
    inputs
        Eigenvalues of the inputs' covariance, and their weights.
    table, starts
        One row (weight, A_s, A_p, B_s, B_p, G_s, G_t, G_p) for each node of (z, y²); those of layer l from
        ``starts[l]`` to ``starts[l + 1]``.
    """

    widths: Floats
    outputs: int
    samples: int
    weight: Floats
    bias: Floats
    weight_variance: Floats
    forward: Floats
    forward_st: Floats
    backward: Floats
    backward_st: Floats
    moments: tuple[ConditionalMoments | None, ...]
    features: Floats
    gradients: Floats
    ridge: float
    same: float
    other: float
    inputs: tuple[Floats, Floats]
    table: Floats
    starts: NDArray[np.int64]

    @property
    def depth(self) -> int:
        return len(self.widths)

    @property
    def ratio(self) -> Floats:
        """ρ_l = N/M_l."""
        return self.samples / self.widths

    @property
    def unbounded(self) -> bool:
        """Whether the limit's bulk has no upper end, since neurons with ever larger y² stretch it."""
        return bool(np.any(self.table[:, 5] + self.table[:, 3] ** 2 > 1e-14 * self.table[:, 1])) and bool(
            np.any(self.gradients > 0)
        )

    def hidden(self, layer: int) -> ConditionalMoments:
        """The moments of a hidden layer l = 1..L-1."""
        moments = self.moments[layer]
        if moments is None:
            raise ValueError(f"layer: expected 1..{self.depth - 1}, got {layer}")
        return moments

    def common_gradient(self, layer: int) -> float:
        """σ_w² q̃_st^{l+1}: variance of a neuron's backward signal, the part that all samples share."""
        return float(self.weight_variance[layer + 1] * self.backward_st[layer + 1])

    def own_gradient(self, layer: int) -> float:
        """θ_l = σ_w² (q̃^{l+1} - q̃_st^{l+1}): variance of a sample's own part."""
        gap = self.backward[layer + 1] - self.backward_st[layer + 1]
        return float(self.weight_variance[layer + 1] * max(gap, 0.0))


def bulk_features(
    network: Network,
    metric: Metric,
    width: int,
    samples: int,
    kernels: OrderParameters,
    inputs: tuple[Floats, Floats],
    rarest: float = 0.0,
) -> BulkFeatures:
    """The features of ``network`` for one metric of the families "fim" and "ntk".

    ``kernels`` are the mean-field order parameters, or those of one network. The table has no neurons rarer than
    ``rarest`` or than one in the layer's width.
    """
    depth, outputs = network.depth, network.outputs
    widths = np.array(network.widths(width), dtype=np.float64)
    weight, bias = (_from_one(x) for x in zip(*coefficients(network, metric, widths), strict=True))
    forward, forward_st = kernels.forward, kernels.forward_st
    backward, backward_st = (_from_one(x) for x in (kernels.backward, kernels.backward_st))
    l, below = slice(1, None), slice(0, depth)
    gap = (backward - backward_st)[l] * (forward - forward_st)[below]
    gradients = np.zeros(depth)
    gradients[1:] = (weight[l] * forward_st[below] + bias[l])[:-1]
    q, q_gap = kernels.q, kernels.q_gap
    if not np.all(np.concatenate([forward - forward_st, q_gap[:-1]]) > 0):
        raise ValueError("network: expected one that tells samples apart, got a layer where q = q_st or q̂ = q̂_st")
    layers = zip(network.activation, q[:-1], q_gap[:-1], strict=True)
    moments = [conditional_moments(a, float(v), float(g)) for a, v, g in layers]
    made = BulkFeatures(
        widths=widths[:-1],
        outputs=outputs,
        samples=samples,
        weight=weight,
        bias=bias,
        weight_variance=_from_one(network.weight_variance),
        forward=forward,
        forward_st=forward_st,
        backward=backward,
        backward_st=backward_st,
        moments=(None, *moments),
        features=weight[l] * backward_st[l],
        gradients=gradients,
        ridge=float(np.sum(weight[l] * np.maximum(gap, 0.0))),
        same=float(np.sum(backward[l] * (weight[l] * forward[below] + bias[l]))),
        other=float(np.sum(backward_st[l] * (weight[l] * forward_st[below] + bias[l]))),
        inputs=inputs,
        table=np.zeros((0, 8)),
        starts=np.zeros(depth + 1, dtype=np.int64),
    )
    tables = [np.zeros((0, 8)), *(_table(made, layer, rarest) for layer in range(1, depth))]
    starts = np.concatenate([[0], np.cumsum([len(t) for t in tables])])
    return BulkFeatures(**{**vars(made), "table": np.concatenate(tables), "starts": starts})


def _from_one(values: Any) -> Floats:
    """Values of the layers l = 1..L, put at index l."""
    return np.concatenate([[0.0], np.asarray(values, dtype=np.float64)])


def _table(x: BulkFeatures, layer: int, rarest: float) -> Floats:
    """The rows of one hidden layer."""
    f, width = x.hidden(layer), 1 / max(rarest, 1 / float(x.widths[layer]))
    # Without backward Grams in this layer or below, y² doesn't enter.
    seen = bool(np.any(x.gradients[1 : layer + 1] > 0))
    blocks = []
    for nodes in _crowds(f, width):
        crowd = width * _WINDOW * math.exp(-0.5 * float(f.z[nodes[0]]) ** 2) / math.sqrt(2 * math.pi)
        y2, share = _chi_square_bins(x.outputs, 1 / crowd) if seen else _whole(x.outputs)
        rows = _rows(x, layer, nodes, y2 * x.common_gradient(layer))
        weights = f.weights[nodes]
        mean = np.einsum("z,zyc->yc", weights, rows) / weights.sum()
        blocks.append(np.concatenate([(weights.sum() * share)[:, None], mean], axis=1))
    return _merged(np.concatenate(blocks))


def _crowds(f: ConditionalMoments, width: float) -> list[NDArray[np.int64]]:
    """The nodes of z, one by one; but each of the two tails that one neuron in ``width`` visits is a crowd."""
    below, above = np.cumsum(f.weights), np.cumsum(f.weights[::-1])[::-1]
    left, right = below * width < 0.5, above * width < 0.5
    middle = np.flatnonzero(~(left | right))
    # The tail's neurons go with the outermost node that is visited.
    first, last = middle[0], middle[-1]
    groups = [np.array([n]) for n in middle[1:-1]]
    if len(middle) == 1:
        return [np.arange(len(f.z))]
    return [np.arange(first, -1, -1), *groups, np.arange(last, len(f.z))]


def _rows(x: BulkFeatures, layer: int, nodes: NDArray[np.int64], y2: Floats) -> Floats:
    """The coefficients of A, B and G at nodes of z (first axis) and of y² (second)."""
    f, variance, theta = x.hidden(layer), x.weight_variance[layer], x.own_gradient(layer)
    zeta, bend, tau = f.slope[nodes, None], f.bend[nodes, None], f.tau
    noise = {key: f.central[key][nodes, None] for key in ((2, 0), (1, 1), (0, 2))}
    # Only B² enters: its sign is that of its first coefficient.
    root = np.sqrt(y2) * np.where(zeta * bend < 0, -1.0, 1.0)
    columns = (
        zeta**2 * variance,
        np.maximum(noise[2, 0] - tau * zeta**2, 0.0),
        root * zeta * bend * variance,
        root * (noise[1, 1] - tau * zeta * bend),
        bend**2 * y2 * variance,
        zeta**2 * x.weight_variance[layer + 1],
        np.maximum(noise[0, 2] - tau * bend**2, 0.0) * y2 + x.outputs * theta * noise[0, 2],
    )
    return np.stack(np.broadcast_arrays(*columns), axis=-1)


def _merged(rows: Floats) -> Floats:
    """Rows of equal coefficients as one: those of ±z for an odd or even φ, all of a linear one."""
    size = np.max(np.abs(rows[:, 1:]), axis=0)
    scale = np.maximum(size, 1e-3 * np.max(size))  # a column that is nothing but rounding stays so
    _, which = np.unique(np.round(rows[:, 1:] / scale, 11), axis=0, return_inverse=True)
    which = which.ravel()  # NumPy 2.0 gives it two axes
    weights = np.bincount(which, rows[:, 0])
    sums = [np.bincount(which, rows[:, 0] * column) / weights for column in rows[:, 1:].T]
    return np.stack([weights, *sums], axis=1)


def _whole(degrees: int) -> tuple[Floats, Floats]:
    return np.array([float(degrees)]), np.ones(1)


def _chi_square_bins(degrees: int, tail: float) -> tuple[Floats, Floats]:
    """Means and probabilities of bins of the χ² law, the last with the probability ``tail``.

    Finer bins would put the edge of the spectrum where no network of this width has an eigenvalue.
    """
    from scipy.stats import chi2

    if tail >= _BODY[-1]:
        return _whole(degrees)
    count = 1 + math.ceil(math.log(_BODY[-1] / tail) / math.log(_BIN_RATIO))
    above = np.concatenate([[1.0], _BODY[:-1], np.geomspace(_BODY[-1], tail, count), [0.0]])
    probability = -np.diff(above)
    means = -np.diff(degrees * chi2.sf(chi2.isf(above, degrees), degrees + 2)) / probability
    return means, probability / math.fsum(probability)
