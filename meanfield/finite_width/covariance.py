"""Finite width to order 1/M: the laws of a network's kernels, carried from layer to layer.

Given everything below a layer its neurons are independent and alike, so the kernels of a layer are means over neurons:
what is random below is handed on by derivatives, and each layer adds the noise of a mean over M_l terms. The metrics'
dual matrix is read forward in depth, which makes it part of that chain (no gradient-independence assumption):

    Θ^l_ij(s,t) = δ_ij a_l(s,t) + w_iᵀ [T^{l-1}(s,t) + ε_l 1] w_j,     T^l_ij = φ'(u_i(s)) Θ^l_ij φ'(u_j(t)),   T^0 = 0

and K = Θ^L. H^l(s,t) = h^l(s)·h^l(t)/M_l, τ^l = tr T^l/M_l, S^l = σ_w² H^{l-1} + σ_b²,
θ^l = a_l + σ_w² (τ^{l-1} + ε_l), a_l = w_l H^{l-1} + (β_l where it does not fluctuate). Axes: kinds of pair (same
sample, other sample) for means, the 15 classes of :mod:`meanfield.finite_width.classes` for covariances, (H, τ) or
(S, θ) on axes of length 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.classes import (
    COUPLED,
    EXCHANGED,
    FIRST,
    OTHER,
    PAIR,
    SAME,
    SECOND,
    SWAPPED,
    class_of,
    crossed,
    given_covariance,
    moved,
)  # fmt: skip
from meanfield.finite_width.factor_moments import Neurons
from meanfield.propagation.inputs import Inputs

__all__ = ["Hidden", "LayerTerms", "Outputs", "dual_law", "inputs"]

Floats = NDArray[np.float64]

# The arguments (q_ss, q_tt, q_st) of each kind of pair, by kind; and which of them the pair is.
_ARGUMENTS = np.array([[SAME, SAME, SAME], [SAME, SAME, OTHER]])
_ITSELF = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
_DISTINCT = class_of(0, 1, 2, 3)


@dataclass(frozen=True)
class LayerTerms:
    """One weight layer l: σ_w², w_l, β_l, and ε_l = 1 where the metric counts h^{l-1} itself (then β_l = σ_w² ε_l)."""

    weight_variance: float
    weight: float
    bias: float
    epsilon: float


@dataclass(frozen=True)
class Hidden:
    """The kernels of hidden layer l (0: the inputs), M_l = ``width`` units.

    ``mean`` and ``shift`` are (H, τ) by kind at infinite width and the change of order 1/M. ``covariance`` is that of
    (H, τ) with (H, τ) by class, apart for each source of randomness: the inputs, then each hidden layer. ``overlap``
    is b(st; s't') = Σ_ij E[T_ij(st) T_ij(s't')], ``coupling`` Q(pq; st) = h(p)ᵀ T(st) h(q)/M², ``cubic`` tr T³ at
    different samples.
    """

    width: float
    mean: Floats  # (2, kind)
    shift: Floats  # (2, kind)
    covariance: Floats  # (source, 2, 2, class)
    overlap: Floats  # (class,)
    coupling: Floats  # (class,)
    cubic: float


@dataclass(frozen=True)
class Outputs:
    """What the neurons of layer l are given, or at l = L the law of the dual matrix K itself.

    ``mean``, ``shift`` and ``covariance`` as in :class:`Hidden`, of (S, θ); ``crossing`` is B(st; s't'), the covariance
    of K_kk'(st) and K_kk'(s't') for k ≠ k'; ``coupling`` is Q with ε_l; ``cubic`` is v³ tr (T + ε)³.
    """

    mean: Floats
    shift: Floats
    covariance: Floats
    crossing: Floats
    coupling: Floats
    cubic: float

    @property
    def own(self) -> Floats:
        """B(st; s't') + B(st; t's'): what K_kk fluctuates with beside the common V."""
        return self.crossing + self.crossing[SWAPPED]


def inputs(width: float, given: Inputs) -> Hidden:
    """The inputs' Gram matrix; if i.i.d. Gaussian with its fluctuations, else with what pairs differ by."""
    covariance = np.zeros((1, 2, 2, len(FIRST)))
    if given.random:
        covariance[0, 0, 0, PAIR] = [2 / width, 1 / width]
        covariance[0, 0, 0, class_of(0, 1, 1, 0)] = 1 / width
    elif given.deviations is not None:
        covariance[0, 0, 0] = given_covariance(given.deviations)
    nothing = np.zeros(len(FIRST))
    mean = np.array([[given.norm, given.overlap], [0.0, 0.0]])
    return Hidden(width, mean, np.zeros((2, 2)), covariance, nothing, nothing, 0.0)


def dual_law(
    below: Hidden, layers: Sequence[LayerTerms], hidden: Sequence[tuple[Neurons, float]], S: Floats
) -> Outputs:
    """The law of K from the inputs', the weight layers', the hidden layers' neurons and widths; ``S`` is (q, q_st) of
    each layer, shape (L, 2)."""
    for layer, (cells, width), variance in zip(layers, hidden, S, strict=False):
        below = _pass(_connect(below, layer, variance), layer, cells, width)
    return _connect(below, layers[-1], S[-1])


def _connect(below: Hidden, layer: LayerTerms, S: Floats) -> Outputs:
    """Through the weights of one layer: dS = σ_w² dH, dθ = w_l dH + σ_w² dτ, and the fluctuations that they add."""
    n, eps, sw2 = below.width, layer.epsilon, layer.weight_variance
    v = sw2 / n
    features, tau = below.mean
    trace = n * tau
    linear = np.array([[sw2, 0.0], [layer.weight, sw2]])
    overlap = below.overlap + eps * (trace[FIRST] + trace[SECOND] + n)
    cubic = below.cubic + 3 * eps * below.overlap[_DISTINCT] + 3 * eps * trace[OTHER] + eps * n
    return Outputs(
        mean=np.array([S, layer.weight * features + layer.bias + sw2 * tau]),
        shift=linear @ below.shift,
        covariance=np.einsum("ae,bf,xefc->xabc", linear, linear, below.covariance),
        crossing=v**2 * overlap,
        coupling=below.coupling + eps * features[FIRST] / n,
        cubic=v**3 * cubic,
    )


def _pass(given: Outputs, layer: LayerTerms, neurons: Neurons, n: float) -> Hidden:
    """Through n neurons: dH_p = F_{p,q} dS_q + ξ_p,  dτ_p = χ_p dθ_p + θ_p χ_{p,q} dS_q + θ_p ζ_p."""
    theta, sw4 = given.mean[1], layer.weight_variance**2
    feature, slope = neurons.feature, neurons.slope
    gradient = _gradient(neurons, theta)
    handed_on = np.einsum(
        "aeci,bfcj,xefcij->xabc", gradient[:, :, FIRST], gradient[:, :, SECOND], moved(given.covariance)
    )
    noise = _noise(given, neurons) / n
    through = np.multiply(*crossed(slope.value))  # χ(s,s') χ(t,t')
    return Hidden(
        width=n,
        mean=np.array([feature.value, slope.value * theta]),
        shift=_shift(given, neurons, gradient, sw4),
        covariance=np.concatenate([handed_on, noise[None]]),
        overlap=n * neurons.slope4 * _second_moment(given) + n * (n - 1) * through * given.crossing,
        coupling=neurons.mixed4 * theta[SECOND] / n + sw4 * _coupled(given.coupling, neurons),
        cubic=n * neurons.slope6 * theta[OTHER] ** 3
        + 3 * n * (n - 1) * neurons.slope4[_DISTINCT] * slope.value[OTHER] * theta[OTHER] * given.crossing[_DISTINCT]
        + n * (n - 1) * (n - 2) * slope.value[OTHER] ** 3 * given.cubic,
    )


def _gradient(neurons: Neurons, theta: Floats) -> Floats:
    """∂(H, τ)/∂(S, θ), axes (2, 2, kind, argument)."""
    feature, slope = neurons.feature, neurons.slope
    return np.array(
        [
            [feature.gradient, np.zeros_like(_ITSELF)],
            [theta[:, None] * slope.gradient, slope.value[:, None] * _ITSELF],
        ]
    )


def _second_moment(given: Outputs) -> Floats:
    """E[Θ_ii(st) Θ_ii(s't')] of one neuron."""
    theta = given.mean[1]
    moment: Floats = theta[FIRST] * theta[SECOND] + given.covariance[:, 1, 1].sum(axis=0) + given.own
    return moment


def _noise(given: Outputs, neurons: Neurons) -> Floats:
    """n times the covariance of a mean over n neurons: of (φφ, θ φ'φ') with itself, by class."""
    theta, F, chi = given.mean[1], neurons.feature.value, neurons.slope.value
    mixed = (neurons.mixed4 - F[FIRST] * chi[SECOND]) * theta[SECOND]
    return np.array(
        [
            [neurons.feature4 - F[FIRST] * F[SECOND], mixed],
            [mixed[EXCHANGED], (neurons.slope4 - chi[FIRST] * chi[SECOND]) * _second_moment(given)],
        ]
    )


def _shift(given: Outputs, neurons: Neurons, gradient: Floats, sw4: float) -> Floats:
    """Mean shifts of (H, τ) by kind: first derivatives on shifts, second derivatives on covariances, and the coupling
    of θ with the neurons' own preactivations."""
    theta, feature, slope = given.mean[1], neurons.feature, neurons.slope
    covariance = moved(given.covariance.sum(axis=0))[..., PAIR, :, :]
    first = np.einsum("aeki,eki->ak", gradient, given.shift[:, _ARGUMENTS])
    second = np.array([np.einsum("kij,kij->k", f.hessian, covariance[0, 0]) / 2 for f in (feature, slope)])
    with_theta = np.einsum("ki,kj,kij->k", slope.gradient, _ITSELF, covariance[0, 1])
    of_tau = theta * second[1] + with_theta + sw4 * _self_coupling(given.coupling, slope.gradient)
    shift: Floats = first + np.stack([second[0], of_tau])
    return shift


def _self_coupling(Q: Floats, gradient: Floats) -> Floats:
    """Σ_{q,q' in {s,t}} E ∂_q ∂_q'[φ'_s φ'_t] Q(qq'; st), by kind; E ∂_s² is 2 ∂/∂q_ss."""
    (same, _, _), (of_first, of_second, of_both) = gradient

    def at(p: int, q: int) -> float:
        return float(Q[class_of(p, q, 0, 1)])

    other = 2 * of_first * at(0, 0) + 2 * of_second * at(1, 1) + of_both * (at(0, 1) + at(1, 0))
    return np.array([2 * same * Q[class_of(0, 0, 0, 0)], other])


def _coupled(Q: Floats, neurons: Neurons) -> Floats:
    """Σ_{p' in {p,s}, q' in {q,t}} D^{ps}_p' D^{qt}_q' Q(p'q'; st), with D^{ps}_p' = E ∂_p'[φ(u_p) φ'(u_s)]."""
    feature, slope = neurons.feature, neurons.slope
    D = np.array([[feature.gradient[SAME, 0], 0.0], [slope.value[OTHER], 2 * feature.gradient[OTHER, 0]]])
    of_ps, of_qt = crossed(np.array([SAME, OTHER]))
    coupled: Floats = np.einsum("ci,cj,cij->c", D[of_ps], D[of_qt], Q[COUPLED])
    return coupled
