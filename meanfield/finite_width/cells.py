"""One cell (layer widths, samples) after the other: what each theory of finite width finds there, then stacked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from meanfield.kernels.setting import Setting

__all__ = ["Numbers", "found_in_cells", "stacked", "stacked_numbers"]

Floats = NDArray[np.float64]
T = TypeVar("T")


class Numbers(NamedTuple):
    """What the verdict is about, of one cell or as arrays over cells (:mod:`meanfield.finite_width.validity`).

    ``error`` is the largest relative numerical error of a hidden layer's moments.
    """

    edge: Floats | float
    crowding: Floats | float
    expansion: Floats | float
    error: Floats | float


def found_in_cells(setting: Setting, find: Callable[[Setting], T]) -> list[T]:
    """``find`` in each cell, in C order. Raises ``ValueError`` for a network that is not fully connected."""
    setting.network.check_dense("the refined order")
    return [find(cell) for cell in setting.cells()]


def stacked(values: Sequence[Floats | float], setting: Setting, axis: int = 0) -> Floats:
    """One array of the cells' values, whose axes of cells begin at ``axis``."""
    array = np.stack([np.asarray(x) for x in values], axis=axis)
    return array.reshape((*array.shape[:axis], *setting.samples.shape, *array.shape[axis + 1 :]))


def stacked_numbers(numbers: Sequence[Numbers], setting: Setting) -> Numbers:
    """Those of each cell as arrays."""
    return Numbers(*(stacked(column, setting) for column in zip(*numbers, strict=True)))
