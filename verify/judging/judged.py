"""Ratios measured / predicted with their judgement: of single cells, and of limits at infinite width.

Two families are judged, each adjusted by Holm (:mod:`verify.judging.verdict` says which decides).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from meanfield.spec import Metric
from verify.asking.records import Law
from verify.judging.inference import Estimate, Judgement, Verdict, holm, judge
from verify.judging.observations import Observation
from verify.judging.scaling import Series

if TYPE_CHECKING:
    from verify.asking.sweep import Agreement

__all__ = ["Limit", "Row", "judged"]


@dataclass(frozen=True)
class Row:
    """One statistic at one cell. ``judgement`` is ``None`` where the prediction is void."""

    observation: Observation
    measured: Estimate
    ratio: Estimate
    judgement: Judgement | None
    decides: bool

    @property
    def law(self) -> Law:
        return self.observation.cell.law

    @property
    def metric(self) -> Metric:
        return self.observation.metric

    @property
    def statistic(self) -> str:
        return self.observation.statistic

    @property
    def order(self) -> str:
        """Of the theory compared with: "leading" or "refined"."""
        return self.observation.order

    @property
    def trials(self) -> int:
        return int(self.observation.values.size)

    @property
    def tolerance(self) -> float:
        """At this width; NaN where the prediction is void."""
        return math.nan if self.judgement is None else self.judgement.tolerance

    @property
    def verdict(self) -> str:
        """ "pass", "fail", "unclear" or "void"."""
        return "void" if self.judgement is None else self.judgement.verdict

    @property
    def trials_needed(self) -> int | None:
        """How many more networks a decision takes; see :meth:`Judgement.trials_needed`."""
        return 0 if self.judgement is None else self.judgement.trials_needed(self.trials)


@dataclass(frozen=True)
class Limit:
    """A series along widths whose a₀ is judged. ``fits``: whether the declared form does, as far as can be told."""

    series: Series
    ratio: Estimate
    judgement: Judgement
    fits: bool

    @property
    def law(self) -> Law:
        return self.series.law

    @property
    def metric(self) -> Metric:
        return self.series.metric

    @property
    def statistic(self) -> str:
        return self.series.statistic

    @property
    def order(self) -> str:
        """Of the theory compared with: "leading" or "refined"."""
        return self.series.order

    @property
    def tolerance(self) -> float:
        """At infinite width."""
        return self.judgement.tolerance

    @property
    def verdict(self) -> Verdict:
        found = self.judgement.verdict
        return "unclear" if found == "pass" and not self.fits else found

    @property
    def trials(self) -> int:
        return sum(o.values.size for o in self.series.observations)

    @property
    def trials_needed(self) -> int | None:
        """How many more networks a decision takes, over all widths in the present proportions; 0 where none would help,
        because the declared form does not fit."""
        if not self.fits:
            return 0
        return self.judgement.trials_needed(self.trials, len(self.series.observations))


def judged(
    observations: Sequence[Observation], lines: Sequence[Series], settings: Agreement, alpha: float
) -> tuple[tuple[Row, ...], tuple[Limit, ...]]:
    """A row for each observation and a limit for each series with a fit, judged in their two families at ``alpha``."""
    fitted = [(line, line.fit) for line in lines if line.fit is not None]
    covered = {o.key for line, _ in fitted for o in line.observations}
    rows = [_row(o, decides=not o.reason and o.key not in covered) for o in observations]
    alone = [row for row in rows if row.decides]
    informing = [row for row in rows if not row.decides and not row.observation.reason]
    deciding = judge(
        [*(fit.limit for _, fit in fitted), *(row.ratio for row in alone)],
        [*(settings.tolerance(line.order).at(0) for line, _ in fitted), *(_tolerance(row, settings) for row in alone)],
        alpha,
    )
    others = judge([row.ratio for row in informing], [_tolerance(row, settings) for row in informing], alpha)
    in_cells = [*deciding[len(fitted) :], *others]
    of_row = {row.observation.key: j for row, j in zip([*alone, *informing], in_cells, strict=True)}
    lack_of_fit = holm([fit.goodness for _, fit in fitted])
    limits = (
        Limit(series=line, ratio=fit.limit, judgement=judgement, fits=p > alpha)
        for (line, fit), judgement, p in zip(fitted, deciding[: len(fitted)], lack_of_fit, strict=True)
    )
    return tuple(replace(row, judgement=of_row.get(row.observation.key)) for row in rows), tuple(limits)


def _row(observation: Observation, decides: bool) -> Row:
    """Not judged yet."""
    return Row(observation, observation.measured, observation.ratio, judgement=None, decides=decides)


def _tolerance(row: Row, settings: Agreement) -> float:
    return settings.tolerance(row.order).at(1 / row.observation.cell.width)
