"""Gaussian expectations of an activation, each with an error estimate and a status.

For one preactivation u and for a pair (u, v), both with variance q and with covariance q - gap, this file computes

    square  = E[φ(u)²],    product = E[φ(u) φ(v)],    gap = ½ E[(φ(u) - φ(v))²] = square - product

for φ or for its derivative φ' (``order=1``). The gap is a quantity of its own, because in the ordered phase it is many
orders of magnitude below the square and would drown in the rounding of a difference.

Derived closed forms serve where φ has breakpoints and they are accurate (:mod:`meanfield.gaussian.closed`); else
quadrature.
Coordinates: u = s + t and v = s - t with independent s ~ N(0, q - gap/2) and t ~ N(0, gap/2). Two rules, each applied
at two resolutions; their difference is the error estimate of the finer one, which is the value:

* analytic φ: the trapezoidal rule on a lattice (:mod:`meanfield.gaussian.lattice`);
* φ with breakpoints, or an analytic one at very large q, where it bends near 0 only: Gauss-Legendre panels graded
  towards the breakpoints, or towards 0 (:mod:`meanfield.gaussian.panels`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from meanfield.gaussian.lattice import lattice_lines, lattice_sums
from meanfield.gaussian.panels import panel_deviations, panel_lines, panel_sums
from meanfield.spec.activations import Activation

__all__ = [
    "Moments", "activation_mean", "conditional_rules", "gaussian_mean", "gaussian_moments", "moment_reach",
    "variance_slope",
]  # fmt: skip

Floats = NDArray[np.float64]
Function = Callable[[Floats], Floats]

_TOLERANCE = 1e-11  # of two resolutions' difference, relative to the square: the finer one is then far better
_GAP_TOLERANCE = 1e-9  # the same for the gap, relative to itself
_LEAST = 1e-300  # an error that is none: a gap of 0 has nothing to be relative to
_WIDE = 1e3  # variance above which the lattice, whose size grows with q, is given up
_FINEST = 12  # halvings of the step before giving up
_ROUNDING = 4 * float(np.finfo(np.float64).eps)
_REACH = 9.0  # standard deviations: exp(-40.5) = 3e-18


@dataclass(frozen=True)
class Moments:
    """E[φ(u)²], E[φ(u)φ(v)] and half their mean square difference, with absolute error estimates.

    ``status`` is ``"ok"``, or says why the values are not to be used: ``"infinite"`` (a jump's derivative),
    ``"overflow"``, or ``"unresolved"`` (the error estimate is above the goal, and stated).
    """

    square: float
    product: float
    gap: float
    square_error: float
    product_error: float
    gap_error: float
    status: str = "ok"


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
    if order > 0 and activation.jumps:
        return Moments(math.inf, math.nan, math.nan, math.inf, math.inf, math.inf, "infinite")
    derived = _by_closed_form(activation, order, q, min(gap, 2 * q))
    if derived is not None:
        return derived
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        square = _square(activation, order, q)
        if gap == 0:
            pair = square
        elif gap == q:
            pair = _independent(activation, order, q, square)
        else:
            pair = _quadrature(activation, order, q, min(gap, 2 * q), _natural_level(activation, order))
            pair = _with_linear_gap(pair, activation, order, q, gap, square)
    # The pair's grid finds the square, too: a bump of φ that it misses and the single input's rule saw shows here.
    missed = abs(pair.square - square.square)
    unseen = missed > 10 * _TOLERANCE * square.square + square.square_error
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
    if not (max(errors[:2]) <= _TOLERANCE * square and errors[2] <= max(_GAP_TOLERANCE * difference, _LEAST)):
        return None
    return Moments(square, product, difference, float(errors[0]), float(errors[1]), float(errors[2]))


def gaussian_mean(activation: Activation, q: float, integrand: Function) -> tuple[float, float]:
    """E[g(u)], u ~ N(0, q), and its absolute error estimate, for a ``g`` that is smooth between φ's breakpoints.

    The goal is 1e-11 of E|g|.

    ``integrand`` maps an array of u to g(u). Raises ``ValueError`` if q is negative or not finite.
    """
    if not 0 <= q < math.inf:
        raise ValueError(f"q: expected a finite variance of at least 0, got {q!r}")
    value, error = math.nan, math.inf
    for level in range(_natural_level(activation, 0), _FINEST):
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            terms = [weights * integrand(u) for u, weights in _line_rules(activation, q, level)]
        fine, coarse = (float(x.sum()) for x in terms)
        size = float(np.abs(terms[0]).sum())
        value, error = fine, abs(fine - coarse) + _ROUNDING * size
        if not error > _TOLERANCE * size:
            break
    return value, error


def activation_mean(activation: Activation, q: float, order: int = 0) -> tuple[float, float]:
    """E[φ(u)] or E[φ'(u)], u ~ N(0, q), and its error: exactly 0 for an odd function. A rounding error instead of the 0
    would grow from layer to layer in the chaotic phase."""
    if activation.parity == (-1 if order % 2 == 0 else 1):
        return 0.0, 0.0
    return gaussian_mean(activation, q, activation.function(order=order))


def conditional_rules(
    activation: Activation, means: Floats, variance: float, level: int
) -> list[tuple[Floats, Floats, Floats]]:
    """Fine and coarse rule for E[g(u)], u ~ N(mean, variance) at each of ``means``, and a ``g`` that is smooth between
    φ's breakpoints: u, its deviation from the mean in standard deviations, weights; (len(means), nodes) each.

    ``level`` halves the steps that many times.
    """
    deviation = math.sqrt(variance)
    reach = moment_reach(activation, math.hypot(deviation, float(np.max(np.abs(means))) / _REACH))
    if activation.breakpoints or variance > _WIDE:
        rules = panel_deviations(means, activation.breakpoints or (0.0,), deviation, reach, level)
    else:
        rules = [(t[None, :], w[None, :]) for t, w in lattice_lines(deviation, reach, level)]
    scale = deviation or 1.0
    u, xi, weights = zip(*(np.broadcast_arrays(means[:, None] + t, t / scale, w) for t, w in rules), strict=True)
    return list(zip(u, xi, weights, strict=True))


def _line_rules(activation: Activation, q: float, level: int) -> list[tuple[Floats, Floats]]:
    """Nodes and weights of the fine and of the coarse rule for one preactivation."""
    reach = moment_reach(activation, math.sqrt(q))
    if activation.breakpoints or q > _WIDE:
        return panel_lines(activation.breakpoints or (0.0,), q, reach, level)
    return lattice_lines(math.sqrt(q), reach, level)


def variance_slope(activation: Activation, q: float) -> tuple[float, float]:
    """d E[φ(u)²]/dq for u ~ N(0, q), and its error estimate: E[φ²(u) (u²/q - 1)]/(2q) by Stein's lemma, which needs no
    derivative of φ and so holds for kinks and jumps too."""
    function = activation.function()
    return gaussian_mean(activation, q, lambda u: function(u) ** 2 * (u * u / q - 1) / (2 * q))


@functools.lru_cache(maxsize=4096)
def _square(activation: Activation, order: int, q: float) -> Moments:
    """One preactivation alone. Kept: the square doesn't depend on the other input."""
    function = activation.function(order=order)
    value, error = gaussian_mean(activation, q, lambda u: function(u) ** 2)
    if not math.isfinite(value):
        return Moments(value, value, 0.0, math.inf, math.inf, math.inf, "overflow")
    status = "ok" if error <= 2 * _TOLERANCE * value + _LEAST else "unresolved"
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
    poor = pair.gap_error > _GAP_TOLERANCE * pair.gap
    if not poor or activation.jumps or (order > 0 and activation.kinks):
        return pair
    slope = _square(activation, order + 1, q)
    bend = _quadrature(activation, order + 1, q, gap)
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


@functools.cache
def _natural_level(activation: Activation, order: int) -> int:
    """The refinement φ needs at variance 1. Its poles and not q decide, so that other variances can start there."""
    return _resolved(activation, order, 1.0, 0.5, 0)[1]


def _quadrature(activation: Activation, order: int, q: float, gap: float, level: int = 0) -> Moments:
    return _resolved(activation, order, q, gap, level)[0]


def _resolved(activation: Activation, order: int, q: float, gap: float, first: int) -> tuple[Moments, int]:
    """The moments at the first level of refinement, from ``first`` on, at which two rules agree; and that level."""
    function = activation.function(order=order)
    reach = moment_reach(activation, math.sqrt(q), order)
    rule: Callable[[int], tuple[Floats, Floats] | None]
    if activation.breakpoints or q > _WIDE:
        rule = functools.partial(panel_sums, function, activation.breakpoints or (0.0,), q, gap, reach)
    else:
        rule = functools.partial(lattice_sums, function, math.sqrt(q - gap / 2), math.sqrt(gap / 2), reach)
    found: list[Moments] = []
    for level in range(first, _FINEST):
        sums = rule(level)
        if sums is None:
            break
        found.append(_moments(*sums))
        if found[-1].status != "unresolved" or _stuck(found):
            return found[-1], level
    while not found and level > 0:  # even the first grid was too large: a coarser one, with its larger error
        level -= 1
        sums = rule(level)
        found += [] if sums is None else [_moments(*sums)]
    return (found[-1] if found else _UNKNOWN), level


_UNKNOWN = Moments(*(math.nan,) * 3, *(math.inf,) * 3, "unresolved")


def _stuck(found: list[Moments]) -> bool:
    """Three refinements without a gain of four: more nodes won't find what is left, such as E[φ'²] of √|u|."""
    return len(found) > 3 and found[-1].product_error > found[-4].product_error / 4


def _moments(fine: Floats, coarse: Floats) -> Moments:
    """``fine`` and ``coarse``: (square, product, gap, mean magnitude of the product's terms) by the two rules."""
    square, product, gap, size = fine.tolist()  # plain floats: a handful of them is not worth an array
    if not math.isfinite(square + product + gap + size):
        return Moments(square, product, gap, math.inf, math.inf, math.inf, "overflow")
    differences = [abs(x - y) for x, y in zip(fine.tolist(), coarse.tolist(), strict=True)]
    gap_rounding = _ROUNDING * (gap + math.sqrt(max(gap * square, 0.0)))
    # A gap that rounding has eaten will not come back on a finer grid.
    gap_goal = max(_GAP_TOLERANCE * gap, 8 * gap_rounding)
    resolved = max(differences[:2]) <= _TOLERANCE * square and differences[2] <= gap_goal
    return Moments(
        square,
        product,
        gap,
        square_error=differences[0] + _ROUNDING * square,
        product_error=differences[1] + _ROUNDING * size,
        gap_error=differences[2] + gap_rounding,
        status="ok" if resolved else "unresolved",
    )


def moment_reach(activation: Activation, deviation: float, order: int = 0, power: int = 2) -> float:
    """How many standard deviations count in E[φ^power]: more than 9 for a φ that grows faster than linearly."""
    if _grows_linearly(activation, order):
        return _REACH
    function = activation.function(order=order)
    for reach in (_REACH, 13.0, 18.0, 25.0, 35.0):
        z = np.linspace(-reach, reach, 65)
        terms = np.abs(function(deviation * z)) ** power * np.exp(-0.5 * z**2)
        if not max(terms[0], terms[-1]) > 1e-16 * terms.max():
            return reach
    return reach


@functools.cache
def _grows_linearly(activation: Activation, order: int) -> bool:
    u = np.array([1e1, 1e2, 1e3])
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.abs(np.stack([activation.function(order=order)(x) for x in (u, -u)]))
    return bool(np.all(values <= 10 * (values[:, :1] + 1) * u / u[0]))
