"""The edge of chaos: where deep networks are neither ordered nor chaotic, if they ever get there.

At the edge σ_w² = 1/E[φ'²] and σ_b² = q - E[φ²]/E[φ'²], both functions of q: the equation is solved for q. That is an
edge only if the recursion from the inputs' q̂ = 1 settles at this q. Of GELU without biases it doesn't: χ_1 = 1 at q = 0
for σ_w² = 4, from where the variance runs away.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.gaussian.interpolants import MomentTable, moment_table
from meanfield.gaussian.moments import gaussian_moments
from meanfield.propagation.bounded import largest_bounded
from meanfield.propagation.fixed_points import ESCAPED, slope_at_infinity, variance_fixed_point
from meanfield.propagation.recursion import variance_grid
from meanfield.spec import ActivationLike
from meanfield.spec.activations import as_activation
from meanfield.text import Table, Tabled, column_table

__all__ = ["CriticalLine", "critical_line", "edge_of_chaos"]

Floats = NDArray[np.float64]

_SMALLEST = 1e-24  # a variance that stands for the limit 0 of an expectation
_FLAT = 1e-9  # E[φ'²] of an activation that is flat at 0
_BELOW = 1e-9  # how far below an edge, relative, the recursion is asked for: at the edge itself it may take for ever
_BELOW_LIMIT = 1e-5  # and below one that is a limit, q* → ∞
_NEAR = 1e-2  # what may be missing of χ_1 = 1 there: at a fold it moves by the root of ``_BELOW`` or more
_SCALE_FREE = 1e-9  # |q - E[φ²]/E[φ'²]| of an activation for which it is 0, relative


@dataclass(frozen=True)
class CriticalLine(Tabled):
    """The edge of chaos; arrays over the σ_b² asked for.

    Parameters
    ----------
    bias_variance
        σ_b².
    weight_variance
        σ_w² of the edge; NaN where there is none.
    largest_bounded
        The supremum of the σ_w² at which the variance stays bounded, whatever the phase; ``inf`` if it always does, NaN
        where E[φ²] falls with q before it grows: there it isn't looked for.
    error
        Estimates the largest relative numerical error of ``weight_variance``.
    reasons
        One for each σ_b²: why there is no edge, or what else is to be said: at a fold, such as GELU's at σ_b² = 0.1729,
        a network may settle before it reaches q*, where χ_1 differs from 1 by less than 1 %. Empty otherwise.
    """

    bias_variance: Floats
    weight_variance: Floats
    largest_bounded: Floats
    error: float
    reasons: tuple[str, ...]

    def why_none(self, place: int) -> str:
        """Why there is no edge at the σ_b² of this number, and what stays bounded, as far as that is known."""
        bound = float(np.ravel(self.largest_bounded)[place])
        known = "" if math.isnan(bound) else f"; the variance stays bounded up to σ_w² = {bound:.6g}"
        return f"{self.reasons[place]}{known}"

    def _tables(self) -> Iterable[Table]:
        columns = {"σ_b²": self.bias_variance, "σ_w²": self.weight_variance, "bounded up to": self.largest_bounded}
        yield column_table("Edge of chaos, χ_1 = 1", columns, digits=6)

    def _notes(self) -> Iterable[str]:
        places = zip(np.ravel(self.bias_variance), self.reasons, strict=True)
        yield from (f"σ_b² = {b:g}: {reason}" for b, reason in places if reason)


class _Root(NamedTuple):
    """χ_1 = 1 at a fixed point q of the variance, stable or not."""

    weight: float
    q: float
    error: float = 0.0


def critical_line(activation: ActivationLike, bias_variance: ArrayLike) -> CriticalLine:
    """The edge of chaos with its error, the reasons where there is none, and the largest bounded σ_w².

    Raises
    ------
    ValueError
        As for :func:`meanfield.phase_diagram`.
    """
    table = moment_table(as_activation(activation))
    _, bias = variance_grid(1.0, bias_variance)
    found = [_edge(table, float(b)) for b in bias.ravel()]
    return CriticalLine(
        bias_variance=bias,
        weight_variance=np.array([root.weight for root, _ in found]).reshape(bias.shape)[()],
        largest_bounded=np.array([largest_bounded(table, float(b)) for b in bias.ravel()]).reshape(bias.shape)[()],
        error=max(root.error for root, _ in found),
        reasons=tuple(reason for _, reason in found),
    )


def edge_of_chaos(activation: ActivationLike, bias_variance: ArrayLike) -> Floats:
    """The σ_w² at which χ_1 = 1 at the fixed point that a network reaches, for an array of σ_b²; NaN where there is
    none, for which :func:`critical_line` has the reasons.

    For activations that are linear at large |u|, such as relu, q may have to go to infinity: then the limit is given.

    Raises
    ------
    ValueError
        As for :func:`meanfield.phase_diagram`.
    """
    return critical_line(activation, bias_variance).weight_variance


def _edge(table: MomentTable, bias: float) -> tuple[_Root, str]:
    """The edge, or NaN, and what is to be said of it."""
    reasons = []
    for root in _roots(table, bias):
        q, chi = _settled(table, root, bias)
        where = f"settles at q = {q:.4g}, where χ₁ = {chi:.4g}" if math.isfinite(q) else "runs away"
        at = f"χ₁ = 1 at q = {root.q:.4g} and σ_w² = {root.weight:.6g}"
        reason = f"{at}, but the variance, from the inputs' on, {where}"
        if abs(chi - 1) < _NEAR:
            there = math.isinf(root.q) or abs(q - root.q) <= _NEAR * root.q + 1e-9
            return root, "" if there else reason
        reasons.append(reason)
    return _Root(math.nan, math.nan), (*reasons, "no fixed point of the variance has χ₁ = 1")[0]


def _settled(table: MomentTable, root: _Root, bias: float) -> tuple[float, float]:
    """q and χ_1 to which the recursion from the inputs leads just below ``root``; NaN for χ_1 if it runs away."""
    below = max(_BELOW_LIMIT, 10 * bias / ESCAPED) if math.isinf(root.q) else _BELOW
    weight = np.array(root.weight * (1 - below))
    q = float(variance_fixed_point(table, weight, np.array(bias)))
    if not math.isfinite(q):
        return q, math.nan
    return q, float(weight * table.squares(np.array(max(q, _SMALLEST)))[1])


def _roots(table: MomentTable, bias: float) -> Iterator[_Root]:
    """Candidates: at q = 0, then at finite q in ascending order, then at infinity."""
    grid = np.linspace(math.log(_SMALLEST), math.log(ESCAPED), 73)
    q = np.exp(grid)
    square, slope, _ = table.squares(q)
    with np.errstate(all="ignore"):
        values = q - square / slope - bias
    free = bool(np.all(np.abs(values + bias) <= _SCALE_FREE * q))
    if bias == 0 and slope[0] > _FLAT and abs(values[0]) <= 1e-3 * q[0]:
        yield _Root(1 / float(slope[0]), 0.0, table.error)
    changes = np.flatnonzero(np.sign(values[:-1]) * np.sign(values[1:]) <= 0)
    for i in () if free else changes:
        root = _refined(table, bias, grid, int(i))
        if root is not None:
            yield root
    limit = slope_at_infinity(table.activation)
    if 0 < limit < math.inf:
        yield _Root(1 / limit, math.inf)


def _refined(table: MomentTable, bias: float, grid: Floats, i: int) -> _Root | None:
    """The table finds the bracket, quadrature the root: an interpolant of a steep φ, such as exp, is good to 1e-6 only.
    ``None`` where what crosses 0 is rounding."""
    from scipy.optimize import brentq

    def missing(log_q: float) -> float:
        q = math.exp(log_q)
        return q - _square(table, q, 0)[0] / _square(table, q, 1)[0] - bias

    low, high = grid[max(i - 1, 0)], grid[min(i + 2, len(grid) - 1)]
    ends = next(
        (pair for pair in ((grid[i], grid[i + 1]), (low, high)) if missing(pair[0]) * missing(pair[1]) < 0), None
    )
    if ends is None:
        return None
    q = math.exp(brentq(missing, *ends, xtol=1e-14, rtol=1e-14))
    (square, error), (slope, slope_error) = _square(table, q, 0), _square(table, q, 1)
    if abs(missing(math.log(2 * q)) + bias) <= _SCALE_FREE * q:
        return None
    return _Root(1 / slope, q, error / square + 2 * slope_error / slope + 1e-14)


def _square(table: MomentTable, q: float, order: int) -> tuple[float, float]:
    found = gaussian_moments(table.activation, q, 0.0, order)
    return found.square, found.square_error
