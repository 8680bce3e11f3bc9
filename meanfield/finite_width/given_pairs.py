"""F = E[φ(u_s) φ(u_t)] and χ = E[φ'(u_s) φ'(u_t)] of given samples, with two derivatives, by blocks of rows.

The derivatives are taken in the coordinates (q_ss, q_tt, ρ), ρ = q_st/√(q_ss q_tt), by central differences of relative
steps, of ρ relative to 1 - |ρ|: a step never leaves the admissible set, and near duplicates, where a kinked φ is
singular, lose nothing. In the tail of a steep spectrum their error counts √(λ_1/λ_i) times, hence five points. By
Price's theorem ∂F/∂q_st = χ, which saves every difference of F in ρ. On the diagonal F and χ are functions of q_ss
alone, with Stein's lemma for derivatives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.gaussian.pairs import PairExpectations, pair_expectations
from meanfield.gaussian.rules import line_rules
from meanfield.spec.activations import Activation

__all__ = ["PairTable", "Stepped", "one_sample", "pair_tables", "pair_values"]

Floats = NDArray[np.float64]

_STEP = 0.01  # its fourth power is the order of the derivatives' relative error
_FARTHEST = 2  # steps
_NEAREST = 1e-9  # 1 - |ρ| below which two samples are taken as this far apart
_LEVEL = 1  # of refinement of the rules for one sample


@dataclass(frozen=True)
class PairTable:
    """A function of (q_ss, q_tt, q_st) at the pairs of a block, arrays (rows, N) with index [s, t].

    ``own`` is ∂/∂q_ss, ``other`` ∂/∂q_tt, ``across`` ∂/∂q_st; two names are a second derivative. On the diagonal
    ``across`` and ``across_across`` are the derivatives by q_ss and the others 0.
    """

    value: Floats
    own: Floats
    other: Floats
    across: Floats
    own_own: Floats
    own_other: Floats
    other_other: Floats
    own_across: Floats
    other_across: Floats
    across_across: Floats


@dataclass(frozen=True)
class Stepped:
    """E φφ (``order`` 0) or E φ'φ' (1) of N inputs with ``variances``, and of these with up to two steps more or less:
    what belongs to single inputs is made once."""

    variances: Floats
    expectations: PairExpectations

    @classmethod
    def of(cls, activation: Activation, order: int, variances: Floats) -> Stepped:
        steps = 1 + _STEP * np.arange(-_FARTHEST, _FARTHEST + 1)
        return cls(variances, PairExpectations(activation, order, np.outer(steps, variances).ravel()))

    def at(self, rows: slice, i: int, j: int, cosine: Floats) -> Floats:
        """A block of ``rows``, ``i`` steps off in q_ss and ``j`` in q_tt."""
        count = len(self.variances)
        own, other = (count * (k + _FARTHEST) for k in (i, j))
        scale = np.sqrt(np.outer(self.variances[rows] * (1 + i * _STEP), self.variances * (1 + j * _STEP)))
        places = slice(own + rows.start, own + rows.stop), slice(other, other + count)
        return self.expectations.products(*places, cosine * scale)[0]


def pair_tables(
    stepped: tuple[Stepped, Stepped], q: Floats, rows: slice, alone: tuple[Floats, Floats]
) -> tuple[PairTable, PairTable]:
    """F and χ at the ``rows`` of the covariances ``q`` (N, N) of one layer's preactivations, q_ss > 0; ``stepped`` and
    ``alone`` are :class:`Stepped` and :func:`one_sample` of φ and of φ'."""
    pair = _Pair.of(q, rows)
    feature_at, slope_at = (_moved(x, rows, pair.cosine) for x in stepped)
    slope = _Relative.of_slope(slope_at, pair.cosine)
    feature = _Relative.of_feature(feature_at, slope, pair.scale)
    one, two = (_with_diagonal(x.table(pair), rows, y) for x, y in zip((feature, slope), alone, strict=True))
    return one, two


@dataclass(frozen=True)
class _Pair:
    """q_ss (rows, 1), q_tt (1, N), √(q_ss q_tt) and ρ, which is 0 on the diagonal, where none is needed."""

    own: Floats
    other: Floats
    scale: Floats
    cosine: Floats

    @classmethod
    def of(cls, q: Floats, rows: slice) -> _Pair:
        variances = np.diagonal(q)
        own, other = variances[rows, None], variances[None, :]
        scale = np.sqrt(own * other)
        cosine = np.clip(q[rows] / scale, _NEAREST - 1, 1 - _NEAREST)
        cosine[_diagonal(rows, len(q))] = 0.0
        return cls(own, other, scale, cosine)


def _diagonal(rows: slice, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where a block of rows has the diagonal."""
    found = np.arange(count)[rows]
    return np.arange(len(found)), found


Moved = Callable[[int, int, int], Floats]


def _moved(stepped: Stepped, rows: slice, cosine: Floats) -> Moved:
    """E φφ or E φ'φ' as a function of the numbers of steps in q_ss, q_tt and ρ."""
    return lambda i, j, k: stepped.at(rows, i, j, cosine + k * _STEP * (1 - np.abs(cosine)))


@dataclass(frozen=True)
class _Relative:
    """Derivatives by ln q_ss (``a``), ln q_tt (``b``) and ρ (``r``); ``aa`` is q_ss² ∂²/∂q_ss²."""

    value: Floats
    a: Floats
    b: Floats
    r: Floats
    aa: Floats
    ab: Floats
    bb: Floats
    ar: Floats
    br: Floats
    rr: Floats

    @classmethod
    def of_slope(cls, at: Moved, cosine: Floats) -> _Relative:
        value, step = at(0, 0, 0), _STEP * (1 - np.abs(cosine))
        (a, aa), (b, bb), (r, rr) = (_along(at, x, value) for x in ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
        ab, ar = _mixed(at, (1, 1, 0), value, aa, bb), _mixed(at, (1, 0, 1), value, aa, rr)
        br = _mixed(at, (0, 1, 1), value, bb, rr)
        ratio = _STEP / step
        return cls(value, a, b, r * ratio, aa, ab, bb, ar * ratio, br * ratio, rr * ratio**2)

    @classmethod
    def of_feature(cls, at: Moved, slope: _Relative, scale: Floats) -> _Relative:
        """With Price's theorem: ∂F/∂ρ = √(q_ss q_tt) χ."""
        value = at(0, 0, 0)
        (a, aa), (b, bb) = (_along(at, x, value) for x in ((1, 0, 0), (0, 1, 0)))
        ab = _mixed(at, (1, 1, 0), value, aa, bb)
        half = slope.value / 2
        return cls(
            value, a, b, scale * slope.value, aa, ab, bb, scale * (half + slope.a), scale * (half + slope.b),
            scale * slope.r,
        )  # fmt: skip

    def table(self, pair: _Pair) -> PairTable:
        """In (q_ss, q_tt, q_st), by the chain rule."""
        own, other, scale, half = pair.own, pair.other, pair.scale, pair.cosine / 2
        bend = half**2 * self.rr
        return PairTable(
            value=self.value,
            own=(self.a - half * self.r) / own,
            other=(self.b - half * self.r) / other,
            across=self.r / scale,
            own_own=(self.aa - 2 * half * self.ar + bend + 1.5 * half * self.r) / own**2,
            own_other=(self.ab - half * (self.ar + self.br) + bend + half / 2 * self.r) / scale**2,
            other_other=(self.bb - 2 * half * self.br + bend + 1.5 * half * self.r) / other**2,
            own_across=(self.ar - half * self.rr - self.r / 2) / (own * scale),
            other_across=(self.br - half * self.rr - self.r / 2) / (other * scale),
            across_across=self.rr / scale**2,
        )


def _along(at: Moved, step: tuple[int, int, int], value: Floats) -> tuple[Floats, Floats]:
    """First and second derivative along one step, in its units, by five points."""
    i, j, k = step
    up, down, far_up, far_down = at(i, j, k), at(-i, -j, -k), at(2 * i, 2 * j, 2 * k), at(-2 * i, -2 * j, -2 * k)
    first = (8 * (up - down) - (far_up - far_down)) / (12 * _STEP)
    second = (16 * (up + down) - (far_up + far_down) - 30 * value) / (12 * _STEP**2)
    return first, second


def _mixed(at: Moved, both: tuple[int, int, int], value: Floats, first: Floats, second: Floats) -> Floats:
    """The mixed derivative, from the second derivatives along both coordinates together and along each."""
    found: Floats = (_along(at, both, value)[1] - first - second) / 2
    return found


def pair_values(activation: Activation, order: int, q: Floats, alone: Floats) -> Floats:
    """F (``order`` 0) or χ (1) at the covariances ``q`` (N, N), without derivatives; ``alone`` as in
    :func:`pair_tables`."""
    variances = np.diagonal(q)
    found: Floats = pair_expectations(activation, variances, variances, q, order).value
    np.fill_diagonal(found, alone[0])
    return found


def one_sample(activation: Activation, order: int, variances: Floats) -> Floats:
    """E[φ²] or E[φ'²] with its first and second derivative by the variance, (3, N)."""
    function = activation.function(order=order)
    return np.transpose([_stein(function, *line_rules(activation, q, _LEVEL)[0], q) for q in variances])


def _stein(function: Callable[[Floats], Floats], u: Floats, weights: Floats, q: float) -> list[float]:
    square, z2 = weights * function(u) ** 2, u**2 / q
    return [
        float(np.sum(square)),
        float(np.sum(square * (z2 - 1))) / (2 * q),
        float(np.sum(square * (z2**2 - 6 * z2 + 3))) / (4 * q**2),
    ]


def _with_diagonal(table: PairTable, rows: slice, alone: Floats) -> PairTable:
    of_one = {"value": alone[0, rows], "across": alone[1, rows], "across_across": alone[2, rows]}
    place = _diagonal(rows, alone.shape[1])
    for name, values in vars(table).items():
        values[place] = of_one.get(name, 0.0)
    return table
