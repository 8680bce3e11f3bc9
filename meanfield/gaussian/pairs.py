"""E[F(u)F(v)] for many pairs of unequal variances, F = φ or φ', each with its error. Which rule serves is decided here:

1. the derived closed form, where there is one and it is accurate (:mod:`meanfield.gaussian.pair_closed`);
2. Mehler's expansion, whose rest is bounded (:mod:`meanfield.gaussian.mehler`);
3. a table, or quadrature, for what is left: nearly collinear pairs at kinks and at large variance
   (:mod:`meanfield.gaussian.near`).

A variance of 0 is a preactivation that is 0.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.gaussian.compiled_pairs import determinants
from meanfield.gaussian.mehler import HermiteSeries, hermite_series
from meanfield.gaussian.near import Lone, Near, near_rule
from meanfield.gaussian.pair_closed import closed_pair
from meanfield.spec import ActivationLike
from meanfield.spec.activations import Activation, as_activation

__all__ = ["GOAL", "PairExpectations", "PairMoments", "pair_expectations"]

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

GOAL = 1e-12
"""Error up to which a rule serves, in units of √(E[F(u)²] E[F(v)²])."""
_STATED = 1e-10  # beyond, values are "unresolved"
_WIDER = 1.05  # than the angle at which the expansion ends, so that a table is not at its end


class PairMoments(NamedTuple):
    """E[F(u)F(v)] and its absolute error, arrays of one shape; and a status: ``"ok"``, ``"unresolved"`` (an error is
    above 1e-10 √(E[F(u)²] E[F(v)²])), ``"overflow"`` or ``"infinite"`` (a jump's derivative)."""

    value: Floats
    error: Floats
    status: str


class PairExpectations:
    """Those of φ^(order) among inputs whose preactivations have ``variances`` (N,).

    What belongs to single inputs is made once; blocks of pairs then cost little.
    """

    def __init__(self, activation: Activation, order: int, variances: Floats) -> None:
        self._activation, self._order, self._variances = activation, order, variances
        self._positive = np.where(variances > 0, variances, np.max(variances, initial=0.0, where=variances > 0) or 1.0)
        self._form = closed_pair(activation, order)
        self._near: dict[int, tuple[Near, float]] = {}

    @functools.cached_property
    def squares(self) -> Floats:
        """E[F²] of every input, (N,)."""
        if self._form is not None:
            q = self._variances
            value, error = self._form(q, q, q, np.zeros_like(q))
            if np.all(error <= GOAL * np.abs(value)):
                return value
        with np.errstate(all="ignore"):
            return np.where(self._variances > 0, self._series.squares, self._at_zero**2)

    def products(self, rows: slice, columns: slice, covariances: Floats) -> tuple[Floats, Floats]:
        """E[F(u)F(v)] (S, T) of a block of pairs with ``covariances`` (S, T), and the absolute error."""
        with np.errstate(all="ignore"):
            value, error = self._products(rows, columns, covariances)
        same = np.arange(rows.start, rows.stop)[:, None] == np.arange(columns.start, columns.stop)
        # To the last digit: the next layer's kink would see an angle of 1e-8 between an input and itself.
        return np.where(same, self.squares[columns], value), error

    def _products(self, rows: slice, columns: slice, covariances: Floats) -> tuple[Floats, Floats]:
        q_s, q_t = self._variances[rows], self._variances[columns]
        determinant = np.empty(covariances.shape)
        determinants(q_s, q_t, np.ascontiguousarray(covariances), determinant)
        unit = np.sqrt(self.squares[rows])[:, None] * np.sqrt(self.squares[columns])
        if self._form is not None:
            value, error = self._form(q_s[:, None], q_t[None, :], covariances, determinant)
            if np.all(error <= GOAL * unit):
                return value, error
            better, bound = self._expanded(rows, columns, covariances, determinant, unit)
            return np.where(bound < error, better, value), np.fmin(error, bound)
        return self._expanded(rows, columns, covariances, determinant, unit)

    @functools.cached_property
    def _series(self) -> HermiteSeries:
        return hermite_series(self._activation, self._order, self._positive)

    @functools.cached_property
    def _at_zero(self) -> float:
        """F of a preactivation that is 0."""
        return float(self._activation.function(order=self._order)(np.zeros(1))[0])

    def _expanded(
        self, rows: slice, columns: slice, covariances: Floats, determinant: Floats, unit: Floats
    ) -> tuple[Floats, Floats]:
        series, variances = self._series, self._variances
        deviations = np.sqrt(variances[rows])[:, None] * np.sqrt(variances[columns])
        correlations = np.divide(covariances, deviations, out=np.zeros_like(covariances), where=deviations > 0)
        value, error = series.products(rows, columns, np.clip(correlations, -1.0, 1.0))
        same = np.arange(rows.start, rows.stop)[:, None] == np.arange(columns.start, columns.stop)
        value, error = np.where(same, 1.0, value), np.where(same, series.error, error)
        i, j = np.nonzero(error > GOAL)
        for sign in (1, -1):
            here = np.sign(covariances[i, j]) == sign
            if np.any(here):
                s, t = i[here], j[here]
                theta = np.arctan2(np.sqrt(determinant[s, t]), np.abs(covariances[s, t]))
                self._integrate(sign, rows.start + s, columns.start + t, theta, value, error, (s, t))
        value, error = unit * value, unit * error
        self._fill_zeros(rows, columns, value, error)
        return value, error

    def _integrate(
        self, sign: int, s: Places, t: Places, theta: Floats, value: Floats, error: Floats, place: tuple[Places, Places]
    ) -> None:
        """Put what the third rule finds for inputs ``s`` and ``t`` into ``place`` of value and error, where it is
        better."""
        near, widest = self._near.get(sign, (None, 0.0))
        if near is None or float(np.max(theta)) > widest:
            scales = np.sqrt(self._series.squares)
            lone = Lone(self._activation, self._order, self._positive, scales, sign)
            widest = min(_WIDER * self._widest, math.pi / 2)
            self._near[sign] = near, widest = near_rule(lone, widest), widest
        found, bound = near.products(s, t, theta)
        better = bound < error[place]
        value[place] = np.where(better, found, value[place])
        error[place] = np.where(better, bound, error[place])

    @functools.cached_property
    def _widest(self) -> float:
        """The angle beyond which the expansion serves all pairs."""
        rest, terms = float(np.max(self._series.rest)), self._series.step * self._series.terms.shape[1]
        return math.acos(min((GOAL / 2 / rest) ** (1 / terms), 1.0)) if rest > GOAL / 2 else 0.0

    def _fill_zeros(self, rows: slice, columns: slice, value: Floats, error: Floats) -> None:
        """Of pairs with a preactivation that is 0: F(0) E[F(v)]."""
        zero_s, zero_t = self._variances[rows] == 0, self._variances[columns] == 0
        if not (np.any(zero_s) or np.any(zero_t)):
            return
        means = np.sqrt(self._series.squares) * (self._series.terms[:, 0] if self._series.first == 0 else 0.0)
        means = np.where(self._variances > 0, means, self._at_zero)
        of_zero = zero_s[:, None] | zero_t[None, :]
        value[of_zero] = (means[rows, None] * means[columns])[of_zero]
        error[of_zero] = GOAL * np.abs(value[of_zero])


def pair_expectations(
    activation: ActivationLike, variances: ArrayLike, others: ArrayLike, covariances: ArrayLike, order: int = 0
) -> PairMoments:
    """E[φ(u)φ(v)] (``order`` 0) or E[φ'(u)φ'(v)] (1) for u ~ N(0, q_s), v ~ N(0, q_t) of covariance q_st.

    Parameters
    ----------
    activation
        φ: a name, an :class:`Activation`, an expression.
    variances, others
        q_s (S,) and q_t (T,), at least 0.
    covariances
        q_st (S, T), |q_st| <= √(q_s q_t).

    Raises
    ------
    ValueError
        If a shape is another, a variance is negative, or a covariance is larger than its variances allow.
    """
    phi = as_activation(activation)
    if order not in (0, 1):
        raise ValueError(f"order: expected 0 or 1, got {order!r}")
    q_s, q_t = (_variances(name, x) for name, x in (("variances", variances), ("others", others)))
    b = np.asarray(covariances, dtype=np.float64)
    if b.shape != (len(q_s), len(q_t)):
        raise ValueError(f"covariances: expected the shape {(len(q_s), len(q_t))}, got {b.shape}")
    largest = np.sqrt(q_s)[:, None] * np.sqrt(q_t)
    if not np.all(np.abs(b) <= largest * (1 + 1e-12)):
        raise ValueError("covariances: expected |q_st| <= √(q_s q_t), got larger ones")
    if order and phi.is_rough:
        return PairMoments(np.full(b.shape, np.nan), np.full(b.shape, np.inf), "infinite")
    pairs = PairExpectations(phi, order, np.concatenate([q_s, q_t]))
    rows, columns = slice(0, len(q_s)), slice(len(q_s), len(q_s) + len(q_t))
    value, error = pairs.products(rows, columns, b)
    if not np.all(np.isfinite(value)):
        return PairMoments(value, error, "overflow")
    unit = np.sqrt(pairs.squares[rows])[:, None] * np.sqrt(pairs.squares[columns])
    return PairMoments(value, error, "ok" if np.all(error <= _STATED * unit) else "unresolved")


def _variances(field: str, values: ArrayLike) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or not np.all(np.isfinite(found) & (found >= 0)):
        raise ValueError(f"{field}: expected a row of finite variances of at least 0, got {values!r:.60}")
    return found
