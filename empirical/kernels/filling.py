"""Filling a kernel block by block."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from empirical.kernels.plan import KernelPlan, pairs_of_blocks
from empirical.kernels.progress import showing
from empirical.kernels.source import Part, Source, diagonal_of, product_of

__all__ = ["fill", "fill_diagonal"]


def fill(
    source: Source, plan: KernelPlan, values: NDArray[Any], done: int, commit: Callable[[int], None], show: bool
) -> None:
    """Fill in all blocks but the first ``done``; ``commit`` is told how many are there, after each.

    Raises
    ------
    ArithmeticError
        If an entry isn't finite.
    """
    pairs = list(pairs_of_blocks(source, plan.rows))
    part_of = functools.lru_cache(maxsize=plan.kept)(functools.partial(_parts, source, plan.rows))
    total, begun = _entries(pairs), _entries(pairs[:done])
    with source.working(), showing(total, begun, show, str(plan)) as progress:
        for number, (rows, columns) in enumerate(pairs[done:], done + 1):
            left = part_of(False, rows.start, rows.stop)
            right = part_of(source.others is not None, columns.start, columns.stop)
            _put(source, values, rows, columns, left, right)
            commit(number)
            progress.update(_entries([(rows, columns)]))


def fill_diagonal(source: Source, rows: int, show: bool) -> NDArray[np.float64]:
    """The kernel's diagonal, (C, N) or (1, N), so many samples at a time.

    Raises
    ------
    ArithmeticError
        If an entry isn't finite.
    """
    count = len(source.samples)
    found = []
    with source.working(), showing(count, 0, show) as progress:
        for start in range(0, count, rows):
            stop = min(start + rows, count)
            # A sample is one of one here: nothing is multiplied with another.
            made = diagonal_of(source.parts(source.samples[start:stop], 1))
            found.append(_finite(source.backend.host(made)))
            progress.update(stop - start)
    return np.concatenate(found, axis=1)


def _parts(source: Source, together: int, second: bool, start: int, stop: int) -> Sequence[Part]:
    samples = source.others if second and source.others is not None else source.samples
    return source.parts(samples[start:stop], together)


def _put(
    source: Source, values: NDArray[Any], rows: slice, columns: slice, left: Sequence[Part], right: Sequence[Part]
) -> None:
    """Compute a block, and write it with its mirror image where the kernel is symmetric."""
    made = product_of(left, right, source, rows.stop - rows.start, columns.stop - columns.start)
    block = _finite(source.backend.host(made))
    symmetric = source.others is None
    if symmetric and rows == columns:
        block = (block + source.layout.mirrored(block)) / 2  # changes nothing but what rounding has made of it
    values[source.layout.place(rows, columns)] = block
    if symmetric and rows != columns:
        values[source.layout.place(columns, rows)] = source.layout.mirrored(block)


def _finite(block: NDArray[np.float64]) -> NDArray[np.float64]:
    if not math.isfinite(float(block.sum())) and not np.isfinite(block).all():
        raise ArithmeticError("kernel: expected finite entries, got infinity or NaN; did the network overflow?")
    return block


def _entries(pairs: Sequence[tuple[slice, slice]]) -> int:
    """How many pairs of samples these blocks have."""
    return sum(math.prod(part.stop - part.start for part in pair) for pair in pairs)
