"""Which measuring code a sweep's trials are made with, and that a store doesn't mix several.

Each cell has a hash of its own: that of the code which measures its metrics of its network on the sweep's backend.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from empirical.provenance import code_hash
from verify.asking.records import Cell
from verify.asking.sweep import Sweep
from verify.keeping.store import Store, StoreError

__all__ = ["check_codes", "check_one", "code_of", "codes_of", "sweep_code"]


def code_of(cell: Cell, backend: str) -> str:
    """The hash of the code that measures a cell."""
    return code_hash([cell.network], cell.metrics, backend)


def codes_of(sweep: Sweep) -> dict[str, str]:
    """Cell key → the hash of the code that measures it."""
    return {cell.key: code_of(cell, sweep.run.backend) for cell in sweep.cells()}


def sweep_code(cells: Iterable[Cell], backend: str) -> str:
    """One hash for the code that measures all the cells."""
    chosen = list(cells)
    return code_hash([cell.network for cell in chosen], {m for cell in chosen for m in cell.metrics}, backend)


def check_codes(store: Store, mix_code: bool, *, now: bool) -> None:
    """Raise `StoreError` if trials of the store's sweep come from two measuring codes, and that isn't wanted; with
    ``now`` this process's code counts, too.

    Cells that one code would measure (networks of the same layer types, the same kinds of metrics) are held together.
    """
    kinds = codes_of(store.sweep())
    found: dict[str, set[str]] = {}
    for cell, codes in store.codes_by_cell().items():
        found.setdefault(kinds[cell], {kinds[cell]} if now else set()).update(codes)
    for codes in found.values():
        check_one(store.path, codes, mix_code)


def check_one(path: Path, codes: Iterable[str], mix_code: bool) -> None:
    """Raise `StoreError` if the codes differ, and that isn't wanted."""
    found = sorted({code[:8] for code in codes})
    if len(found) > 1 and not mix_code:
        raise StoreError(
            f"store: expected trials of one measuring code, got {' and '.join(found)}: {path} "
            "(take another store, or allow the mix with --mix-code)"
        )
