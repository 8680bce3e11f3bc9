"""Does the experiment bear the theory out? Prediction and trials → ratios, intervals, pass / fail / unclear.

What decides. A ratio measured / predicted is judged against ``1 ± tolerance``: *pass* if two one-sided t-tests place
it inside (equivalence), *fail* if a t-test places it outside, *unclear* if the trials at hand can do neither. There
are two families, each adjusted by Holm at level α:

* the *limits*: a₀ of every series along at least three widths (:mod:`verify.judging.scaling`), tolerance δ₀. They
  decide.
* the *cells*: each ratio at its finite width, tolerance δ(M) (:mod:`verify.asking.tolerance`). A cell on no series with
  a limit joins the deciding family, since nothing else speaks for it; the others inform. Leading-order theory may well
  fail in cells, where the width is too small for it, and hold in the limit: a finding about the width, not against the
  theory.

Each ratio is taken to the theory of the order asked for, "refined" where that exists, with the tolerance of its order.

A limit is worth no more than the form it was extrapolated by. Where the declared form does not fit (its lack of fit,
adjusted by Holm over all limits, is significant at α), a limit can't pass: it is *unclear*, and more networks would not
help, only wider ones or another declared form. A bad fit is no excuse either: what fails still fails.

The verdict is *fail* if a deciding ratio fails, else *unclear* if one is unclear (or there is none), else *pass*.
Where the theory says of itself that it is void (NaN), the row carries the reason and is in neither family.
"""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from meanfield.spec import Metric, Network
from verify.asking.records import Cell, Trial
from verify.asking.tolerance import Tolerance
from verify.judging.bulk import Bulk, bulks
from verify.judging.coverage import Coverage, coverage
from verify.judging.inference import Estimate, Judgement, Verdict, holm, judge, mean_of
from verify.judging.layers import Layers, layers
from verify.judging.pairing import STATISTICS, Observation, Spectrum, observations, pair, spectra
from verify.judging.ranks import Ranks, ranks
from verify.judging.scaling import Series, series

__all__ = ["Comparison", "Limit", "Row", "compare"]


class Settings(Protocol):
    """The ``[verdict]`` table of a sweep."""

    @property
    def theory(self) -> Literal["leading", "refined"]: ...
    @property
    def alpha(self) -> float: ...
    def tolerance(self, order: str) -> Tolerance: ...


class SweepLike(Protocol):
    """What of a sweep a comparison reads."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def verdict(self) -> Settings: ...
    def cells(self) -> tuple[Cell, ...]: ...
    def to_json(self) -> str: ...


@dataclass(frozen=True)
class Row:
    """One statistic at one cell. ``judgement`` is ``None`` where the prediction is void."""

    observation: Observation
    measured: Estimate
    ratio: Estimate
    judgement: Judgement | None
    decides: bool

    @property
    def network(self) -> Network:
        return self.observation.cell.network

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
    def network(self) -> Network:
        return self.series.network

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


@dataclass(frozen=True)
class Comparison:
    """A sweep held against theory: everything a report shows. ``finished`` counts the trials that are, ``failures``
    those that failed by their reason, the commonest first. ``theory`` is the order asked for; ``tolerances`` has each
    order that was compared. ``asked`` is the sweep as plain data, in its canonical spelling."""

    name: str
    title: str
    theory: str
    alpha: float
    tolerances: Mapping[str, Tolerance]
    coverage: Mapping[str, Coverage]
    rows: tuple[Row, ...]
    series: tuple[Series, ...]
    limits: tuple[Limit, ...]
    spectra: tuple[Spectrum, ...]
    ranks: tuple[Ranks, ...]
    layers: tuple[Layers, ...]
    finished: int
    failures: Mapping[str, int]
    asked: Mapping[str, Any]

    @functools.cached_property
    def bulks(self) -> tuple[Bulk, ...]:
        """The laws of the stored spectra. They take a while: a verdict needs none, a report all of them."""
        return bulks(self.spectra)

    @property
    def networks(self) -> tuple[Network, ...]:
        """The networks of the sweep, each once."""
        return tuple(dict.fromkeys(r.network for r in self.rows))

    @property
    def deciding(self) -> tuple[Row | Limit, ...]:
        """The judged ratios on which the verdict rests."""
        return (*self.limits, *(r for r in self.rows if r.decides))

    @property
    def verdict(self) -> Verdict:
        found = {d.verdict for d in self.deciding}
        return "fail" if "fail" in found else "pass" if found == {"pass"} else "unclear"


def compare(sweep: SweepLike, trials: Iterable[Trial], alpha: float | None = None) -> Comparison:
    """Hold the finished trials of a sweep against theory.

    ``alpha`` replaces the sweep's family-wise level, for one of several looks (:mod:`verify.judging.sequential`).
    """
    settings = sweep.verdict
    level = settings.alpha if alpha is None else alpha
    trials = list(trials)
    failures = Counter(sorted(t.reason for t in trials if t.status == "failed"))
    pairs = pair(sweep.cells(), trials, settings.theory)
    # As people read: metric by metric, statistic by statistic, and within these in the order of the sweep.
    metrics = list(dict.fromkeys(p.metric for p in pairs))
    seen = sorted(observations(pairs), key=lambda o: (metrics.index(o.metric), STATISTICS.index(o.statistic)))
    lines = series(seen)
    with_limit = [(s, s.fit.limit) for s in lines if s.fit is not None]
    covered = {id(o) for s, _ in with_limit for o in s.observations}
    rows, limits = _judged(seen, with_limit, covered, settings, level)
    return Comparison(
        sweep.name, sweep.title or sweep.name, settings.theory, level,
        {order: settings.tolerance(order) for order in dict.fromkeys(p.order for p in pairs)}, coverage(seen),
        rows, lines, limits, spectra(pairs), ranks(pairs), layers(sweep.cells(), trials),
        len(trials) - failures.total(), dict(failures.most_common()), json.loads(sweep.to_json()),
    )  # fmt: skip


def _judged(
    seen: Sequence[Observation],
    with_limit: Sequence[tuple[Series, Estimate]],
    covered: set[int],
    settings: Settings,
    alpha: float,
) -> tuple[tuple[Row, ...], tuple[Limit, ...]]:
    """Rows and limits, judged in their two families."""
    measured = {id(o): mean_of(o.values) for o in seen}
    ratios = {id(o): measured[id(o)].scaled(1 / o.predicted) for o in seen if not o.reason}
    tolerance = {id(o): settings.tolerance(o.order).at(1 / o.cell.width) for o in seen}
    alone = [i for i in ratios if i not in covered]
    informing = [i for i in ratios if i in covered]
    deciding = judge(
        [*(a for _, a in with_limit), *(ratios[i] for i in alone)],
        [*(settings.tolerance(s.order).at(0) for s, _ in with_limit), *(tolerance[i] for i in alone)],
        alpha,
    )
    others = judge([ratios[i] for i in informing], [tolerance[i] for i in informing], alpha)
    by_row = dict(zip([*alone, *informing], [*deciding[len(with_limit) :], *others], strict=True))
    rows = tuple(
        Row(o, measured[id(o)], ratios.get(id(o), _VOID), by_row.get(id(o)), id(o) in ratios and id(o) not in covered)
        for o in seen
    )
    lack_of_fit = holm([s.fit.goodness for s, _ in with_limit if s.fit])
    limits = tuple(Limit(s, a, j, p > alpha) for (s, a), j, p in zip(with_limit, deciding, lack_of_fit, strict=False))
    return rows, limits


_VOID = Estimate(float("nan"), float("nan"), float("nan"))
