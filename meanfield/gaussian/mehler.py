"""Mehler's expansion: E[F(u)F(v)] of jointly Gaussian u, v of variances a, a' and correlation ρ (data_geometry §A).

    E[F(u)F(v)] = Σ_k ρ^k c_k(a) c_k(a'),      c_k(a) = E[F(√a z) h_k(z)],   h_k normalised Hermite polynomials

The coefficients belong to one input each, so that N inputs cost N expansions and N² sums. What is cut off after K terms
is bounded by Cauchy and Schwarz: |ρ|^K √(r(a) r(a')) with r = E[F²] - Σ_{k<K} c_k².
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.gaussian.compiled_pairs import LANES, hermite_coefficients, mehler_sums
from meanfield.gaussian.quadrature import natural_level
from meanfield.gaussian.rules import hermite_rules, of_nodes
from meanfield.gaussian.variance_grid import interpolated
from meanfield.spec.activations import Activation

__all__ = ["HermiteSeries", "hermite_expansion", "hermite_series"]

Floats = NDArray[np.float64]

_FIRST, _MOST, _MOST_BROKEN = 64, 4096, 1024  # terms; those of a kinked φ fall off too slowly for more to pay
_ENOUGH = 1e-15  # of r, relative to E[F²]
_ROUNDING = 4 * float(np.finfo(np.float64).eps)
_NOTHING = 1e-300  # stands for E[F²] = 0, as of max(u - 1, 0) at a small variance
_CUT = 1e-17  # of ρ^k, beyond which terms don't count


@dataclass(frozen=True)
class HermiteSeries:
    """Coefficients of F = φ or φ' at N variances, in units of √E[F²].

    Attributes
    ----------
    squares
        E[F²], (N,).
    terms
        Those that are not 0 by F's parity, (N, K).
    rest
        r, (N,).
    error
        Of what the terms themselves are known with, relative to E[F²].
    first, step
        The terms are c_first, c_{first + step}, …
    """

    squares: Floats
    terms: Floats
    rest: Floats
    error: float
    first: int
    step: int

    def products(self, rows: slice, columns: slice, correlations: Floats) -> tuple[Floats, Floats]:
        """E[F(u)F(v)] in units of √(E[F(u)²] E[F(v)²]) for a block of correlations (S, T), and its absolute error."""
        powers = correlations if self.step == 1 else correlations**2
        size, count = np.abs(powers), self.terms.shape[1]
        padded = [(0, 0), (0, -size.shape[1] % LANES)]
        chunks = np.pad(size, padded).reshape(len(size), -1, LANES).max(axis=2)
        with np.errstate(divide="ignore"):
            needed = np.ceil(math.log(_CUT) / np.log(chunks))
            power = np.exp(count * np.log(size))  # size**count takes five times as long
        cuts = np.where(chunks < 1, np.clip(needed, 1, count), count).astype(np.int64)
        used = int(np.max(cuts))
        packed = np.pad(self.terms[columns, :used], [padded[1], (0, 0)]).reshape(-1, LANES, used).transpose(0, 2, 1)
        out = np.empty((len(size), len(packed) * LANES))
        whole = np.pad(powers, padded)
        mehler_sums(self.terms[rows], np.ascontiguousarray(packed), whole, cuts, out)
        value = out[:, : size.shape[1]]
        value = value * correlations if self.first else value
        tail = power * np.sqrt(self.rest[rows, None] * self.rest[columns])
        return value, tail + self.error


def hermite_series(activation: Activation, order: int, variances: Floats) -> HermiteSeries:
    """The expansion of φ^(order) at positive ``variances`` (N,), with as many terms as help."""
    parity = activation.parity * (-1) ** order
    first, step = (1 if parity == -1 else 0), (2 if parity else 1)
    probes = np.unique([np.min(variances), np.exp(np.mean(np.log(variances))), np.max(variances)])
    count, error = _needed(activation, order, probes)
    rows, missed = interpolated(
        lambda nodes: np.array([hermite_expansion(activation, order, float(q), count, 1)[0] for q in nodes]), variances
    )
    terms = np.ascontiguousarray(rows[:, 1 + first :: step])
    rest = np.maximum(1 - np.sum(terms**2, axis=1), 0.0) + _ROUNDING
    return HermiteSeries(np.exp(rows[:, 0]), terms, rest, 2 * (error + missed) + _ROUNDING, first, step)


def _needed(activation: Activation, order: int, probes: Floats) -> tuple[int, float]:
    """How many terms leave nothing at these variances, or are the most; and how well two rules agree on them."""
    most, count = _MOST_BROKEN if activation.breakpoints else _MOST, _FIRST
    while True:
        both = [hermite_expansion(activation, order, float(q), count, 2) for q in probes]
        rest = max(1 - float(np.sum(fine[1:] ** 2)) for fine, _ in both)
        if count >= most or not rest > _ENOUGH:
            return count, max(float(np.linalg.norm(fine - coarse)) for fine, coarse in both)
        count *= 2


def hermite_expansion(activation: Activation, order: int, q: float, count: int, rules: int) -> list[Floats]:
    """log E[F²] and the first ``count`` coefficients at one variance, in units of √E[F²], by a fine rule, and by a
    coarse one if two are asked for."""
    function, rows = of_nodes(activation, order), []
    for u, weights in hermite_rules(activation, q, order, count, natural_level(activation, order) + 1)[:rules]:
        values = function(u)
        square = float(np.sum(weights * values**2))
        terms = weights * values / math.sqrt(square) if square > 0 else 0 * values
        rows.append(np.append(math.log(max(square, _NOTHING)), hermite_coefficients(u / math.sqrt(q), terms, count)))
    return rows
