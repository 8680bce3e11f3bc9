"""How steep spectra are: those of given data, of the metric that theory makes of them, of the networks.

The covariance is (1/N) Σ x xᵀ, not centred, as the network sees it. The data's eigenvalues from the second have a copy
in the metric's from the third, whose first belongs to what all samples share (data_geometry §C): hence two windows.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.information.sloppy import sloppiness
from meanfield.information.theil_sen import theil_sen
from meanfield.spec import Metric
from verify.asking.inputs import Inputs
from verify.asking.records import Cell
from verify.judging.eigenvalues import Eigenvalues
from verify.judging.inference import Estimate, mean_of

__all__ = ["DATA_WINDOW", "METRIC_WINDOW", "Shape", "Slopes", "covariance_spectrum", "slopes"]

Floats = NDArray[np.float64]

DATA_WINDOW, METRIC_WINDOW = slice(1, 11), slice(2, 12)  # from 0


@dataclass(frozen=True)
class Shape:
    """What a spectrum looks like on a logarithmic axis; each NaN where there is too little of it.

    ``mid_slope``, ``decades`` and ``participation`` are those of :func:`meanfield.information.sloppiness`, and
    ``top_slope`` is the Theil–Sen slope of log10 λ_i over the window, in decades per index.
    """

    mid_slope: float
    top_slope: float
    decades: float
    participation: float

    @classmethod
    def of(cls, eigenvalues: Floats, window: slice) -> Shape:
        """Of a descending spectrum, each eigenvalue of a multiplicity once; NaNs are left out."""
        known = eigenvalues[np.isfinite(eigenvalues)]
        if not known.size:
            return cls(*(float("nan"),) * 4)
        found = sloppiness(known)
        top = np.log10(known[: found.resolved][window])
        slope = theil_sen(np.arange(len(top), dtype=float), top)
        return cls(found.mid_slope, slope, found.decades, found.participation)


@dataclass(frozen=True)
class Slopes:
    """The shapes of one metric at one cell with given inputs: of the data, predicted, and of each network.

    ``control`` is the same for isotropic inputs of the same N, d and mean |x|²; ``None`` for a control itself.
    """

    cell: Cell
    metric: Metric
    data: Shape
    predicted: Shape
    networks: tuple[Shape, ...]
    control: Slopes | None = None

    def measured(self, name: str) -> Estimate:
        """The mean over networks of one number of the shapes."""
        values = np.array([getattr(shape, name) for shape in self.networks])
        return mean_of(values[np.isfinite(values)])


def covariance_spectrum(inputs: Inputs) -> Floats:
    """The eigenvalues of (1/N) Σ x xᵀ, descending: min(N, d) of them."""
    return np.asarray(np.linalg.svd(inputs.array, compute_uv=False) ** 2 / len(inputs.array))


def slopes(found: Iterable[Eigenvalues]) -> tuple[Slopes, ...]:
    """A row for each cell and metric with all eigenvalues, controls left out: each stands beside its data."""
    data_shape = functools.cache(lambda inputs: Shape.of(covariance_spectrum(inputs), DATA_WINDOW))
    rows: dict[Inputs, list[Slopes]] = {}
    for one in found:
        if one.cell.inputs is not None:
            row = Slopes(
                cell=one.cell,
                metric=one.metric,
                data=data_shape(one.cell.inputs),
                predicted=Shape.of(one.predicted, METRIC_WINDOW),
                networks=tuple(Shape.of(measured, METRIC_WINDOW) for measured in one.measured),
            )
            rows.setdefault(one.cell.inputs, []).append(row)
    every = [row for of_inputs in rows.values() for row in of_inputs]
    controls = {_place(row): row for row in every if row.cell.inputs and row.cell.inputs.control}
    return tuple(_beside(row, controls) for row in every if row.cell.inputs and not row.cell.inputs.control)


def _beside(row: Slopes, controls: Mapping[object, Slopes]) -> Slopes:
    return Slopes(row.cell, row.metric, row.data, row.predicted, row.networks, controls.get(_place(row)))


def _place(row: Slopes) -> object:
    """What data have in common with their control."""
    cell = row.cell
    return cell.network, cell.width, row.metric, cell.inputs and cell.inputs.twins
