"""Estimates with standard errors, and what they can and cannot decide.

One random network is one draw: every estimate here is a linear function of per-network values, with coefficients
fixed before the values were seen, so it is unbiased, and its standard error follows from the variance *between*
networks, at each point of the sweep by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtr, stdtrit

__all__ = ["POWER", "Estimate", "Judgement", "Verdict", "combination", "holm", "judge", "mean_of"]

Verdict = Literal["pass", "fail", "unclear"]

POWER = 0.8
"""The chance of a decision for which the trials still needed are counted."""


@dataclass(frozen=True)
class Estimate:
    """A mean with its standard error and the degrees of freedom of that error (NaN: cannot be known)."""

    value: float
    standard_error: float
    degrees: float

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The t-interval at this confidence level; NaNs where the standard error is unknown."""
        half = float(stdtrit(self.degrees, (1 + level) / 2)) * self.standard_error
        return self.value - half, self.value + half

    def scaled(self, factor: float) -> Estimate:
        """The estimate of ``factor`` times the quantity."""
        return Estimate(self.value * factor, self.standard_error * abs(factor), self.degrees)

    def log(self) -> Estimate:
        """The estimate of the logarithm, to first order in the relative standard error."""
        if not self.value > 0:
            return Estimate(math.nan, math.nan, self.degrees)
        return Estimate(math.log(self.value), self.standard_error / self.value, self.degrees)


def mean_of(values: Sequence[float] | NDArray[np.float64]) -> Estimate:
    """The mean over independent networks; one network alone has no standard error."""
    x = np.asarray(values, float)
    if x.size < 2:
        return Estimate(float(x[0]) if x.size else math.nan, math.nan, math.nan)
    return Estimate(float(x.mean()), float(x.std(ddof=1) / math.sqrt(x.size)), x.size - 1.0)


def combination(coefficients: Sequence[float] | NDArray[Any], estimates: Sequence[Estimate]) -> Estimate:
    """``Σ_k c_k estimate_k`` of independent estimates, with Satterthwaite's degrees of freedom.

    The variances of the terms may differ in any way: none is pooled.
    """
    parts = [(c * e.standard_error) ** 2 for c, e in zip(coefficients, estimates, strict=True)]
    variance = float(sum(parts))
    spread = float(sum(p**2 / e.degrees for p, e in zip(parts, estimates, strict=True)))
    value = float(sum(c * e.value for c, e in zip(coefficients, estimates, strict=True)))
    degrees = variance**2 / spread if spread else sum(e.degrees for e in estimates)
    return Estimate(value, math.sqrt(variance), degrees)


@dataclass(frozen=True)
class Judgement:
    """What an estimated ratio says about ``|ratio - 1| <= tolerance``.

    ``p_equivalent`` belongs to the two one-sided t-tests (TOST) against "outside the tolerance", ``p_outside`` to the
    test against "inside it"; both are adjusted by Holm over the family. ``growth``: the factor by which the trials
    must grow for a decision (at the family's strictest level, with probability ``POWER``), if the estimated ratio
    and spread are the true ones. ``detectable``: the distance of a true ratio from 1 at which these trials would
    refute it with probability ``POWER`` at that level.
    """

    tolerance: float
    p_equivalent: float
    p_outside: float
    verdict: Verdict
    growth: float
    detectable: float

    def trials_needed(self, trials: int) -> int | None:
        """How many more than ``trials`` are needed; 0 when decided, ``None`` when no number can be named."""
        if self.verdict != "unclear":
            return 0
        if trials < 2:
            return 2 - trials
        needed = trials * self.growth
        return max(1, math.ceil(needed) - trials) if needed < 1e7 else None


def judge(ratios: Sequence[Estimate], tolerances: Sequence[float], alpha: float) -> list[Judgement]:
    """Judge a family of ratios together: the chance of any wrong pass, and that of any wrong fail, is at most
    ``alpha`` each, whatever the dependence between them."""
    equivalent = holm([_p_equivalent(r, d) for r, d in zip(ratios, tolerances, strict=True)])
    outside = holm([_p_outside(r, d) for r, d in zip(ratios, tolerances, strict=True)])
    critical = float(ndtri(1 - alpha / max(1, len(ratios))) + ndtri(POWER))
    return [
        Judgement(
            d, p, q, "pass" if p <= alpha else "fail" if q <= alpha else "unclear",
            _growth(r, d, critical), d + critical * r.standard_error,
        )
        for r, d, p, q in zip(ratios, tolerances, equivalent, outside, strict=True)
    ]  # fmt: skip


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the given order. A NaN (no test possible yet) counts as 1."""
    p = np.nan_to_num(np.asarray(p_values, float), nan=1.0)
    order = np.argsort(p, kind="stable")
    steps = p[order] * np.arange(p.size, 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(x) for x in adjusted]


def _p_equivalent(ratio: Estimate, tolerance: float) -> float:
    above, below = ratio.value - (1 - tolerance), (1 + tolerance) - ratio.value
    return max(_tail(above, ratio), _tail(below, ratio))


def _p_outside(ratio: Estimate, tolerance: float) -> float:
    distance = abs(ratio.value - 1)
    return min(1.0, _tail(distance - tolerance, ratio) + _tail(distance + tolerance, ratio))


def _tail(distance: float, estimate: Estimate) -> float:
    """P(T > distance / standard error)."""
    if estimate.standard_error == 0:
        return 0.0 if distance > 0 else 1.0
    return float(stdtr(estimate.degrees, -distance / estimate.standard_error))


def _growth(ratio: Estimate, tolerance: float, critical: float) -> float:
    margin = abs(abs(ratio.value - 1) - tolerance)
    return (critical * ratio.standard_error / margin) ** 2 if margin > 0 else math.inf
