"""A trial and its samples as rows of the store's tables, and back: arrays are blobs of ``<f8``, NaN is NULL."""

from __future__ import annotations

import json
import math
import sqlite3
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from meanfield.spec import OrderParameters
from verify.asking.records import Sample, Trial

__all__ = ["read_layers", "read_sample", "write_trial"]


def write_trial(connection: sqlite3.Connection, question: str, trial: Trial) -> None:
    """Put a trial in, in place of one with the same number."""
    key = (question, trial.index)
    text = json.dumps(dict(trial.provenance), sort_keys=True)
    connection.execute("INSERT OR IGNORE INTO provenance (json) VALUES (?)", (text,))
    (source,) = connection.execute("SELECT id FROM provenance WHERE json = ?", (text,)).fetchone()
    row = (*key, trial.cell, trial.status, trial.reason, trial.seconds, source, _layers_blob(trial.order_parameters))
    connection.execute("INSERT OR REPLACE INTO trial VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    connection.execute("DELETE FROM sample WHERE question = ? AND number = ?", key)
    rows = [(*key, metric, *_columns(sample)) for metric, sample in trial.samples.items()]
    connection.executemany("INSERT INTO sample VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def _columns(sample: Sample) -> tuple[Any, ...]:
    numbers = (sample.mean, sample.second_moment, sample.largest)
    eigenvalues = None if sample.eigenvalues is None else _blob(sample.eigenvalues)
    return (*numbers, _blob(sample.outliers), sample.dimension, eigenvalues)


def read_sample(
    mean: float | None, second_moment: float | None, largest: float | None, outliers: bytes, dimension: int,
    eigenvalues: bytes | None,
) -> Sample:  # fmt: skip
    """The sample of these columns."""
    return Sample(
        mean=_number(mean),
        second_moment=_number(second_moment),
        largest=_number(largest),
        outliers=tuple(np.frombuffer(outliers, "<f8").tolist()),
        dimension=int(dimension),
        eigenvalues=None if eigenvalues is None else np.frombuffer(eigenvalues, "<f8"),
    )


def _layers_blob(parameters: OrderParameters | None) -> bytes:
    """One row for each of ``OrderParameters.NAMES``, one number a layer; nothing where none were measured."""
    return b"" if parameters is None else _blob(list(parameters.to_dict().values()))


def read_layers(stored: bytes) -> OrderParameters | None:
    """The order parameters of a blob; ``None`` where none were measured."""
    rows = np.frombuffer(stored, "<f8").reshape(len(OrderParameters.NAMES), -1)
    return OrderParameters.of(dict(zip(OrderParameters.NAMES, rows, strict=True))) if rows.size else None


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _blob(values: ArrayLike) -> bytes:
    return np.ascontiguousarray(values, dtype="<f8").tobytes()
