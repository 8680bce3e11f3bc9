"""The order parameters of real networks beside theory's, layer by layer: where a disagreement of the spectra begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verify.asking.records import ORDER_PARAMETERS, Cell, Trial
from verify.judging.inference import Estimate, mean_of
from verify.judging.pairing import widest

__all__ = ["Layers", "layers"]


@dataclass(frozen=True)
class Layers:
    """The order parameters of one cell by name (``ORDER_PARAMETERS``): theory's for M → ∞, and the means over networks.

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
    """The widest cell of each network law that has measured order parameters."""
    by_cell: dict[str, list[Trial]] = {}
    for trial in sorted(trials, key=lambda t: t.index):
        if trial.status == "done" and trial.order_parameters:
            by_cell.setdefault(trial.cell, []).append(trial)
    known = widest((cell for cell in cells if cell.key in by_cell), lambda cell: (cell, cell.network.digest))
    return tuple(_layers(cell, by_cell[cell.key]) for cell in known)


def _layers(cell: Cell, trials: list[Trial]) -> Layers:
    from meanfield.propagation.recursion import order_parameters

    theory = order_parameters(cell.network)
    measured = np.array([trial.order_parameters for trial in trials])  # networks, quantities, layers
    return Layers(
        cell,
        {name: getattr(theory, name) for name in ORDER_PARAMETERS},
        {
            name: tuple(mean_of(values) for values in measured[:, row].T)
            for row, name in enumerate(ORDER_PARAMETERS)
        },
    )  # fmt: skip
