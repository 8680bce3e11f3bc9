"""Gaussian expectations of an activation, each with an error estimate and a status.

For one preactivation u and for a pair (u, v), both with variance q and with covariance q - gap, this file computes

    square  = E[φ(u)²],    product = E[φ(u) φ(v)],    gap = ½ E[(φ(u) - φ(v))²] = square - product

for φ or for its derivative φ' (``order=1``). The gap is a quantity of its own, because in the ordered phase it is many
orders of magnitude below the square and would drown in the rounding of a difference.

Derived closed forms serve where φ has breakpoints and they are accurate (:mod:`meanfield.gaussian.closed`); else
quadrature (:mod:`meanfield.gaussian.quadrature`).
"""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import numpy as np

from meanfield.gaussian.asymptotic import asymptotic_moments
from meanfield.gaussian.mean import activation_mean, gaussian_mean
from meanfield.gaussian.quadrature import GAP_TOLERANCE, TOLERANCE, Moments, natural_level, quadrature
from meanfield.gaussian.rules import decays, of_nodes
from meanfield.spec.activations import Activation

__all__ = ["Moments", "gaussian_moments"]

_LEAST = 1e-300  # an error that is none: a gap of 0 has nothing to be relative to


def gaussian_moments(activation: Activation, q: float, gap: float, order: int = 0) -> Moments:
    """The moments of φ (``order=0``) or φ' (``order=1``) for two preactivations of variance ``q``.

    Parameters
    ----------
    activation
        φ.
    q
        Variance of u and of v, ``q >= 0``.
    gap
        ``q`` minus their covariance, ``0 <= gap <= 2 q`` (0: equal, ``q``: independent, ``2 q``: opposite).
    order
        0 for φ, 1 for φ'.

    Raises
    ------
    ValueError
        If ``q`` or ``gap`` lies outside its range.
    """
    if not 0 <= q < math.inf:
        raise ValueError(f"q: expected a finite variance of at least 0, got {q!r}")
    if not 0 <= gap <= 2 * q * (1 + 1e-15):
        raise ValueError(f"gap: expected 0..2 q = {2 * q!r}, got {gap!r}")
    if order > 0 and activation.is_rough:
        return Moments(math.inf, math.nan, math.nan, math.inf, math.inf, math.inf, "infinite")
    with np.errstate(all="ignore"):
        if not decays(activation, order, q):
            return Moments(math.inf, math.nan, math.nan, math.inf, math.inf, math.inf, "overflow")
    derived = asymptotic_moments(activation, q, min(gap, 2 * q), order)
    derived = derived or _by_closed_form(activation, order, q, min(gap, 2 * q))
    if derived is not None:
        return derived
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        square = _square(activation, order, q)
        if gap == 0:
            pair = square
        elif gap == q:
            pair = _independent(activation, order, q, square)
        else:
            pair = quadrature(activation, order, q, min(gap, 2 * q), natural_level(activation, order))
            pair = _with_linear_gap(pair, activation, order, q, gap, square)
    # The pair's grid finds the square, too: a bump of φ that it misses and the single input's rule saw shows here.
    missed = abs(pair.square - square.square)
    unseen = missed > 10 * TOLERANCE * square.square + square.square_error
    errors = (square.square_error, pair.product_error + missed, pair.gap_error + (missed if unseen else 0.0))
    status = "unresolved" if unseen and _worse(square, pair) == "ok" else _worse(square, pair)
    return Moments(square.square, pair.product, pair.gap, *errors, status)


def _by_closed_form(activation: Activation, order: int, q: float, gap: float) -> Moments | None:
    """The derived closed forms, where they are accurate. They are asked for activations with breakpoints only: of an
    analytic φ the lattice costs no more, and nothing has to be derived first."""
    if not activation.breakpoints or q == 0:
        return None
    from meanfield.gaussian.closed import closed_form

    form = closed_form(activation)
    if form is None:
        return None
    values, errors = np.array(form.moments(order, q, gap)).T
    square, product, difference = (float(x) for x in values)
    if not (max(errors[:2]) <= TOLERANCE * square and errors[2] <= max(GAP_TOLERANCE * difference, _LEAST)):
        return None
    return Moments(square, product, difference, float(errors[0]), float(errors[1]), float(errors[2]))


@functools.lru_cache(maxsize=4096)
def _square(activation: Activation, order: int, q: float) -> Moments:
    """One preactivation alone. Kept: the square doesn't depend on the other input."""
    function = of_nodes(activation, order)
    value, error = gaussian_mean(activation, q, lambda u: function(u) ** 2)
    if not math.isfinite(value):
        return Moments(value, value, 0.0, math.inf, math.inf, math.inf, "overflow")
    status = "ok" if error <= 2 * TOLERANCE * value + _LEAST else "unresolved"
    return Moments(value, value, 0.0, error, error, 0.0, status)


def _worse(*moments: Moments) -> str:
    return next((m.status for m in moments if m.status != "ok"), "ok")


def _with_linear_gap(
    pair: Moments, activation: Activation, order: int, q: float, gap: float, square: Moments
) -> Moments:
    """The gap of two almost equal inputs, where a mean square difference has lost its digits.

    Price's theorem: the gap of φ grows with that of its argument at the rate E[φ'(u) φ'(v)], which lies between E[φ'²]
    and E[φ'²] minus the gap of φ' at the end.
    """
    poor = pair.gap_error > GAP_TOLERANCE * pair.gap
    if not poor or activation.is_rough or (order > 0 and activation.kinks):
        return pair
    slope = _square(activation, order + 1, q)
    bend = quadrature(activation, order + 1, q, gap)
    error = gap * (bend.gap + bend.gap_error + slope.square_error)
    if not error < pair.gap_error:
        return pair
    value = gap * (slope.square - bend.gap / 2)
    return replace(pair, gap=value, gap_error=error, product=square.square - value)


def _independent(activation: Activation, order: int, q: float, square: Moments) -> Moments:
    """Uncorrelated inputs: the product is the squared mean."""
    mean, error = activation_mean(activation, q, order)
    product, product_error = mean**2, 2 * abs(mean) * error
    gap_error = square.square_error + product_error
    return replace(
        square, product=product, gap=square.square - product, product_error=product_error, gap_error=gap_error
    )
