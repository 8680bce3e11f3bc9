"""Given inputs in a store: each once, by the hash of its bytes, so that a report needs no file and no library of data.

The table is made where a sweep has given inputs: a store without is as it always was.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable

import numpy as np

from verify.asking.inputs import Floats
from verify.asking.records import Cell

__all__ = ["read_inputs", "write_inputs"]

_TABLE = """
CREATE TABLE IF NOT EXISTS inputs (
    digest TEXT PRIMARY KEY, samples INTEGER NOT NULL, features INTEGER NOT NULL, numbers BLOB NOT NULL
)
"""


def write_inputs(connection: sqlite3.Connection, cells: Iterable[Cell]) -> None:
    """Put the inputs of all cells in that are not there."""
    given = {cell.inputs.digest: cell.inputs.array for cell in cells if cell.inputs is not None}
    if given:
        connection.execute(_TABLE)
    rows = [(digest, *x.shape, np.ascontiguousarray(x, "<f8").tobytes()) for digest, x in given.items()]
    connection.executemany("INSERT OR IGNORE INTO inputs VALUES (?, ?, ?, ?)", rows) if rows else None


def read_inputs(connection: sqlite3.Connection) -> dict[str, Floats]:
    """The inputs (N, d) by their hash; none where the store has no such table.

    Raises
    ------
    ValueError
        If the bytes don't have their hash: the file is damaged.
    """
    if not connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'inputs'").fetchone()[0]:
        return {}
    found = {}
    for digest, samples, features, numbers in connection.execute("SELECT * FROM inputs"):
        if hashlib.sha256(numbers).hexdigest() != digest:
            raise ValueError(f"inputs of the hash {digest:.12} have another one")
        found[digest] = np.frombuffer(numbers, "<f8").reshape(samples, features)
    return found
