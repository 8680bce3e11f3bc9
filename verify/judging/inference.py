"""Estimates with standard errors, and what they can and cannot decide.

One random network is one draw: every estimate here is a linear function of per-network values, with coefficients
fixed before the values were seen, so it is unbiased, and its standard error follows from the variance *between*
networks, at each point of the sweep by itself.

Spectra's statistics are products over layers, positive and skewed to the right, very nearly log-normal. A mean that
comes out low then comes with a spread that is too low as well, and a t-interval misses the truth above it up to three
times as often as that below it. So an estimate knows its ``bend``: the skewness of a log-normal follows from its
spread, without a third moment, which few networks can't give. Intervals and tests are t's on the scale on which
Student's ratio is symmetric (Hall 1992: T + γT²/3√n + γ/6√n, whose monotone form is the logarithm below), and on each
side the plain t's where those are more cautious: an expansion is no licence to be surer than Student far out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, ndtr, ndtri, stdtr, stdtrit

__all__ = [
    "POWER", "UNKNOWN", "Estimate", "Judgement", "Verdict", "combination", "holm", "judge", "mean_of",
    "mean_of_statistic",
]  # fmt: skip

Verdict = Literal["pass", "fail", "unclear"]

POWER = 0.8
"""The chance of a decision for which the trials still needed are counted."""

MOST = 10_000_000
"""More trials than this are asked of nobody."""

NODES = 20
"""In how many equally likely values the unknown spread is averaged over."""


@dataclass(frozen=True)
class Estimate:
    """A mean with its standard error and the degrees of freedom of that error (NaN: cannot be known).

    ``bend``: two thirds of the estimate's third cumulant over its squared variance; 0 for a symmetric law, and 2/value
    for the mean of a log-normal one of small spread.
    """

    value: float
    standard_error: float
    degrees: float
    bend: float = 0.0

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The t-interval at this confidence level; NaNs where the standard error is unknown."""
        half = float(stdtrit(self.degrees, (1 + level) / 2)) * self.standard_error
        return self.value + min(-half, self._straight(-half)), self.value + max(half, self._straight(half))

    def scaled(self, factor: float) -> Estimate:
        """The estimate of ``factor`` times the quantity."""
        bend = self.bend / factor if factor else 0.0
        return Estimate(self.value * factor, self.standard_error * abs(factor), self.degrees, bend)

    def log(self) -> Estimate:
        """The estimate of the logarithm, to first order in the relative standard error, which falls as the value
        rises: so half of what bends that of a log-normal stays."""
        if not self.value > 0:
            return Estimate(math.nan, math.nan, self.degrees)
        bend = self.bend * self.value - 1
        return Estimate(math.log(self.value), self.standard_error / self.value, self.degrees, bend)

    def below(self, x: float) -> float:
        """The p-value of "the quantity is at most x", small where the estimate lies far above x."""
        return max(self._tail(self.value - x), self._tail(-self._bent(x - self.value)))

    def above(self, x: float) -> float:
        """The p-value of "the quantity is at least x", small where the estimate lies far below x."""
        return max(self._tail(x - self.value), self._tail(self._bent(x - self.value)))

    def _tail(self, distance: float) -> float:
        """P(T > distance / standard error)."""
        if self.standard_error == 0:
            return 0.0 if distance > 0 else 1.0
        return float(stdtr(self.degrees, -distance / self.standard_error))

    def _bent(self, distance: float) -> float:
        """A distance from ``value`` on the symmetric scale; infinite where that ends."""
        if self.bend == 0:
            return distance
        inside = self.bend * distance
        return math.log1p(inside) / self.bend - self._shift if inside > -1 else math.copysign(math.inf, distance)

    def _straight(self, distance: float) -> float:
        """The inverse of :meth:`_bent`."""
        if self.bend == 0:
            return distance
        with np.errstate(over="ignore"):
            return float(np.expm1(self.bend * (distance + self._shift))) / self.bend

    @property
    def _shift(self) -> float:
        """γ se/6: Student's ratio of a skewed mean isn't 0 on average."""
        return self.bend * self.standard_error**2 / 4


UNKNOWN = Estimate(math.nan, math.nan, math.nan)


def mean_of(values: Sequence[float] | NDArray[np.float64]) -> Estimate:
    """The mean over independent networks; one network alone has no standard error."""
    x = np.asarray(values, float)
    if x.size < 2:
        return Estimate(float(x[0]) if x.size else math.nan, math.nan, math.nan)
    return Estimate(float(x.mean()), float(x.std(ddof=1) / math.sqrt(x.size)), x.size - 1.0)


def mean_of_statistic(values: Sequence[float] | NDArray[np.float64]) -> Estimate:
    """:func:`mean_of` for a statistic of a spectrum: as skewed as a log-normal of that spread."""
    mean, x = mean_of(values), np.asarray(values, float)
    return replace(mean, bend=2 / mean.value) if np.all(x > 0) and x.size else mean


def combination(coefficients: Sequence[float] | NDArray[np.float64], estimates: Sequence[Estimate]) -> Estimate:
    """``Σ_k c_k estimate_k`` of independent estimates, with Satterthwaite's degrees of freedom.

    The variances of the terms may differ in any way: none is pooled. Third cumulants add up.
    """
    parts = [(c * e.standard_error) ** 2 for c, e in zip(coefficients, estimates, strict=True)]
    variance = float(sum(parts))
    value = float(sum(c * e.value for c, e in zip(coefficients, estimates, strict=True)))
    spread = float(sum(p**2 / e.degrees for p, e in zip(parts, estimates, strict=True)))
    degrees = variance**2 / spread if spread else sum(e.degrees for e in estimates)
    bent = float(sum(p**2 * e.bend / c for c, p, e in zip(coefficients, parts, estimates, strict=True) if c))
    return Estimate(value, math.sqrt(variance), degrees, bent / variance**2 if variance else 0.0)


@dataclass(frozen=True)
class Judgement:
    """What an estimated ratio says about ``|ratio - 1| <= tolerance``.

    ``p_equivalent`` belongs to the two one-sided t-tests (TOST) against "outside the tolerance", ``p_outside`` to the
    test against "inside it"; both are adjusted by Holm over the family, whose strictest level is ``level``.
    ``detectable``: the distance of a true ratio from 1 at which these trials would refute it with probability ``POWER``
    at that level.
    """

    ratio: Estimate
    tolerance: float
    level: float
    p_equivalent: float
    p_outside: float
    verdict: Verdict
    detectable: float

    @cache  # noqa: B019 - frozen, and asked by every table
    def trials_needed(self, trials: int, points: int = 1) -> int | None:
        """How many more than ``trials``, spread over so many ``points`` of the sweep, are needed for a decision.

        With that many there is one (at the family's strictest level) with probability ``POWER``, if the estimated ratio
        is the true one. The spread isn't taken as known: the probability is that over all spreads which the trials at
        hand leave possible, so that a pilot of three asks for more than one of thirty with the same spread. Found to a
        percent in the number of trials. 0 when decided, ``None`` when no number can be named (the ratio is at the edge
        of the tolerance).
        """
        if self.verdict != "unclear":
            return 0
        if trials < 2:
            return 2 - trials
        if not self.ratio.standard_error > 0:
            return None
        low, high = trials, trials + 1
        while self._power(high, trials, points) < POWER:
            low, high = high, 2 * high
            if high > MOST:
                return None
        while high - low > max(1, low // 100):
            middle = (low + high) // 2
            low, high = (low, middle) if self._power(middle, trials, points) >= POWER else (middle, high)
        return high - trials

    def _power(self, trials: int, pilot: int, points: int) -> float:
        """The chance of a decision with ``trials`` in all, given what the ``pilot`` says of ratio and spread."""
        each = max(1.0, pilot / points - 1)
        degrees = self.ratio.degrees * max(1.0, (trials / points - 1) / each)
        spread, found = _spreads(self.ratio.degrees)[:, None], 1 / _spreads(degrees)[None, :]
        error = self.ratio.standard_error * math.sqrt(pilot / trials) * spread
        off = abs(self.ratio.value - 1)
        if off < self.tolerance:
            room = self.tolerance - stdtrit(degrees, 1 - self.level) * error * found
            return float(np.mean(np.maximum(0.0, ndtr((room - off) / error) - ndtr((-room - off) / error))))
        expected = self.ratio.standard_error * math.sqrt(pilot / trials)
        room = self.tolerance + _quantile(2 * self.tolerance / expected, degrees, self.level) * error * found
        return float(np.mean(ndtr((off - room) / error) + ndtr((-room - off) / error)))


def judge(ratios: Sequence[Estimate], tolerances: Sequence[float], alpha: float) -> list[Judgement]:
    """Judge a family of ratios together: the chance of any wrong pass, and that of any wrong fail, is at most
    ``alpha`` each, whatever the dependence between them."""
    equivalent = holm([_p_equivalent(r, d) for r, d in zip(ratios, tolerances, strict=True)])
    outside = holm([_p_outside(r, d) for r, d in zip(ratios, tolerances, strict=True)])
    critical = float(ndtri(1 - alpha / max(1, len(ratios))) + ndtri(POWER))
    return [
        Judgement(
            ratio=ratio,
            tolerance=tolerance,
            level=alpha / len(ratios),
            p_equivalent=p,
            p_outside=q,
            verdict="pass" if p <= alpha else "fail" if q <= alpha else "unclear",
            detectable=tolerance + critical * ratio.standard_error,
        )
        for ratio, tolerance, p, q in zip(ratios, tolerances, equivalent, outside, strict=True)
    ]


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the given order. A NaN (no test possible yet) counts as 1."""
    p = np.nan_to_num(np.asarray(p_values, float), nan=1.0)
    order = np.argsort(p, kind="stable")
    steps = p[order] * np.arange(p.size, 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(x) for x in adjusted]


def _p_equivalent(ratio: Estimate, tolerance: float) -> float:
    return max(ratio.below(1 - tolerance), ratio.above(1 + tolerance))


def _p_outside(ratio: Estimate, tolerance: float) -> float:
    """The chance of so extreme an estimate, on either side, from the end of the tolerance that is nearer to it."""
    ends = 1 - tolerance, 1 + tolerance
    over = sum(ratio.below(x) for x in ends)
    under = sum(ratio.above(x) for x in ends)
    return min(1.0, over if ratio.value > 1 else under)


def _spreads(degrees: float) -> NDArray[np.float64]:
    """Equally likely values of true / estimated standard error: ``√(degrees / χ²)`` at the middles of equal shares."""
    middles = (np.arange(NODES) + 0.5) / NODES
    return np.asarray(np.sqrt(degrees / chdtri(degrees, middles)), float)


def _quantile(apart: float, degrees: float, level: float) -> float:
    """Where two t-tails, the second one ``apart`` farther out, have ``level`` together: the test against "inside"."""
    low, high = float(stdtrit(degrees, 1 - level)), float(stdtrit(degrees, 1 - level / 2))
    for _ in range(30):
        middle = (low + high) / 2
        tails = float(stdtr(degrees, -middle) + stdtr(degrees, -middle - apart))
        low, high = (middle, high) if tails > level else (low, middle)
    return high
