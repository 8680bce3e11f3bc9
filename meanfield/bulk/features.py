"""The bulk's equivalent Gaussian features: what its law needs to know of a network.

Without the rank-C part of its outliers the dual matrix is, in the limit of N ~ M → ∞,

    K_b = r I + Σ_{l=0}^{L-1} c_l I_C ⊗ H̃^lᵀ H̃^l / M_l + Σ_{l=1}^{L-1} d_l D̃^lᵀ D̃^l / M_l
    c_l = w_{l+1} q̃_st^{l+1},  d_l = w_l q̂_st^{l-1} + β_l,  r = Σ_l w_l (q̃^l - q̃_st^l)(q̂^{l-1} - q̂_st^{l-1})

with H̃ the features and D̃ the gradients √M δ, each without the part of its neuron that all samples share. This file has
the network's constants in it; what its neurons add is in :mod:`meanfield.bulk.neurons`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.bulk.inputs import InputLaw
from meanfield.gaussian.conditional import ConditionalMoments, conditional_moments
from meanfield.kernels.exchangeable import coefficients
from meanfield.kernels.setting import Setting
from meanfield.spec import Network, OrderParameters

__all__ = ["BulkFeatures", "bulk_features"]

Floats = NDArray[np.float64]

_NO_RIDGE = 1e-12  # of K₁


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
        Their covariance's eigenvalues, and how samples differ.
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
    inputs: InputLaw

    @property
    def depth(self) -> int:
        return len(self.widths)

    @property
    def gap(self) -> float:
        """K₁ - K₂, the unit of the bulk."""
        return self.same - self.other

    @property
    def has_ridge(self) -> bool:
        """Whether r is more than rounding: some activation bends what it is given."""
        return self.ridge > _NO_RIDGE * self.same

    @property
    def ratio(self) -> Floats:
        """ρ_l = N/M_l."""
        return self.samples / self.widths

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


def bulk_features(setting: Setting, inputs: InputLaw) -> BulkFeatures:
    """The features of a network at one width and sample number, for a metric of the families "fim" and "ntk".

    The ``setting``'s order parameters are those of mean-field theory, or of one network.

    Raises
    ------
    ValueError
        If two samples are one in some layer.
    """
    network, kernels, widths = setting.network, setting.parameters, setting.widths
    weight, bias = np.array(coefficients(network, setting.metric, widths)).T
    forward, forward_st, backward, backward_st = (
        kernels.forward, kernels.forward_st, kernels.backward, kernels.backward_st
    )  # fmt: skip
    below = (weight * forward_st + bias)[:-1]  # what the gradients of the layer below carry
    gap = (backward - backward_st) * (forward - forward_st)
    return BulkFeatures(
        widths=widths[:-1],
        outputs=network.outputs,
        samples=int(setting.samples),
        weight=_from_one(weight),
        bias=_from_one(bias),
        weight_variance=_from_one(network.weight_variance),
        forward=forward,
        forward_st=forward_st,
        backward=_from_one(backward),
        backward_st=_from_one(backward_st),
        moments=(None, *_moments(network, kernels)),
        features=weight * backward_st,
        gradients=_from_one(below),
        ridge=float(np.sum(weight * np.maximum(gap, 0.0))),
        same=float(np.sum(backward * (weight * forward + bias))),
        other=float(np.sum(backward_st * (weight * forward_st + bias))),
        inputs=inputs,
    )


def _moments(network: Network, kernels: OrderParameters) -> list[ConditionalMoments]:
    """Of each hidden layer."""
    q, gap = kernels.q[:-1], kernels.q_gap[:-1]
    if not np.all(np.concatenate([kernels.forward - kernels.forward_st, gap]) > 0):
        raise ValueError("network: expected one that tells samples apart, got a layer where q = q_st or q̂ = q̂_st")
    layers = zip(network.activation, q, gap, strict=True)
    return [conditional_moments(a, float(v), float(g)) for a, v, g in layers]


def _from_one(values: ArrayLike) -> Floats:
    """Values of the layers l = 1.., put at index l."""
    return np.concatenate([[0.0], np.asarray(values, dtype=np.float64)])
