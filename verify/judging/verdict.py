"""Does the experiment bear the theory out? Prediction and trials → ratios, intervals, pass / fail / unclear.

What decides. A ratio measured / predicted is judged against ``1 ± tolerance``: *pass* if two one-sided t-tests place
it inside (equivalence), *fail* if a t-test places it outside, *unclear* if the trials at hand can do neither. There
are two families, each adjusted by Holm at level α:

* the *limits*: a₀ of every series along at least three widths (:mod:`verify.judging.extrapolation`), tolerance δ₀.
  They decide.
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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verify.asking.records import Law, Trial
from verify.asking.tolerance import Tolerance
from verify.judging.bulk import Bulk, bulks
from verify.judging.coverage import Coverage, coverage
from verify.judging.eigenvalues import Eigenvalues, all_eigenvalues
from verify.judging.inference import Verdict
from verify.judging.judged import Limit, Row, judged
from verify.judging.layers import Layers, layers
from verify.judging.observations import observations
from verify.judging.pairing import STATISTICS, pair
from verify.judging.ranks import Ranks, ranks
from verify.judging.scaling import Series, series
from verify.judging.slopes import Slopes, slopes
from verify.judging.spectra import StoredSpectra, stored_spectra
from verify.judging.traces import Traces, traces

if TYPE_CHECKING:
    from verify.asking.sweep import Sweep

__all__ = ["Comparison", "compare"]


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
    spectra: tuple[StoredSpectra, ...]
    eigenvalues: tuple[Eigenvalues, ...]
    traces: tuple[Traces, ...]
    ranks: tuple[Ranks, ...]
    layers: tuple[Layers, ...]
    finished: int
    failures: Mapping[str, int]
    asked: Mapping[str, Any]

    @functools.cached_property
    def bulks(self) -> tuple[Bulk, ...]:
        """The laws of the stored spectra. They take a while: a verdict needs none, a report all of them."""
        return bulks(self.spectra)

    @functools.cached_property
    def slopes(self) -> tuple[Slopes, ...]:
        """How steep the spectra of given data are, and those of the metrics at them."""
        return slopes(self.eigenvalues)

    @property
    def laws(self) -> tuple[Law, ...]:
        """The laws of the sweep, each once."""
        return tuple(dict.fromkeys(r.law for r in self.rows))

    @property
    def deciding(self) -> tuple[Row | Limit, ...]:
        """The judged ratios on which the verdict rests."""
        return (*self.limits, *(r for r in self.rows if r.decides))

    @property
    def verdict(self) -> Verdict:
        found = {d.verdict for d in self.deciding}
        return "fail" if "fail" in found else "pass" if found == {"pass"} else "unclear"


def compare(sweep: Sweep, trials: Iterable[Trial], alpha: float | None = None) -> Comparison:
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
    rows, limits = judged(seen, lines, settings, level)
    return Comparison(
        name=sweep.name,
        title=sweep.title or sweep.name,
        theory=settings.theory,
        alpha=level,
        tolerances={order: settings.tolerance(order) for order in dict.fromkeys(p.order for p in pairs)},
        coverage=coverage(seen),
        rows=rows,
        series=lines,
        limits=limits,
        spectra=stored_spectra(pairs),
        eigenvalues=all_eigenvalues(pairs, sweep.run.dtype),
        traces=traces(pairs),
        ranks=ranks(pairs),
        layers=layers(sweep.cells(), trials),
        finished=len(trials) - failures.total(),
        failures=dict(failures.most_common()),
        asked=json.loads(sweep.to_json()),
    )
