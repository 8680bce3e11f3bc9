"""Theory beside measurement: for each cell and metric what `predict` says and the samples of the networks.

Asked for the refined theory, a pair has it wherever there is one; where `predict` refuses it the leading order stands
in, and ``order`` says which of them it is. What the refined theory says of itself that it doesn't hold is void, and so
is all that it says of a metric with another dimension P than the measured one: P is exact.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from meanfield.prediction.intervals import central
from meanfield.spec import Metric, OrderParameters
from verify.asking.records import Cell, Sample, Trial

if TYPE_CHECKING:
    from meanfield.prediction.answer import Prediction

__all__ = ["LEVEL", "STATISTICS", "Pair", "pair", "widest"]

T = TypeVar("T")

STATISTICS = ("mean", "second_moment", "largest", "outliers")
"""``outliers`` is the mean of the outliers of one network. Leading order predicts C equal ones; on a real network they
repel each other, which lifts the largest by a relative order 1/√M and leaves their mean within 1/M."""

LEVEL = 0.95  # of the band in which the refined theory predicts one network


@dataclass(frozen=True)
class Pair:
    """A cell and a metric with what `predict` said (``None``: it refused, ``remarks`` says why) and the samples.

    ``prediction`` is of the given ``order``, ``leading`` that of leading order. ``order_parameters`` belong to the
    networks of the ``samples``.
    """

    cell: Cell
    metric: Metric
    prediction: Prediction | None
    remarks: str
    samples: tuple[Sample, ...]
    order_parameters: tuple[OrderParameters | None, ...]
    order: str
    leading: Prediction | None

    @property
    def outliers(self) -> NDArray[np.float64]:
        """The predicted outliers, descending; empty where the theory has none, NaNs where it is void. Those that theory
        says have merged with the bulk (NaN behind the others) are left out."""
        return _outliers(self.prediction)

    @property
    def bulk(self) -> float:
        """The predicted mean of the non-zero eigenvalues that are no outliers; NaN where it is void."""
        return math.nan if self.prediction is None else float(self.prediction.bulk[0])

    def predicted(self, statistic: str) -> float:
        """The predicted statistic; NaN where it is void."""
        return _statistic(self.prediction, statistic)

    def predicted_to_leading_order(self, statistic: str) -> float:
        """The same to leading order, whatever ``order`` is."""
        return _statistic(self.leading, statistic)

    def band(self, statistic: str) -> tuple[float, float] | None:
        """Where the refined theory expects the statistic of ``LEVEL`` of all networks; ``None`` where it is void."""
        law = None if self.prediction is None else self.prediction.networks
        if self.order != "refined" or law is None or not math.isfinite(self.predicted(statistic)):
            return None
        values = law[statistic] if statistic != "outliers" else np.mean(law["outliers"][..., : self.outliers.size], -1)
        low, high = central(values, LEVEL)
        return float(low), float(high)

    def bounds(self, statistic: str) -> tuple[float, float] | None:
        """The bounds of the largest eigenvalue; ``None`` for another statistic or without any."""
        found = None if self.prediction is None else self.prediction.bounds
        return None if found is None or statistic != "largest" else (float(found[0]), float(found[1]))

    def exponents(self, statistic: str) -> tuple[float, float]:
        """The asymptotic exponents in M and in N."""
        known = {} if self.prediction is None else self.prediction.exponents
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


def _pair(cell: Cell, metric: Metric, found: Sequence[tuple[Sample, OrderParameters | None]], theory: str) -> Pair:
    leading, remarks = _ask(cell, metric, "leading")
    prediction, order = leading, "leading"
    if theory != "leading":
        refined, of_refined = _ask(cell, metric, theory)
        if refined is not None:
            prediction, remarks, order = refined, of_refined, theory
    samples, own = zip(*found, strict=True) if found else ((), ())
    other = "" if prediction is None else _other_dimension(prediction, samples)
    if other:
        prediction, leading, remarks = None, None, other
    return Pair(
        cell=cell,
        metric=metric,
        prediction=prediction,
        remarks=remarks,
        samples=samples,
        order_parameters=own,
        order=order,
        leading=leading,
    )


def _other_dimension(prediction: Prediction, samples: Iterable[Sample]) -> str:
    """A sentence if theory and measurement don't speak of the same metric: P is exact, whatever the width."""
    expected = int(prediction.dimension)
    other = next((sample.dimension for sample in samples if sample.dimension != expected), expected)
    return "" if other == expected else f"dimension: expected theory's P = {expected}, got {other} measured"


def _ask(cell: Cell, metric: Metric, order: str) -> tuple[Prediction | None, str]:
    """One cell at a time: `predict` refuses and warns for all widths of an array together."""
    from meanfield.prediction.asking import predict

    about = {"samples": cell.samples} if cell.inputs is None else {"inputs": cell.inputs.array}
    try:
        prediction = predict(cell.drawn, metric, width=cell.width, order=order, **about)
    except ValueError as refusal:
        return None, str(refusal)
    return prediction, "; ".join(prediction.warnings)


def _outliers(prediction: Prediction | None) -> NDArray[np.float64]:
    values = np.empty(0) if prediction is None else np.atleast_1d(np.asarray(prediction.outliers, float))
    return values[np.isfinite(values)] if np.isfinite(values).any() else values


def _statistic(prediction: Prediction | None, statistic: str) -> float:
    if prediction is None:
        return math.nan
    if prediction.validity is not None and not prediction.validity.moments and statistic in ("mean", "second_moment"):
        return math.nan
    if statistic == "outliers":
        values = _outliers(prediction)
        return float(np.mean(values)) if values.size else math.nan
    return float(getattr(prediction, statistic))
