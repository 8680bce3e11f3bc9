"""The mean of the kernel at given inputs to order 1/M: dK, pair by pair.

The recursion of :func:`meanfield.finite_width.covariance._shift` with every pair's own F, χ and Hessians. The
covariances of (S_ss, S_tt, S_st, θ_st) that it needs come from the linear responses to the layers below and from four
Gaussian moments of a pair, E φ_s²φ_t², E φ_s³φ_t, E φ_s²φ'_sφ'_t and E φ_sφ'_sφ_tφ'_t, which are averages over sampled
neurons: their Monte-Carlo error is one of dK, itself a correction of order 1/M.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.covariance import LayerTerms
from meanfield.finite_width.given_layers import Chain, HiddenLayer
from meanfield.finite_width.given_neurons import neuron_blocks
from meanfield.finite_width.given_pairs import PairTable
from meanfield.finite_width.given_response import Pair, Response, first_response, through_neurons, through_weights

__all__ = ["kernel_shift"]

Floats = NDArray[np.float64]

_NUMBERS = 8_000_000  # preactivations sampled of a layer, ...
_FEWEST = 2000  # ... and neurons at least


@dataclass(frozen=True)
class _Features:
    """Covariances over neurons of φ_s² and φ_sφ_t with φ_s², φ_t², φ_sφ_t, φ'_sφ'_t; and the raw moments of four."""

    square_square: Floats  # Cov(φ_s², φ_t²); its diagonal is Var φ_s²
    square_product: Floats  # Cov(φ_s², φ_sφ_t)
    square_slope: Floats  # Cov(φ_s², φ'_sφ'_t)
    product_product: Floats
    product_slope: Floats
    mixed_own: Floats  # E φ_s² φ'_s φ'_t
    mixed_across: Floats  # E φ_s φ_t φ'_s φ'_t

    def with_square(self, r: Response) -> Floats:
        """The covariance of φ_s² with the change δ_st."""
        variance = np.diagonal(self.square_square)[:, None]
        found: Floats = (
            r.own * variance
            + r.own.T * self.square_square
            + r.across * self.square_product
            + r.slope * self.square_slope
        )
        return found

    def with_product(self, r: Response) -> Floats:
        """The covariance of φ_s φ_t with the change δ_st."""
        found: Floats = (
            _both(r.own * self.square_product) + r.across * self.product_product + r.slope * self.product_slope
        )
        return found


def _both(x: Floats) -> Floats:
    return x + x.T


def _features(layer: HiddenLayer, number: int) -> _Features:
    count = max(_FEWEST, _NUMBERS // len(layer.q))
    sums = [np.zeros_like(layer.q) for _ in range(6)]
    for phi, slope in neuron_blocks(layer, count, number):
        square, both = phi**2, phi * slope
        pairs = (
            (square, square),
            (square * phi, phi),
            (square * slope, slope),
            (both, both),
            (phi, phi),
            (slope, slope),
        )
        for total, (x, y) in zip(sums, pairs, strict=True):
            total += x.T @ y
    square4, cubic, own, across, F, chi = (total / count for total in sums)
    squares = np.diagonal(F)
    return _Features(
        square_square=square4 - np.outer(squares, squares),
        square_product=cubic - squares[:, None] * F,
        square_slope=own - squares[:, None] * chi,
        product_product=square4 - F**2,
        product_slope=across - F * chi,
        mixed_own=own,
        mixed_across=across,
    )


@dataclass(frozen=True)
class _Source:
    """One layer's neurons, with what they do at the layer in hand."""

    features: _Features
    width: float
    pair: Pair


@dataclass(frozen=True)
class _Coupling:
    """Q(pq; st) = h(p)ᵀ T(st) h(q)/M²: ``first`` is (p, q) = (s, s), of (t, t) the transpose; ``across`` (s, t), and
    ``back`` (t, s), which is its own transpose as ``across`` is."""

    first: Floats
    across: Floats
    back: Floats


def kernel_shift(chain: Chain) -> Floats:
    """dK (N, N): E K = K + dK to order 1/M."""
    zero = np.zeros_like(chain.inputs)
    dH, dtau, coupling, sources = zero, zero, _Coupling(zero, zero, zero), list[_Source]()
    rows = zip(chain.terms, chain.layers, chain.features, chain.widths, strict=False)
    for number, (terms, layer, H, units) in enumerate(rows):
        coupling = _read(coupling, terms, H, units)
        given = [_Source(x.features, x.width, through_weights(terms, x.pair)) for x in sources]
        dS, dtheta = terms.weight_variance * dH, terms.weight * dH + terms.weight_variance * dtau
        dH = _shifted(layer.feature, dS) + sum((_curved(layer.feature, x) for x in given), zero)
        dtau = layer.slope.value * dtheta + layer.theta * _shifted(layer.slope, dS)
        dtau = dtau + sum((_bent(layer, x) for x in given), zero) + _self_coupling(layer, coupling)
        features = _features(layer, number)
        coupling = _passed(coupling, layer, features)
        sources = [_Source(x.features, x.width, through_neurons(layer, x.pair)) for x in given]
        sources.append(_Source(features, layer.width, first_response(layer)))
    last = chain.terms[-1]
    shift: Floats = last.weight * dH + last.weight_variance * dtau
    return shift


def _read(below: _Coupling, terms: LayerTerms, H: Floats, units: float) -> _Coupling:
    """Through the weights: σ_w⁴ [Q(pq; st) + ε_l H_pq/M_{l-1}]."""
    factor, own = terms.weight_variance**2, terms.epsilon / units * H
    squares = np.broadcast_to(np.diagonal(own)[:, None], own.shape)
    return _Coupling(factor * (below.first + squares), factor * (below.across + own), factor * (below.back + own))


def _passed(given: _Coupling, layer: HiddenLayer, features: _Features) -> _Coupling:
    """Through the neurons: E[φ_p φ_q φ'_s φ'_t] θ_st/n + Σ_{p' in {p,s}, q' in {q,t}} D^{ps}_p' D^{qt}_q' Q(p'q'; st),
    D^{ps}_p' = E ∂_p'[φ(u_p) φ'(u_s)]."""
    alone = np.diagonal(layer.feature.across)  # D^{ss}_s
    itself = layer.slope.value.copy()  # D^{ps}_p
    np.fill_diagonal(itself, alone)
    other = 2 * layer.feature.own  # D^{ps}_s
    noise, to_first = layer.theta / layer.width, other * given.first
    return _Coupling(
        first=features.mixed_own * noise + alone[:, None] * (itself * given.first + other.T * given.across),
        across=features.mixed_across * noise + np.outer(alone, alone) * given.across,
        back=features.mixed_across * noise
        + itself * (itself * given.back + _both(to_first))
        + other * other.T * given.across,
    )


def _self_coupling(layer: HiddenLayer, given: _Coupling) -> Floats:
    """Σ_{q,q' in {s,t}} E ∂_q ∂_q'[φ'_s φ'_t] Q(qq'; st)."""
    chi = layer.slope
    return _both(2 * chi.own * given.first) + chi.across * (given.across + given.back)


def _shifted(table: PairTable, dS: Floats) -> Floats:
    """First derivatives on shifts."""
    return _both(table.own * np.diagonal(dS)[:, None]) + table.across * dS


def _curved(table: PairTable, source: _Source) -> Floats:
    """Half the second derivatives on the covariances of (S_ss, S_tt, S_st) that come from one source."""
    S, features = source.pair[0], source.features
    one_sample = np.diagonal(S.across)
    both = np.outer(one_sample, one_sample) * features.square_square
    with_own = one_sample[:, None] * features.with_square(S)
    curved = (
        _both(table.own_own * np.diagonal(both)[:, None] + 2 * table.own_across * with_own)
        + 2 * table.own_other * both
        + table.across_across * _covariance(features, S, S)
    )
    return curved / (2 * source.width)


def _bent(layer: HiddenLayer, source: _Source) -> Floats:
    """What δS does to χ θ in second order: θ χ'' and χ' with the fluctuation of θ itself."""
    (S, theta), features, chi = source.pair, source.features, layer.slope
    with_own = np.diagonal(S.across)[:, None] * features.with_square(theta)
    with_theta = _both(chi.own * with_own) + chi.across * _covariance(features, S, theta)
    return layer.theta * _curved(chi, source) + with_theta / source.width


def _covariance(features: _Features, S: Response, r: Response) -> Floats:
    """Of δS_st with the change δ_st of ``r``, over neurons."""
    return _both(S.own * features.with_square(r)) + S.across * features.with_product(r)
