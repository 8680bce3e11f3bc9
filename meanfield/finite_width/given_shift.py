"""What finite width does to the kernel at given inputs, pair by pair: its mean shift and its response to every neuron.

dK, E K = K + dK to order 1/M, is the recursion of :mod:`meanfield.finite_width.covariance` with every pair's own F, χ
and Hessians. The covariances of (S_ss, S_tt, S_st, θ_st) that it needs come from the linear responses to the layers
below and from Gaussian moments of a pair (:mod:`meanfield.finite_width.given_features`). A pair needs of others only
what belongs to its two samples alone, so rows are done in blocks of bounded size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.covariance import LayerTerms
from meanfield.finite_width.given_features import Features, Sampled, sampled_features
from meanfield.finite_width.given_layers import Chain, HiddenLayer
from meanfield.finite_width.given_pairs import PairTable, Stepped, pair_tables
from meanfield.finite_width.given_response import Pair, Response, first_response, through_neurons, through_weights

__all__ = ["Pushed", "pushed"]

Floats = NDArray[np.float64]

_BLOCK = 500_000  # pairs of a block of rows


@dataclass(frozen=True)
class Pushed:
    """dK (N, N), and K's response to the neurons of each hidden layer 1..L-1."""

    shift: Floats
    responses: list[Response]


def pushed(chain: Chain) -> Pushed:
    """Both, for all pairs."""
    n = len(chain.kernel)
    shift, found = np.empty((n, n)), np.empty((len(chain.layers), 3, n, n))
    samples = [sampled_features(layer, number) for number, layer in enumerate(chain.layers)]
    alone = list(_alone(chain, samples))
    stepped = [_stepped(layer) for layer in chain.layers]
    size = max(1, _BLOCK // n)
    for start in range(0, n, size):
        rows = slice(start, min(start + size, n))
        shift[rows], responses = _Block(chain, samples, alone, stepped, rows).pushed()
        for whole, r in zip(found, responses, strict=True):
            whole[:, rows] = r.own, r.across, r.slope
    return Pushed(shift, [Response(own, own.T, across, slope) for own, across, slope in found])


def _stepped(layer: HiddenLayer) -> tuple[Stepped, Stepped]:
    variances = np.diagonal(layer.q)
    return Stepped.of(layer.activation, 0, variances), Stepped.of(layer.activation, 1, variances)


@dataclass(frozen=True)
class _Alone:
    """Of single samples, what enters a hidden layer: dS_ss, and the coefficients of φ_s² in δS_ss, for each source."""

    shift: Floats
    responses: list[Floats]


def _alone(chain: Chain, samples: list[Sampled]) -> Iterator[_Alone]:
    shift, responses = np.zeros(len(chain.kernel)), list[Floats]()
    for terms, layer in zip(chain.terms, chain.layers, strict=False):
        sw2 = terms.weight_variance
        given = _Alone(sw2 * shift, [sw2 * r for r in responses])
        yield given
        _, first, second = layer.alone[0]
        known = zip(given.responses, samples, chain.layers, strict=False)
        variance = _total(shift, [r**2 * x.variance / below.width for r, x, below in known])
        shift = first * given.shift + second * variance / 2
        responses = [*(first * r for r in given.responses), np.ones_like(shift)]


@dataclass(frozen=True)
class _Source:
    """One layer's neurons, with what they do at the layer in hand: ``alone`` to δS_ss, ``pair`` to (S, θ)."""

    features: Features
    width: float
    alone: Floats
    pair: Pair


@dataclass(frozen=True)
class _Coupling:
    """Q(pq; st) = h(p)ᵀ T(st) h(q)/M²; ``across`` is (p, q) = (s, t), ``back`` (t, s)."""

    own: Floats
    other: Floats
    across: Floats
    back: Floats

    @classmethod
    def none(cls, like: Floats) -> _Coupling:
        return cls(*(np.zeros_like(like) for _ in range(4)))


@dataclass(frozen=True)
class _Block:
    """The pairs (s, t) with s among ``rows``."""

    chain: Chain
    samples: list[Sampled]
    alone: list[_Alone]
    stepped: list[tuple[Stepped, Stepped]]
    rows: slice

    def pushed(self) -> tuple[Floats, list[Response]]:
        """dK and K's responses."""
        chain, rows = self.chain, self.rows
        dH, dtau = np.zeros((2, *chain.inputs[rows].shape))
        coupling, below = _Coupling.none(dH), list[Pair]()
        features = [x.block(rows) for x in self.samples]
        for number, (terms, layer, alone) in enumerate(zip(chain.terms, chain.layers, self.alone, strict=False)):
            F, chi = pair_tables(self.stepped[number], layer.q, rows, layer.alone)
            theta = layer.theta[rows]
            coupling = self._read(coupling, terms, number)
            given = [through_weights(terms, pair) for pair in below]
            known = zip(features, chain.layers, alone.responses, given, strict=False)
            sources = [_Source(x, lower.width, r, pair) for x, lower, r, pair in known]
            dS, dtheta = terms.weight_variance * dH, terms.weight * dH + terms.weight_variance * dtau
            dH = self._shifted(F, dS, alone.shift) + _total(dS, [self._curved(F, x) for x in sources])
            dtau = (
                chi.value * dtheta
                + theta * self._shifted(chi, dS, alone.shift)
                + _total(dS, [self._bent(chi, theta, x) for x in sources])
                + _self_coupling(chi, coupling)
            )
            coupling = self._passed(coupling, F, chi, number, features[number])
            below = [through_neurons(F, chi, theta, x.pair, x.alone, rows) for x in sources]
            below.append(first_response(theta))
        last = chain.terms[-1]
        shift = last.weight * dH + last.weight_variance * dtau
        return shift, [through_weights(last, pair)[1] for pair in below]

    def _read(self, below: _Coupling, terms: LayerTerms, number: int) -> _Coupling:
        """Through the weights: σ_w⁴ [Q(pq; st) + ε_l H_pq/M_{l-1}]."""
        factor, counted = terms.weight_variance**2, terms.epsilon / self.chain.widths[number]
        H = self.chain.features[number]
        squares, across = counted * np.diagonal(H), counted * H[self.rows]
        return _Coupling(
            factor * (below.own + squares[self.rows, None]),
            factor * (below.other + squares),
            factor * (below.across + across),
            factor * (below.back + across),
        )

    def _passed(self, given: _Coupling, F: PairTable, chi: PairTable, number: int, features: Features) -> _Coupling:
        """Through the neurons: E[φ_p φ_q φ'_s φ'_t] θ_st/n + Σ_p'q' D^{ps}_p' D^{qt}_q' Q(p'q'; st), p' in {p, s} and
        q' in {q, t}, D^{ps}_p' = E ∂_p'[φ(u_p) φ'(u_s)]."""
        layer = self.chain.layers[number]
        single = layer.alone[0][1]  # D^{ss}_s
        of_own, of_other = single[self.rows, None], single
        itself = F.across  # D^{ps}_p: χ, and on the diagonal the same as D^{ss}_s
        to_own, to_other = 2 * F.own, 2 * F.other  # D^{ts}_s, D^{st}_t
        noise = layer.theta[self.rows] / layer.width
        return _Coupling(
            own=features.slope_own * noise + of_own * (itself * given.own + to_other * given.across),
            other=features.slope_other * noise + of_other * (itself * given.other + to_own * given.across),
            across=features.slope_across * noise + of_own * of_other * given.across,
            back=features.slope_across * noise
            + itself * (itself * given.back + to_own * given.own + to_other * given.other)
            + to_own * to_other * given.across,
        )

    def _shifted(self, table: PairTable, dS: Floats, alone: Floats) -> Floats:
        """First derivatives on shifts."""
        return table.own * alone[self.rows, None] + table.other * alone + table.across * dS

    def _curved(self, table: PairTable, source: _Source) -> Floats:
        """Half the second derivatives on the covariances of (S_ss, S_tt, S_st) that come from one source."""
        S, features = source.pair[0], source.features
        own, other = source.alone[self.rows, None], source.alone
        curved = (
            table.own_own * own**2 * features.variance[self.rows, None]
            + table.other_other * other**2 * features.variance
            + 2 * table.own_other * own * other * features.own_other
            + 2 * table.own_across * own * features.with_own(S)
            + 2 * table.other_across * other * features.with_other(S)
            + table.across_across * _covariance(features, S, S)
        )
        return curved / (2 * source.width)

    def _bent(self, chi: PairTable, theta: Floats, source: _Source) -> Floats:
        """What δS does to χ θ in second order: θ χ'' and χ' with the fluctuation of θ itself."""
        (S, of_theta), features = source.pair, source.features
        with_theta = (
            chi.own * source.alone[self.rows, None] * features.with_own(of_theta)
            + chi.other * source.alone * features.with_other(of_theta)
            + chi.across * _covariance(features, S, of_theta)
        )
        return theta * self._curved(chi, source) + with_theta / source.width


def _total(like: Floats, terms: list[Floats]) -> Floats:
    return sum(terms, np.zeros_like(like))


def _self_coupling(chi: PairTable, given: _Coupling) -> Floats:
    """Σ_{q,q' in {s,t}} E ∂_q ∂_q'[φ'_s φ'_t] Q(qq'; st)."""
    found: Floats = 2 * chi.own * given.own + 2 * chi.other * given.other + chi.across * (given.across + given.back)
    return found


def _covariance(features: Features, S: Response, r: Response) -> Floats:
    """Of δS_st with the change δ_st of ``r``, over neurons."""
    found: Floats = S.own * features.with_own(r) + S.other * features.with_other(r) + S.across * features.with_across(r)
    return found
