"""Which samples make a block, how many blocks' parts are kept, and what that takes. Told before memory is taken.

A block of the kernel is a product of the parts of its row samples and of its column samples. Parts that aren't kept are
made again when they are needed next, so what is kept decides about speed alone; the block size decides about rounding,
and so belongs to a file that is begun.

The blocks are taken row by row, each row from where the last one ended, so that parts used last are used next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from empirical.dual.plan import TooLarge, gibibytes
from empirical.kernels.source import Source

__all__ = ["KernelPlan", "choose", "diagonal_bytes", "pairs_of_blocks"]

BLOCK = 1024
"""Rows of a block's products: BLAS is at full speed, and a block is a small part of the whole."""
LARGER = 4
"""So many times more where not all parts can be kept."""


@dataclass(frozen=True)
class KernelPlan:
    """What a kernel takes.

    Attributes
    ----------
    shape, dtype
        Its own.
    rows
        Samples in a block.
    blocks
        How many blocks it is made of.
    kept
        The parts of so many blocks of samples are held at once.
    bytes
        The most memory, with the kernel itself if it isn't written to a file.
    stored
        Bytes of the kernel.
    """

    shape: tuple[int, ...]
    dtype: str
    rows: int
    blocks: int
    kept: int
    bytes: int
    stored: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "shape": list(self.shape)}

    def __str__(self) -> str:
        return (
            f"kernel {' × '.join(map(str, self.shape))}, {self.dtype}: {gibibytes(self.stored)} in {self.blocks} "
            f"blocks of {self.rows} samples, at most {gibibytes(self.bytes)} of memory"
        )


def choose(source: Source, budget: int, in_memory: bool, rows: int | None = None) -> KernelPlan:
    """Blocks that fit into ``budget`` bytes, of ``rows`` samples if that is settled.

    All parts are kept if they fit. Else blocks are larger, so that fewer parts are made again, and where not even the
    usual ones fit, smaller.

    Raises
    ------
    empirical.dual.plan.TooLarge (a ValueError)
        If none fits; with the bytes that the smallest take.
    """
    most = max(_counts(source))
    usual = min(most, max(1, BLOCK // (source.outputs if source.layout.is_full else 1)))
    if rows is not None:
        sizes = [min(rows, most)]
    elif (plan := _plan(source, usual, budget, in_memory)).bytes <= budget and plan.kept == _parts(source, usual):
        return plan
    else:
        sizes = _sizes(min(most, LARGER * usual))
    options = [_plan(source, size, budget, in_memory) for size in sizes]
    for plan in options:
        if plan.bytes <= budget:
            return plan
    raise TooLarge(
        f"memory: expected a kernel that fits into {gibibytes(budget)}, got {' × '.join(map(str, source.shape))} "
        f"in blocks of {options[-1].rows} samples, which needs {gibibytes(options[-1].bytes)}"
    )


def pairs_of_blocks(source: Source, rows: int) -> Iterator[tuple[slice, slice]]:
    """The samples of each block, in order; below the diagonal where the kernel is symmetric."""
    count, others = _counts(source)
    left, right = _slices(count, rows), _slices(others, rows)
    for i, part in enumerate(left):
        row = right[: i + 1] if source.others is None else right
        yield from ((part, other) for other in (row if i % 2 == 0 else reversed(row)))


def diagonal_bytes(source: Source, rows: int) -> int:
    """What the diagonal of so many samples at once takes."""
    return source.resident() + source.backend.dtype_bytes * sum(source.numbers(rows))


def _sizes(largest: int) -> list[int]:
    """Block sizes from the largest, each about half of the one before."""
    sizes = [largest]
    while sizes[-1] > 1:
        sizes.append(-(-sizes[-1] // 2))
    return sizes


def _plan(source: Source, rows: int, budget: int, in_memory: bool) -> KernelPlan:
    """With as many parts kept as fit, two at least: those of a block's rows and columns."""
    count, others = _counts(source)
    size, columns = min(rows, count), min(rows, others)
    held, making = source.numbers(max(size, columns))
    itemsize = source.backend.dtype_bytes
    entries, block = _entries(source, count, others), _entries(source, size, columns)
    stored = itemsize * entries
    # Four of the block's size on the device (block, product, overlap, a slab), two in float64 where it is handed over.
    base = source.resident() + itemsize * making + (4 * itemsize + 16) * block + stored * in_memory
    parts = _parts(source, rows)
    fit = (budget - base) // max(1, itemsize * held) - 1  # a new one is made before the oldest is let go
    kept = min(parts, max(2, fit))
    left, right = -(-count // rows), -(-others // rows)
    blocks = left * (left + 1) // 2 if source.others is None else left * right
    needed = base + itemsize * held * min(parts, kept + 1)
    return KernelPlan(source.shape, source.backend.precision, rows, blocks, kept, int(needed), stored)


def _counts(source: Source) -> tuple[int, int]:
    """N and N'."""
    return len(source.samples), len(source.samples if source.others is None else source.others)


def _entries(source: Source, rows: int, columns: int) -> int:
    total = 1
    for size in source.layout.shape(source.outputs, rows, columns):
        total *= size
    return total


def _parts(source: Source, rows: int) -> int:
    """How many blocks of samples there are."""
    count, others = _counts(source)
    return -(-count // rows) + (0 if source.others is None else -(-others // rows))


def _slices(count: int, step: int) -> list[slice]:
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]
