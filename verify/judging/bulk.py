"""Whole spectra beside the predicted law of the bulk, where the sweep stored spectra and there is such a law."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from meanfield.spec import Metric, OrderParameters
from verify.asking.records import Cell
from verify.judging.inference import Estimate, mean_of
from verify.judging.spectra import StoredSpectra

if TYPE_CHECKING:
    from meanfield.bulk.law import SpectralDensity

__all__ = ["Bulk", "Distances", "bulks"]

OWN = 100
"""Laws of single networks that a report is worth, over all its cells: each takes as long as that of a cell."""


@dataclass(frozen=True)
class Distances:
    """Kolmogorov-Smirnov distances of one network's bulk from the law, and where that bulk ends.

    ``raw``: as it is. ``normalised``: scaled to the law's mean, so without the network's own fluctuation of order 1/√M.
    ``own``: from the law with the network's own order parameters (NaN where they are not stored, or not asked for).
    """

    raw: float
    normalised: float
    own: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Bulk:
    """The law of one metric's whole spectrum at one cell (``None``: refused or not found, ``reason`` says why), and
    each network's distances from it."""

    cell: Cell
    metric: Metric
    law: SpectralDensity | None
    reason: str
    networks: tuple[Distances, ...]

    def mean(self, name: str) -> Estimate:
        """The mean over networks of one of the distances or ends, those that are NaN left out."""
        values = [getattr(d, name) for d in self.networks]
        return mean_of([v for v in values if not math.isnan(v)])


def bulks(spectra: Iterable[StoredSpectra]) -> tuple[Bulk, ...]:
    """The law of each cell's and metric's spectrum, and the distances of the networks.

    The distance from its own law is found for the first networks of each cell, as many as make ``OWN`` altogether, but
    at least for one.
    """
    spectra = tuple(spectra)
    own = max(1, OWN // max(1, len(spectra)))
    return tuple(_bulk(s, own) for s in spectra)


def _bulk(stored: StoredSpectra, own: int) -> Bulk:
    try:
        law = _law(stored.cell, stored.metric)
        networks = tuple(
            _distances(law, eigenvalues, _own(stored, i) if i < own else math.nan)
            for i, eigenvalues in enumerate(stored.eigenvalues)
        )
    except (ValueError, ArithmeticError) as refusal:
        return Bulk(cell=stored.cell, metric=stored.metric, law=None, reason=str(refusal), networks=())
    return Bulk(cell=stored.cell, metric=stored.metric, law=law, reason="; ".join(law.warnings), networks=networks)


def _law(cell: Cell, metric: Metric, kernels: OrderParameters | None = None) -> SpectralDensity:
    from meanfield.bulk.whole import spectrum

    law = spectrum(cell.network, metric, width=cell.width, samples=cell.samples, kernels=kernels)
    if law.status != "ok":
        raise ArithmeticError(f"law of the bulk: {law.status}")
    return law


def _distances(law: SpectralDensity, eigenvalues: NDArray[np.float64], own: float) -> Distances:
    bulk = eigenvalues[len(law.outliers.values) :]
    return Distances(
        raw=law.distance(eigenvalues),
        normalised=law.distance(eigenvalues, normalised=True),
        own=own,
        lower=float(bulk[-1]) if bulk.size else math.nan,
        upper=float(bulk[0]) if bulk.size else math.nan,
    )


def _own(stored: StoredSpectra, index: int) -> float:
    own = stored.order_parameters[index]
    if own is None:
        return math.nan
    return _law(stored.cell, stored.metric, own).distance(stored.eigenvalues[index])
