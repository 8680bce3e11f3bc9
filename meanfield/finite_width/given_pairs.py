"""F = E[φ(u_s) φ(u_t)] and χ = E[φ'(u_s) φ'(u_t)] of all pairs of given samples, with first and second derivatives.

The derivatives are taken in the coordinates (q_ss, q_tt, ρ), ρ = q_st/√(q_ss q_tt), by central differences of relative
steps, of ρ relative to 1 - |ρ|: a step never leaves the admissible set, and near duplicates, where a kinked φ is
singular, lose nothing. By Price's theorem ∂F/∂q_st = χ, which saves every difference of F in ρ. On the diagonal F and χ
are functions of q_ss alone, with Stein's lemma for derivatives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.stand_in import pair_expectations
from meanfield.gaussian.rules import line_rules
from meanfield.spec.activations import Activation

__all__ = ["PairTable", "pair_tables"]

Floats = NDArray[np.float64]

_STEP = 0.01  # its square, 1e-4, is the order of the derivatives' relative error
_NEAREST = 1e-9  # 1 - |ρ| below which two samples are taken as this far apart
_LEVEL = 1  # of refinement of the rules for one sample


@dataclass(frozen=True)
class PairTable:
    """A function of (q_ss, q_tt, q_st) at all pairs, arrays (N, N) with index [s, t].

    ``own`` is ∂/∂q_ss, ``across`` ∂/∂q_st; two names are a second derivative, ``other`` being q_tt. Those by q_tt are
    transposes. On the diagonal ``across`` and ``across_across`` are the derivatives by q_ss and the rest is 0.
    """

    value: Floats
    own: Floats
    across: Floats
    own_own: Floats
    own_other: Floats
    own_across: Floats
    across_across: Floats


def pair_tables(activation: Activation, q: Floats) -> tuple[PairTable, PairTable]:
    """F and χ at the covariances ``q`` (N, N) of one layer's preactivations, q_ss > 0."""
    variances = np.diagonal(q)
    scale = np.sqrt(np.outer(variances, variances))
    cosine = np.clip(q / scale, _NEAREST - 1, 1 - _NEAREST)
    np.fill_diagonal(cosine, 0.0)
    slope = _Relative.of_slope(_moved(activation, 1, variances, cosine), cosine)
    feature = _Relative.of_feature(_moved(activation, 0, variances, cosine), slope, scale)
    alone = [_alone(activation, order, variances) for order in (0, 1)]
    tables = (_with_diagonal(x.table(variances, scale, cosine), y) for x, y in zip((feature, slope), alone, strict=True))
    return next(tables), next(tables)


Moved = Callable[[int, int, int], Floats]


def _moved(activation: Activation, order: int, variances: Floats, cosine: Floats) -> Moved:
    """E φφ or E φ'φ' as a function of the numbers of steps in q_ss, q_tt and ρ."""

    def at(i: int, j: int, k: int) -> Floats:
        own, other = variances * (1 + i * _STEP), variances * (1 + j * _STEP)
        moved = cosine + k * _STEP * (1 - np.abs(cosine))
        return pair_expectations(activation, own, other, moved * np.sqrt(np.outer(own, other)), order).value

    return at


@dataclass(frozen=True)
class _Relative:
    """Derivatives by ln q_ss (``a``; of q_tt the transpose) and by ρ (``r``); ``aa`` is q_ss² ∂²/∂q_ss²."""

    value: Floats
    a: Floats
    r: Floats
    aa: Floats
    ab: Floats
    ar: Floats
    rr: Floats

    @classmethod
    def of_slope(cls, at: Moved, cosine: Floats) -> _Relative:
        value, a, aa, ab, sides = _own_differences(at)
        step = _STEP * (1 - np.abs(cosine))
        up, down = at(0, 0, 1), at(0, 0, -1)
        both = at(1, 0, 1) + at(-1, 0, -1)
        ar = (both + 2 * value - sum(sides) - up - down) / (2 * _STEP * step)
        return cls(value, a, (up - down) / (2 * step), aa, ab, ar, (up + down - 2 * value) / step**2)

    @classmethod
    def of_feature(cls, at: Moved, slope: _Relative, scale: Floats) -> _Relative:
        """With Price's theorem: ∂F/∂ρ = √(q_ss q_tt) χ."""
        value, a, aa, ab, _ = _own_differences(at)
        return cls(value, a, scale * slope.value, aa, ab, scale * (slope.value / 2 + slope.a), scale * slope.r)

    def table(self, variances: Floats, scale: Floats, cosine: Floats) -> PairTable:
        """In (q_ss, q_tt, q_st), by the chain rule."""
        a, half = variances[:, None], cosine / 2
        return PairTable(
            value=self.value,
            own=(self.a - half * self.r) / a,
            across=self.r / scale,
            own_own=(self.aa - 2 * half * self.ar + half**2 * self.rr + 1.5 * half * self.r) / a**2,
            own_other=(self.ab - half * (self.ar + self.ar.T) + half**2 * self.rr + half / 2 * self.r) / scale**2,
            own_across=(self.ar - half * self.rr - self.r / 2) / (a * scale),
            across_across=self.rr / scale**2,
        )


def _own_differences(at: Moved) -> tuple[Floats, Floats, Floats, Floats, tuple[Floats, Floats]]:
    """Value, a, aa, ab, and the values at a step in q_ss to either side."""
    value, up, down = at(0, 0, 0), at(1, 0, 0), at(-1, 0, 0)
    both = at(1, 1, 0) + at(-1, -1, 0)
    ab = (both + 2 * value - (up + down) - (up + down).T) / (2 * _STEP**2)
    return value, (up - down) / (2 * _STEP), (up + down - 2 * value) / _STEP**2, ab, (up, down)


def _alone(activation: Activation, order: int, variances: Floats) -> Floats:
    """E[φ²] or E[φ'²] with its first and second derivative by the variance, (3, N)."""
    function = activation.function(order=order)
    return np.transpose([_stein(function, *line_rules(activation, q, _LEVEL)[0], q) for q in variances])


def _stein(function: Callable[[Floats], Floats], u: Floats, weights: Floats, q: float) -> list[float]:
    square, z2 = weights * function(u) ** 2, u**2 / q
    return [
        float(np.sum(square)),
        float(square @ (z2 - 1)) / (2 * q),
        float(square @ (z2**2 - 6 * z2 + 3)) / (4 * q**2),
    ]


def _with_diagonal(table: PairTable, alone: Floats) -> PairTable:
    of_one = {"value": alone[0], "across": alone[1], "across_across": alone[2]}
    for name, values in vars(table).items():
        np.fill_diagonal(values, of_one.get(name, 0.0))
    return table
