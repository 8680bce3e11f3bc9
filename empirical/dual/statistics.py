"""A metric's statistics: from a dual matrix, or from its power sums and largest eigenpairs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from empirical.backends.base import Array
from empirical.dual import eigen
from empirical.dual.lanczos import RitzPairs
from empirical.dual.projection import Projection
from empirical.record import Extent, Statistics
from meanfield.spec import LOSSES, Metric

__all__ = ["PowerSums", "Scope", "from_dual", "outlier_count", "statistics"]


@dataclass(frozen=True)
class Scope:
    """What is asked about each metric's spectrum."""

    spectrum: Extent
    vectors: bool


@dataclass(frozen=True)
class PowerSums:
    """Σλ and Σλ² with their standard errors, and the floor below which λ is zero."""

    total: float
    squares: float
    floor: float
    total_error: float = 0.0
    squares_error: float = 0.0

    @property
    def scale(self) -> float:
        """What Σλ² is checked against: itself, or floor² of a metric that is zero but for rounding."""
        return max(self.squares, self.floor**2)


def outlier_count(metric: Metric, outputs: int) -> int:
    """How many of the largest eigenvalues count as outliers: one for each output the loss sees, none if centred."""
    return 0 if metric.centered else outputs - LOSSES[metric.loss].unseen


def from_dual(
    projection: Projection, bare: Array, trace: Array, dimension: int, scope: Scope
) -> tuple[Statistics, RitzPairs | None]:
    """A metric's statistics, and its dual's largest eigenpairs, from the dual (C, N, C, N) of the bare outputs.

    ``bare`` is overwritten; ``trace`` is its trace, found by another way.

    Raises
    ------
    ArithmeticError
        If the dual isn't finite, or a result fails a check.
    """
    metric, backend, outputs = projection.metric, projection.backend, bare.shape[0]
    size = outputs * bare.shape[1]
    total, squares = eigen.moments(backend.xp.reshape(bare, (size, size)), backend)
    expected = float(backend.host(trace))
    eigen.check_close("trace of the dual matrix", total, expected, expected, size, backend.precision)
    floor = eigen.floor(size, squares, backend.precision)
    matrix = backend.xp.reshape(projection.dual(bare), (size, size))
    sums = PowerSums(*eigen.moments(matrix, backend), floor)
    if scope.spectrum == "moments":
        return statistics(metric, dimension, sums), None
    values = _full(matrix, sums, projection) if scope.spectrum == "full" else None
    count = min(outlier_count(metric, outputs) + 1, size)
    if values is None or scope.vectors:
        pairs = eigen.top(matrix, count, scope.vectors, floor, backend)
    else:
        pairs = RitzPairs(values[:count], matrix[:, :0], np.zeros(1))
    eigen.check_part(
        "sum of squared eigenvalues", float(pairs.values @ pairs.values), sums.scale, size, backend.precision
    )
    return statistics(metric, dimension, sums, pairs, outputs, values), pairs


def _full(matrix: Array, sums: PowerSums, projection: Projection) -> NDArray[np.float64]:
    """All eigenvalues, with their sums checked."""
    values, precision = eigen.spectrum(matrix, projection.backend), projection.backend.precision
    size, squares = len(values), float(values @ values)
    scale = (size * sums.scale) ** 0.5  # Σ|λ| is at most this
    eigen.check_close("sum of the eigenvalues", float(values.sum()), sums.total, scale, size, precision)
    eigen.check_close("sum of the squared eigenvalues", squares, sums.squares, sums.scale, size, precision)
    return values


def statistics(
    metric: Metric,
    dimension: int,
    sums: PowerSums,
    pairs: RitzPairs | None = None,
    outputs: int = 0,
    values: NDArray[np.float64] | None = None,
) -> Statistics:
    """The record of a metric with its P, from what is known: the ``pairs`` where extremes are, all ``values`` where the
    full spectrum is asked."""
    found = np.empty(0) if pairs is None else pairs.values
    count = min(outlier_count(metric, outputs), len(found))
    return Statistics(
        metric=metric,
        mean=sums.total / dimension,
        second_moment=sums.squares / dimension,
        mean_error=sums.total_error / dimension,
        second_moment_error=sums.squares_error / dimension,
        largest=float(found[0]) if len(found) else math.nan,
        outliers=found[:count].copy() if count > 0 else np.empty(0),
        bulk_largest=float(found[count]) if 0 <= count < len(found) else math.nan,
        eigenvalues=None if values is None else values[values > sums.floor],
        vectors=None,
        residual=math.nan if pairs is None else _relative(pairs),
        floor=sums.floor,
        dimension=dimension,
    )


def _relative(pairs: RitzPairs) -> float:
    largest = float(pairs.residuals.max())
    return largest / float(pairs.values[0]) if largest else 0.0
