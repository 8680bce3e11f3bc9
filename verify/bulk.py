"""Whole spectra beside the predicted law of the bulk, where the sweep stored spectra and there is such a law."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from meanfield.spec import Metric
from verify.inference import Estimate, mean_of
from verify.records import ORDER_PARAMETERS, Cell, Trial

if TYPE_CHECKING:
    from meanfield.refinements.bulk import SpectralDensity

__all__ = ["Bulk", "Distances", "bulks"]


@dataclass(frozen=True)
class Distances:
    """Kolmogorov-Smirnov distances of one network's bulk from the law, and where that bulk ends.

    ``raw``: as it is. ``normalised``: scaled to the law's mean, so without the network's own fluctuation of order 1/√M.
    ``own``: from the law with the network's own order parameters (NaN where they are not stored).
    """

    raw: float
    normalised: float
    own: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Bulk:
    """The law of one metric's whole spectrum at one cell (``None``: refused, ``reason`` says why), and each network's
    distances from it."""

    cell: Cell
    metric: Metric
    law: SpectralDensity | None
    reason: str
    networks: tuple[Distances, ...]

    def mean(self, name: str) -> Estimate:
        """The mean over networks of one of the distances or ends."""
        return mean_of([getattr(d, name) for d in self.networks])


def bulks(cells: Iterable[Cell], trials: Iterable[Trial]) -> tuple[Bulk, ...]:
    """One for each cell and metric with stored spectra, in the order of the sweep."""
    ordered = sorted((t for t in trials if t.status == "done"), key=lambda t: t.index)
    found = []
    for cell in cells:
        mine = [t for t in ordered if t.cell == cell.key]
        for metric in cell.metrics:
            seen = [(t, e) for t in mine if (e := _eigenvalues(t, metric)) is not None]
            if seen:
                found.append(_bulk(cell, metric, seen))
    return tuple(found)


def _eigenvalues(trial: Trial, metric: Metric) -> NDArray[np.float64] | None:
    sample = trial.samples.get(metric.label)
    return None if sample is None else sample.eigenvalues


def _bulk(cell: Cell, metric: Metric, seen: list[tuple[Trial, NDArray[np.float64]]]) -> Bulk:
    try:
        law = _law(cell, metric)
        networks = tuple(_distances(cell, metric, law, trial, values) for trial, values in seen)
    except (ValueError, ArithmeticError) as refusal:
        return Bulk(cell, metric, None, str(refusal), ())
    return Bulk(cell, metric, law, "; ".join(law.warnings), networks)


def _law(cell: Cell, metric: Metric, kernels: SimpleNamespace | None = None) -> SpectralDensity:
    from meanfield.refinements.bulk import spectrum

    return spectrum(cell.network, metric, width=cell.width, samples=cell.samples, kernels=kernels)


def _distances(
    cell: Cell, metric: Metric, law: SpectralDensity, trial: Trial, eigenvalues: NDArray[np.float64]
) -> Distances:
    own = math.nan
    if trial.order_parameters:
        measured = dict(zip(ORDER_PARAMETERS, map(np.array, trial.order_parameters), strict=True))
        own = _law(cell, metric, SimpleNamespace(**measured)).distance(eigenvalues)
    bulk = eigenvalues[len(law.outliers.values) :]
    return Distances(
        law.distance(eigenvalues), law.distance(eigenvalues, normalised=True), own,
        float(bulk[-1]) if bulk.size else math.nan, float(bulk[0]) if bulk.size else math.nan,
    )  # fmt: skip
