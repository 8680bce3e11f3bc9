"""Two stores side by side: two devices, two versions, two seeds. What both have measured is compared; no theory.

With the same seed, trial i of a cell is the same network in both, so what counts is the largest relative difference
between the two measurements of one network. With different seeds only the means over networks can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtr

from meanfield.spec import Metric
from verify.asking.records import Cell, Sample, Trial
from verify.asking.sweep import Sweep
from verify.judging.inference import Estimate, combination, holm, mean_of

__all__ = ["Difference", "agreement", "difference"]

COMPARED = ("mean", "second_moment", "largest")


@dataclass(frozen=True)
class Difference:
    """One statistic of one metric at one cell in both stores.

    ``ratio`` is mean(B) / mean(A) over networks, ``p`` the chance of one at least as far from 1 if the means are equal
    (Welch's test, adjusted by Holm over all rows). ``farthest``: the largest |b - a| / |a| over networks measured in
    both; NaN where the seeds differ or no trial is in both.
    """

    cell: Cell
    metric: Metric
    statistic: str
    first: Estimate
    second: Estimate
    networks: tuple[int, int]
    ratio: Estimate
    p: float
    farthest: float


def difference(a: Sweep, trials_a: Iterable[Trial], b: Sweep, trials_b: Iterable[Trial]) -> tuple[Difference, ...]:
    """Compare what two sweeps have in common: cells with the same network and sizes, and the metrics of both.

    Raises
    ------
    ValueError
        If they have no finished measurement in common.
    """
    first, second = _values(trials_a), _values(trials_b)
    same_networks = a.run.seed == b.run.seed
    rows = [
        _difference(cell, metric, statistic, first[key], second[key], same_networks)
        for cell in a.cells()
        for metric in cell.metrics
        for statistic in COMPARED
        if (key := (cell.key, metric.label, statistic)) in first and key in second
    ]
    if not rows:
        raise ValueError("stores: expected a cell and a metric measured in both, got none")
    adjusted = holm([row.p for row in rows])
    return tuple(replace(row, p=p) for row, p in zip(rows, adjusted, strict=True))


def agreement(found: Sequence[Difference], tolerance: float, alpha: float) -> tuple[str, str]:
    """Pass, fail or unclear, and the sentence that says why.

    Networks that are in both stores decide by themselves: no two measurements of one are further apart than
    ``tolerance``. Where there are none the means decide, by a test at level ``alpha`` over all rows.
    """
    apart = [d for d in found if d.farthest > tolerance or (math.isnan(d.farthest) and d.p < alpha)]
    same = [d.farthest for d in found if not math.isnan(d.farthest)]
    means = [d.p for d in found if math.isnan(d.farthest) and not math.isnan(d.p)]
    reasons = [f"the same networks are at most {max(same):.1e} apart (tolerance {tolerance:g})"] if same else []
    reasons += [f"the least p of equal means is {min(means):.2g} (level {alpha:g})"] if means else []
    if not reasons:
        return "unclear", f"unclear: {len(found)} statistics in both, too few networks in each to compare their means"
    verdict, words = ("fail", "they differ") if apart else ("pass", "they agree")
    where = f" in {len(apart)} of {len(found)} statistics" if apart else f" in all {len(found)} statistics"
    return verdict, f"{words}{where}: {'; '.join(reasons)}"


def _values(trials: Iterable[Trial]) -> dict[tuple[str, str, str], dict[int, float]]:
    """Finite values by place and trial number."""
    found: dict[tuple[str, str, str], dict[int, float]] = {}
    for trial in sorted(trials, key=lambda t: t.index):
        for label, sample in trial.samples.items():
            for statistic, value in _statistics(sample).items():
                found.setdefault((trial.cell, label, statistic), {})[trial.index] = value
    return found


def _statistics(sample: Sample) -> dict[str, float]:
    values = {name: float(getattr(sample, name)) for name in COMPARED}
    return {name: value for name, value in values.items() if math.isfinite(value)}


def _difference(
    cell: Cell, metric: Metric, statistic: str, a: Mapping[int, float], b: Mapping[int, float], same_networks: bool
) -> Difference:
    first, second = mean_of(list(a.values())), mean_of(list(b.values()))
    common = sorted(a.keys() & b.keys()) if same_networks else []
    x, y = (np.array([values[i] for i in common]) for values in (a, b))
    farthest = float(np.max(np.abs(y - x) / np.abs(x))) if common else math.nan
    return Difference(
        cell=cell,
        metric=metric,
        statistic=statistic,
        first=first,
        second=second,
        networks=(len(a), len(b)),
        ratio=_ratio(first, second),
        p=_p_equal(first, second),
        farthest=farthest,
    )


def _ratio(a: Estimate, b: Estimate) -> Estimate:
    """b / a, with the error of both to first order."""
    quotient = b.value / a.value if a.value else math.nan
    spread = combination([1 / a.value, -quotient / a.value], [b, a]) if a.value else a
    return Estimate(quotient, spread.standard_error, spread.degrees)


def _p_equal(a: Estimate, b: Estimate) -> float:
    gap = combination([1, -1], [b, a])
    if gap.standard_error == 0:
        return 1.0 if gap.value == 0 else 0.0
    return 2 * float(stdtr(gap.degrees, -abs(gap.value) / gap.standard_error))
