"""The order parameters of real networks beside theory's, layer by layer: where a disagreement of the spectra begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.spec import OrderParameters
from verify.asking.records import Cell, Trial
from verify.judging.inference import Estimate, mean_of
from verify.judging.pairing import widest

__all__ = ["Layers", "layers"]


@dataclass(frozen=True)
class Layers:
    """The order parameters of one cell by name: theory's for M → ∞, and the means over networks.

    The arrays of ``predicted`` and the tuples of ``measured`` run over ``numbers(name)``.
    """

    cell: Cell
    predicted: Mapping[str, NDArray[np.float64]]
    measured: Mapping[str, tuple[Estimate, ...]]

    def numbers(self, name: str) -> range:
        """The layers of a quantity: 0..L-1 for the activations ``forward`` and ``forward_st``, 1..L for the others."""
        first = 0 if name.startswith("forward") else 1
        return range(first, first + self.cell.network.depth)


def layers(cells: Iterable[Cell], trials: Iterable[Trial]) -> tuple[Layers, ...]:
    """The widest cell of each network law that has measured order parameters of inputs drawn with the networks."""
    by_cell: dict[str, list[Trial]] = {}
    for trial in sorted(trials, key=lambda t: t.index):
        if trial.status == "done" and trial.order_parameters is not None:
            by_cell.setdefault(trial.cell, []).append(trial)
    known = widest(
        (cell for cell in cells if cell.key in by_cell and cell.inputs is None),
        lambda cell: (cell, cell.network.digest),
    )
    return tuple(_layers(cell, by_cell[cell.key]) for cell in known)


def _layers(cell: Cell, trials: list[Trial]) -> Layers:
    from meanfield.propagation.recursion import order_parameters

    theory, own = order_parameters(cell.network), [t.order_parameters for t in trials]

    def over_networks(name: str) -> tuple[Estimate, ...]:
        values = np.array([getattr(parameters, name) for parameters in own])  # networks, layers
        return tuple(mean_of(of_layer) for of_layer in values.T)

    names = OrderParameters.NAMES
    predicted = {name: getattr(theory, name) for name in names}
    return Layers(cell=cell, predicted=predicted, measured={name: over_networks(name) for name in names})
