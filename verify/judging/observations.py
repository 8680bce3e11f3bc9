"""What is judged: for each cell, metric and statistic one predicted number and one value per network."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.spec import Metric
from verify.asking.records import Cell, Sample
from verify.judging.inference import UNKNOWN, Estimate, mean_of_statistic
from verify.judging.pairing import STATISTICS, Pair

__all__ = ["Observation", "observations"]


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

    @property
    def measured(self) -> Estimate:
        """The mean over networks."""
        return mean_of_statistic(self.values)

    @property
    def ratio(self) -> Estimate:
        """Measured / predicted; NaNs where the prediction is void."""
        return UNKNOWN if self.reason else self.measured.scaled(1 / self.predicted)

    @property
    def key(self) -> tuple[Cell, Metric, str]:
        """What it is of: there is one of each in a comparison."""
        return self.cell, self.metric, self.statistic


def observations(pairs: Iterable[Pair]) -> tuple[Observation, ...]:
    """Every statistic that the theory speaks of and that was measured."""
    return tuple(o for p in pairs for s in STATISTICS for o in _observe(p, s))


def _observe(pair: Pair, statistic: str) -> Iterable[Observation]:
    if statistic == "outliers" and pair.outliers.size < 2:
        return
    read = _reader(statistic, pair.outliers.size)
    values = np.array([read(s) for s in pair.samples], float)
    if values.size and not np.isfinite(values).any():
        return  # the sweep asked for less: spectrum = "moments" has no eigenvalues
    predicted = pair.predicted(statistic)
    yield Observation(
        cell=pair.cell,
        metric=pair.metric,
        statistic=statistic,
        predicted=predicted,
        values=values,
        reason="" if math.isfinite(predicted) and predicted != 0 else pair.remarks or f"theory gives {predicted:g}",
        exponents=pair.exponents(statistic),
        bounds=pair.bounds(statistic),
        order=pair.order,
        leading=pair.predicted_to_leading_order(statistic),
        band=pair.band(statistic),
    )


def _reader(statistic: str, outliers: int) -> Callable[[Sample], float]:
    if statistic != "outliers":
        return lambda sample: float(getattr(sample, statistic))
    return lambda s: float(np.mean(s.outliers[:outliers])) if len(s.outliers) >= outliers else math.nan
