"""Outliers one by one, where theory tells them apart.

To leading order the C outliers of the squared error are equal, and only their mean can be compared: on a real network
they repel each other. The refined theory knows that and tells them apart. With cross-entropy each has a value of its
own to either order, where Theorem 3.3 has two bounds on the largest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from meanfield.spec import Metric
from verify.asking.records import Cell
from verify.judging.inference import Estimate, mean_of_statistic
from verify.judging.pairing import Pair, widest

__all__ = ["Ranks", "ranks"]


@dataclass(frozen=True)
class Ranks:
    """The outliers of one metric at one cell, descending: predicted, and their means over networks by rank.

    ``bounds``: those of Theorem 3.3 on the first.
    """

    cell: Cell
    metric: Metric
    predicted: tuple[float, ...]
    measured: tuple[Estimate, ...]
    bounds: tuple[float, float] | None


def ranks(pairs: Iterable[Pair]) -> tuple[Ranks, ...]:
    """The widest cell of each law and metric with outliers that differ."""
    found = (_ranks(p) for p in pairs if p.outliers.size > 1 and np.ptp(p.outliers) > 0)
    told = (r for r in found if r.measured)
    return tuple(widest(told, lambda r: (r.cell, (r.cell.law.digest, r.metric))))


def _ranks(pair: Pair) -> Ranks:
    count = pair.outliers.size
    values = np.array([s.outliers[:count] for s in pair.samples if len(s.outliers) >= count])
    measured = tuple(mean_of_statistic(column) for column in values.T) if values.size else ()
    predicted = tuple(float(x) for x in pair.outliers)
    return Ranks(
        cell=pair.cell, metric=pair.metric, predicted=predicted, measured=measured, bounds=pair.bounds("largest")
    )
