"""The store of a sweep: one SQLite file, written by the parent process alone, readable while it is written.

Each trial (or small group) is one transaction: once :meth:`Store.append` has returned, a killed process can't lose it.
Rows are keyed by `Sweep.question` and the trial's number, so a trial measured under other settings is never taken for
one of this sweep.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from verify.asking.records import Cell, Sample, Trial
from verify.asking.sweep import Sweep
from verify.keeping.given import read_inputs, write_inputs
from verify.keeping.rows import read_layers, read_sample, write_trial
from verify.keeping.schema import (
    StoreError,
    connect,
    journal,
    lock_for_writing,
    plain_errors,
    prepare,
    readable,
    transaction,
)  # fmt: skip

__all__ = ["Store", "StoreError"]


class Store:
    """An open store. `Store.create(path, sweep)` to write, `Store.open(path)` to read; a context manager.

    Every method raises `StoreError` where the file is damaged, or can't be read or written.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: sqlite3.Connection | None) -> None:
        self.path = path
        self._connection = connection
        self._lock = lock
        self._session: tuple[int, float] | None = None

    @classmethod
    def open(cls, path: str | Path) -> Store:
        """Open an existing store for reading; a run may be writing to it."""
        path = Path(path)
        return cls(path, connect(path, write=False), None)

    @classmethod
    def create(cls, path: str | Path, sweep: Sweep) -> Store:
        """Open a store for writing ``sweep``, and make it if it isn't there.

        The sweep is the store's at once in a new file, in one that has another version of it with :meth:`take` or
        :meth:`begin`: a run that is refused before its first trial changes nothing.

        Raises
        ------
        StoreError
            If the path can't be written, the file isn't a store of this schema or belongs to a sweep of another name,
            or another process is writing to it.
        """
        path = Path(path)
        connection = connect(path, write=True)
        with contextlib.ExitStack() as cleanup, plain_errors(path):
            cleanup.callback(connection.close)
            lock = lock_for_writing(path)
            cleanup.callback(lock.close)
            prepare(connection, journal(path.parent))
            _check_name(connection, path, sweep)
            new = connection.execute("INSERT OR IGNORE INTO sweep VALUES (1, ?)", (sweep.to_json(),)).rowcount
            write_inputs(connection, sweep.cells() if new else ())
            cleanup.pop_all()
        store = cls(path, connection, lock)
        store._sweep = sweep
        return store

    def close(self) -> None:
        """Close the file. A finished store is one plain file: its write-ahead log is folded in.

        The log itself is gone unless somebody has the store open.
        """
        if self._lock is not None:
            with contextlib.suppress(sqlite3.OperationalError):
                self._connection.execute("PRAGMA busy_timeout = 1000")  # for a reader in the middle of something
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self._connection.execute("PRAGMA journal_mode = DELETE")
            self._lock.close()
        self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def sweep(self) -> Sweep:
        """The sweep this store belongs to, or was opened to be written for."""
        return self._sweep

    @functools.cached_property
    def _sweep(self) -> Sweep:
        with readable(self.path), plain_errors(self.path):
            for (text,) in self._rows("SELECT json FROM sweep"):
                return Sweep.from_json(text, read_inputs(self._connection))
        raise StoreError(f"store: expected one with a sweep, got none in it yet: {self.path}")

    @functools.cached_property
    def _questions(self) -> dict[str, str]:
        """Cell key → the key of its trials here."""
        return {cell.key: self._sweep.question(cell) for cell in self._sweep.cells()}

    def durability(self) -> tuple[str, str]:
        """SQLite's journal mode and how it syncs here."""
        ((journal,),) = self._rows("PRAGMA journal_mode")
        ((level,),) = self._rows("PRAGMA synchronous")
        return journal, ("off", "normal", "full", "extra")[level]

    def take(self) -> None:
        """Make the sweep that this store was created with the one that the file has."""
        with plain_errors(self.path):
            self._connection.execute("INSERT OR REPLACE INTO sweep VALUES (1, ?)", (self._sweep.to_json(),))
            write_inputs(self._connection, self._sweep.cells())

    def begin(self, facts: Mapping[str, Any]) -> None:
        """Note that a run of the sweep starts now, with its facts (versions, host, workers)."""
        started = datetime.now(UTC).isoformat(timespec="seconds")
        row = (started, json.dumps(dict(facts), sort_keys=True))
        with plain_errors(self.path), transaction(self._connection) as connection:
            self.take()
            cursor = connection.execute("INSERT INTO session (started, seconds, facts) VALUES (?, 0, ?)", row)
        self._session = (int(cursor.lastrowid or 0), time.monotonic())

    def adopt_sessions(self, sessions: Iterable[Mapping[str, Any]]) -> None:
        """Take over the runs of another store, as :meth:`sessions` gives them."""
        rows = [
            (s["started"], s["seconds"], json.dumps({k: v for k, v in s.items() if k not in ("started", "seconds")}))
            for s in sessions
        ]
        with plain_errors(self.path), transaction(self._connection) as connection:
            connection.executemany("INSERT INTO session (started, seconds, facts) VALUES (?, ?, ?)", rows)

    def append(self, trials: Iterable[Trial]) -> None:
        """Commit finished trials of cells of this sweep in one transaction. A trial that is there is replaced."""
        with plain_errors(self.path), transaction(self._connection) as connection:
            for trial in trials:
                write_trial(connection, self._questions[trial.cell], trial)
            if self._session is not None:
                number, start = self._session
                connection.execute("UPDATE session SET seconds = ? WHERE id = ?", (time.monotonic() - start, number))

    def finished(self, cell: Cell) -> dict[int, Literal["done", "failed"]]:
        """Number → status of the trials of ``cell`` that the store has."""
        rows = self._rows("SELECT number, status FROM trial WHERE question = ?", self._questions[cell.key])
        return dict(rows)

    def trials(self) -> Iterator[Trial]:
        """The sweep's trials, in the order of its cells and then of their numbers."""
        return (replace(outline, samples=self._samples(outline)) for outline in self.outlines())

    def outlines(self) -> Iterator[Trial]:
        """The same without their samples."""
        columns = "number, status, reason, seconds, provenance, order_parameters"
        query = f"SELECT {columns} FROM trial WHERE question = ? AND number < ? ORDER BY number"  # noqa: S608
        with readable(self.path):
            provenance = {number: json.loads(text) for number, text in self._rows("SELECT id, json FROM provenance")}
            for cell, question in self._questions.items():
                rows = self._rows(query, question, self._sweep.run.trials)
                for number, status, reason, seconds, source, layers in rows:
                    yield Trial(
                        cell=cell,
                        index=number,
                        status=status,
                        reason=reason,
                        seconds=float(seconds),
                        provenance=provenance[source],
                        order_parameters=read_layers(layers),
                    )

    def codes(self) -> set[str]:
        """Hashes of the measuring code that made the trials of this store."""
        used = "SELECT DISTINCT provenance FROM trial"
        query = f"SELECT DISTINCT json_extract(json, '$.code') FROM provenance WHERE id IN ({used})"  # noqa: S608
        return {code for (code,) in self._rows(query) if code}

    def codes_by_cell(self) -> dict[str, set[str]]:
        """Cell key → the same for the trials that the sweep asks for; cells without trials are left out."""
        query = (
            "SELECT DISTINCT question, json_extract(json, '$.code') FROM trial "
            "JOIN provenance ON provenance.id = trial.provenance"
        )
        found: dict[str, set[str]] = {}
        cells = {question: cell for cell, question in self._questions.items()}
        for question, code in self._rows(query):
            if code and question in cells:
                found.setdefault(cells[question], set()).add(code)
        return found

    def sessions(self) -> list[dict[str, Any]]:
        """Each run: when it started, its seconds so far, and the facts it began with."""
        rows = self._rows("SELECT started, seconds, facts FROM session ORDER BY id")
        with readable(self.path):
            return [{"started": started, "seconds": float(s), **json.loads(facts)} for started, s, facts in rows]

    def counts(self) -> dict[str, int]:
        """How many of the sweep's trials are done, failed, pending."""
        wanted = self._sweep.run.trials
        states = [s for cell in self._sweep.cells() for n, s in self.finished(cell).items() if n < wanted]
        done, total = states.count("done"), len(self._questions) * wanted
        return {"done": done, "failed": len(states) - done, "pending": total - len(states)}

    def others(self) -> int:
        """How many trials there are that the sweep doesn't ask for: of other settings, or beyond its number."""
        ((total,),) = self._rows("SELECT count(*) FROM trial")
        counts = self.counts()
        return int(total) - counts["done"] - counts["failed"]

    def run_facts(self) -> dict[str, Any]:
        """What a report says about how the numbers came to be.

        Keys: ``sessions`` (see :meth:`sessions`), ``started`` of the first, ``seconds`` of all, ``seed``, ``trials``
        (see :meth:`counts`), ``trial_seconds`` (summed over trials), ``code`` (hashes of the measuring code) and
        ``provenance`` (the different provenances of the measurements).
        """
        sessions = self.sessions()
        return {
            "sessions": sessions,
            "started": sessions[0]["started"] if sessions else None,
            "seconds": math.fsum(session["seconds"] for session in sessions),
            "seed": self._sweep.run.seed,
            "trials": self.counts(),
            "trial_seconds": math.fsum(trial.seconds for trial in self.outlines()),
            "code": sorted(self.codes()),
            "provenance": [json.loads(text) for (text,) in self._rows("SELECT json FROM provenance ORDER BY id")],
        }

    def _samples(self, trial: Trial) -> dict[str, Sample]:
        columns = "metric, mean, second_moment, largest, outliers, dimension, eigenvalues"
        query = f"SELECT {columns} FROM sample WHERE question = ? AND number = ? ORDER BY rowid"  # noqa: S608
        rows = self._rows(query, self._questions[trial.cell], trial.index)
        with readable(self.path):
            return {metric: read_sample(*values) for metric, *values in rows}

    def _rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with plain_errors(self.path):
            return self._connection.execute(query, values).fetchall()


def _check_name(connection: sqlite3.Connection, path: Path, sweep: Sweep) -> None:
    """Raise `StoreError` if the store belongs to a sweep of another name."""
    for (text,) in connection.execute("SELECT json FROM sweep"):
        with readable(path):
            name = json.loads(text)["name"]
        if name != sweep.name:
            raise StoreError(f"store: expected one of the sweep {sweep.name!r}, got one of {name!r}: {path}")
