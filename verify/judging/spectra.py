"""The spectra that a sweep stored, and where theory puts their outliers and the mean of the rest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.spec import Metric, OrderParameters
from verify.asking.records import Cell
from verify.judging.pairing import Pair

__all__ = ["StoredSpectra", "stored_spectra"]


@dataclass(frozen=True)
class StoredSpectra:
    """The non-zero eigenvalues of the networks of a cell, and where theory puts the outliers and the bulk's mean.

    ``order_parameters`` are those of the same networks, as in :class:`~verify.asking.records.Trial`.
    """

    cell: Cell
    metric: Metric
    eigenvalues: tuple[NDArray[np.float64], ...]
    outliers: tuple[float, ...]
    bulk: float
    order_parameters: tuple[OrderParameters | None, ...] = ()


def stored_spectra(pairs: Iterable[Pair]) -> tuple[StoredSpectra, ...]:
    """Those of each cell and metric whose inputs are drawn with the networks, where there are any. Given inputs have no
    two-part spectrum of outliers and bulk: :mod:`verify.judging.eigenvalues`."""
    return tuple(found for p in pairs if p.cell.inputs is None and (found := _stored(p)).eigenvalues)


def _stored(pair: Pair) -> StoredSpectra:
    known = [
        (sample.eigenvalues, own)
        for sample, own in zip(pair.samples, pair.order_parameters, strict=True)
        if sample.eigenvalues is not None
    ]
    return StoredSpectra(
        cell=pair.cell,
        metric=pair.metric,
        eigenvalues=tuple(eigenvalues for eigenvalues, _ in known),
        outliers=tuple(float(x) for x in pair.outliers),
        bulk=pair.bulk,
        order_parameters=tuple(own for _, own in known),
    )
