"""Theory beside measurement: for each cell, metric and statistic, one predicted number and one value per network.

Asked for the refined theory, a pair has it wherever there is one; where `predict` refuses it the leading order stands
in, and ``order`` says which of them it is. What the refined theory says of itself that it doesn't hold is void.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from meanfield.prediction.intervals import central
from meanfield.spec import Metric, OrderParameters
from verify.asking.records import Cell, Sample, Trial

__all__ = ["LEVEL", "STATISTICS", "Observation", "Pair", "Spectrum", "observations", "pair", "spectra", "widest"]

T = TypeVar("T")

STATISTICS = ("mean", "second_moment", "largest", "outliers")
"""``outliers`` is the mean of the outliers of one network. Leading order predicts C equal ones; on a real network they
repel each other, which lifts the largest by a relative order 1/√M and leaves their mean within 1/M."""

LEVEL = 0.95  # of the band in which the refined theory predicts one network


@dataclass(frozen=True)
class Observation:
    """One statistic of one metric at one cell. ``values``: one per finished network. ``reason``: why the prediction
    is void (NaN), else empty. ``exponents``: the asymptotic ones (in M, in N), NaN where the theory names none.
    ``bounds``: lower and upper ones of the largest eigenvalue, where the theory proves any (cross-entropy).

    ``order`` is that of the theory behind ``predicted``, "leading" or "refined", and ``leading`` the leading order's
    number. ``band`` is where the refined theory expects ``LEVEL`` of all networks."""

    cell: Cell
    metric: Metric
    statistic: str
    predicted: float
    values: NDArray[np.float64]
    reason: str
    exponents: tuple[float, float]
    bounds: tuple[float, float] | None = None
    order: str = "leading"
    leading: float = math.nan
    band: tuple[float, float] | None = None


@dataclass(frozen=True)
class Spectrum:
    """The non-zero eigenvalues of the networks of a cell, and where theory puts the outliers and the bulk's mean.

    ``order_parameters`` are those of the same networks, as in :class:`~verify.asking.records.Trial`.
    """

    cell: Cell
    metric: Metric
    eigenvalues: tuple[NDArray[np.float64], ...]
    outliers: tuple[float, ...]
    bulk: float
    order_parameters: tuple[OrderParameters | None, ...] = ()


@dataclass(frozen=True)
class Pair:
    """A cell and a metric with what `predict` said (``None``: it refused, ``remarks`` says why) and the samples.

    ``prediction`` is of the given ``order``, ``leading`` that of leading order. ``order_parameters`` belong to the
    networks of the ``samples``.
    """

    cell: Cell
    metric: Metric
    prediction: Any
    remarks: str
    samples: tuple[Sample, ...]
    order_parameters: tuple[OrderParameters | None, ...]
    order: str
    leading: Any

    @property
    def outliers(self) -> NDArray[np.float64]:
        """The predicted outliers, descending; empty where the theory has none, NaNs where it is void. Those that theory
        says have merged with the bulk (NaN behind the others) are left out."""
        return _outliers(self.prediction)

    def predicted(self, statistic: str) -> float:
        """The predicted statistic; NaN where it is void."""
        return _statistic(self.prediction, statistic)

    def band(self, statistic: str) -> tuple[float, float] | None:
        """Where the refined theory expects the statistic of ``LEVEL`` of all networks; ``None`` where it is void."""
        law = getattr(self.prediction, "networks", None)
        if self.order != "refined" or law is None or not math.isfinite(self.predicted(statistic)):
            return None
        values = law[statistic] if statistic != "outliers" else np.mean(law["outliers"][..., : self.outliers.size], -1)
        low, high = central(values, LEVEL)
        return float(low), float(high)

    def bounds(self, statistic: str) -> tuple[float, float] | None:
        """The bounds of the largest eigenvalue; ``None`` for another statistic or without any."""
        found = getattr(self.prediction, "bounds", None)
        return None if found is None or statistic != "largest" else (float(found[0]), float(found[1]))

    def exponents(self, statistic: str) -> tuple[float, float]:
        """The asymptotic exponents in M and in N."""
        known = getattr(self.prediction, "exponents", None) or {}
        in_width, in_samples = known.get("largest" if statistic == "outliers" else statistic, (math.nan, math.nan))
        return float(in_width), float(in_samples)


def pair(cells: Iterable[Cell], trials: Iterable[Trial], theory: str) -> tuple[Pair, ...]:
    """Each cell and metric with its prediction ("leading" or "refined") and its samples, failed trials left out."""
    samples: defaultdict[tuple[str, str], list[tuple[Sample, OrderParameters | None]]] = defaultdict(list)
    for trial in sorted(trials, key=lambda t: t.index):  # sums must not depend on who finished first
        if trial.status == "done":
            for label, sample in trial.samples.items():
                samples[trial.cell, label].append((sample, trial.order_parameters))
    return tuple(
        _pair(cell, metric, samples[cell.key, metric.label], theory) for cell in cells for metric in cell.metrics
    )


def observations(pairs: Iterable[Pair]) -> tuple[Observation, ...]:
    """Every statistic that the theory speaks of and that was measured."""
    return tuple(o for p in pairs for s in STATISTICS for o in _observe(p, s))


def spectra(pairs: Iterable[Pair]) -> tuple[Spectrum, ...]:
    """The stored spectra, where there are any."""
    found = []
    for p in pairs:
        stored = [
            (s.eigenvalues, own)
            for s, own in zip(p.samples, p.order_parameters, strict=True)
            if s.eigenvalues is not None
        ]
        if stored:
            eigenvalues, order_parameters = zip(*stored, strict=True)
            outliers = tuple(float(x) for x in p.outliers)
            found.append(Spectrum(p.cell, p.metric, eigenvalues, outliers, _bulk(p), order_parameters))
    return tuple(found)


def _pair(cell: Cell, metric: Metric, found: Iterable[tuple[Sample, OrderParameters | None]], theory: str) -> Pair:
    samples, own = tuple(s for s, _ in found), tuple(layers for _, layers in found)
    leading, remarks = _ask(cell, metric, "leading")
    refined, refined_remarks = _ask(cell, metric, theory) if theory != "leading" else (None, "")
    if refined is None:
        return Pair(cell, metric, leading, remarks, samples, own, "leading", leading)
    return Pair(cell, metric, refined, refined_remarks, samples, own, theory, leading)


def _outliers(prediction: Any) -> NDArray[np.float64]:
    values = np.atleast_1d(np.asarray(getattr(prediction, "outliers", ()), float))
    return values[np.isfinite(values)] if np.isfinite(values).any() else values


def _statistic(prediction: Any, statistic: str) -> float:
    validity = getattr(prediction, "validity", None)
    if validity is not None and not validity.moments and statistic in ("mean", "second_moment"):
        return math.nan
    if statistic == "outliers":
        values = _outliers(prediction)
        return float(np.mean(values)) if values.size else math.nan
    return float(getattr(prediction, statistic, math.nan))


def widest(found: Iterable[T], place: Callable[[T], tuple[Cell, Hashable]]) -> list[T]:
    """Of those with the same mark the one at the largest width (and there at the most samples).

    ``place`` gives the cell and the mark of one; the marks stay in the order in which they first come.
    """
    best: dict[Hashable, T] = {}
    for one in found:
        cell, mark = place(one)
        known = best.setdefault(mark, one)
        if (cell.width, cell.samples) > (place(known)[0].width, place(known)[0].samples):
            best[mark] = one
    return list(best.values())


def _ask(cell: Cell, metric: Metric, order: str) -> tuple[Any, str]:
    from meanfield.prediction.asking import predict

    try:
        prediction = predict(cell.network, metric, width=cell.width, samples=cell.samples, order=order)
    except ValueError as refusal:
        return None, str(refusal)
    return prediction, "; ".join(prediction.warnings)


def _observe(pair: Pair, statistic: str) -> Iterable[Observation]:
    if statistic == "outliers" and pair.outliers.size < 2:
        return
    read = _reader(statistic, pair.outliers.size)
    values = np.array([read(s) for s in pair.samples], float)
    if values.size and not np.isfinite(values).any():
        return  # the sweep asked for less: spectrum = "moments" has no eigenvalues
    predicted = pair.predicted(statistic)
    reason = "" if math.isfinite(predicted) and predicted != 0 else pair.remarks or f"theory gives {predicted:g}"
    yield Observation(
        pair.cell, pair.metric, statistic, predicted, values, reason, pair.exponents(statistic), pair.bounds(statistic),
        pair.order, _statistic(pair.leading, statistic), pair.band(statistic),
    )  # fmt: skip


def _reader(statistic: str, outliers: int) -> Callable[[Sample], float]:
    if statistic != "outliers":
        return lambda sample: float(getattr(sample, statistic))
    return lambda s: float(np.mean(s.outliers[:outliers])) if len(s.outliers) >= outliers else math.nan


def _bulk(pair: Pair) -> float:
    return math.nan if pair.prediction is None else float(pair.prediction.bulk[0])
