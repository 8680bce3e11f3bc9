"""The tables of a store, opening a file that may or may not be one, its journal, lock and transactions.

A store says what it is in SQLite's own header: ``application_id`` and ``user_version`` (the schema).
"""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = [
    "APPLICATION", "SCHEMA", "StoreError", "connect", "journal", "lock_for_writing", "plain_errors", "prepare",
    "readable", "transaction",
]  # fmt: skip

APPLICATION = 0x4D466C64  # "MFld"
SCHEMA = 2

_TABLES = """
CREATE TABLE sweep (id INTEGER PRIMARY KEY CHECK (id = 1), json TEXT NOT NULL);
CREATE TABLE session (
    id INTEGER PRIMARY KEY, started TEXT NOT NULL, seconds REAL NOT NULL, facts TEXT NOT NULL
);
CREATE TABLE provenance (id INTEGER PRIMARY KEY, json TEXT NOT NULL UNIQUE);
CREATE TABLE trial (
    question TEXT NOT NULL, number INTEGER NOT NULL, cell TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
    seconds REAL NOT NULL, provenance INTEGER NOT NULL REFERENCES provenance, order_parameters BLOB NOT NULL,
    PRIMARY KEY (question, number)
) WITHOUT ROWID;
CREATE TABLE sample (
    question TEXT NOT NULL, number INTEGER NOT NULL, metric TEXT NOT NULL, mean REAL, second_moment REAL, largest REAL,
    outliers BLOB NOT NULL, dimension INTEGER NOT NULL, eigenvalues BLOB, UNIQUE (question, number, metric)
);
"""


class StoreError(ValueError):
    """A store that can't be opened, read or written, in one sentence."""


def connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """A connection to the store at ``path``, made if it isn't there and ``write`` is true.

    Raises
    ------
    StoreError
        If the file is missing, unreadable, unwritable, no SQLite file, or a store of another schema; or its run was
        killed and its log can't be read, because the folder is read-only.
    """
    with plain_errors(path):
        if write:
            path.parent.mkdir(parents=True, exist_ok=True)
        elif not path.is_file():
            raise StoreError(f"store: expected an existing file, got {path}")
        try:
            return _checked(path, "rwc" if write else "ro", write)
        except sqlite3.OperationalError as error:
            if write or "unable to open" not in str(error):
                raise
        # The folder is read-only, so a log can't be shared. Without one the file is whole, and nobody writes it.
        log = path.resolve().with_name(f"{path.resolve().name}-wal")
        if log.is_file() and log.stat().st_size:
            raise StoreError(
                f"store: expected a folder that can be written, got {path} of a killed run with its log beside it "
                f"(copy it and {log.name} to where they can be written)"
            )
        return _checked(path, "ro&immutable=1", write)


def _checked(path: Path, mode: str, write: bool) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=30)
    try:
        _check(connection, path, write)
    except BaseException:
        connection.close()
        raise
    return connection


def _create_tables(connection: sqlite3.Connection) -> None:
    """Make the tables of a new store, all of them or none."""
    header = f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {SCHEMA};"
    connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} {header} COMMIT;")


def journal(folder: Path) -> str:
    """The journal that works in this folder: "WAL", or "DELETE" where its file system shares no memory.

    Tried out on a file of its own: SQLite finds out only after it has turned the file into one that it can't read.
    """
    with tempfile.TemporaryDirectory(prefix=".journal-", dir=folder) as scratch:
        connection = sqlite3.connect(Path(scratch) / "probe", isolation_level=None)
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            connection.execute("CREATE TABLE probe (x)")
        except sqlite3.OperationalError as error:
            if "full" in str(error):
                raise
            return "DELETE"
        finally:
            connection.close()
    return str(mode).upper()


@contextlib.contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turn what the file system or SQLite raises into a `StoreError` of one line."""
    try:
        yield
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # SQLite's own messages quote what they can't read
        text = " ".join(str(error).split())
        strange = ("not a database", "malformed", "decode")
        expected = "a store" if any(word in text for word in strange) else "a usable file"
        raise StoreError(f"store: expected {expected}, got {path} ({text})") from error
    except OSError as error:
        raise StoreError(f"store: expected a usable path, got {path} ({error.strerror})") from error


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what damaged contents raise, once SQLite has handed them out, into a `StoreError` of one line."""
    try:
        yield
    except StoreError:
        raise
    except (ValueError, TypeError, LookupError) as error:
        raise StoreError(f"store: expected a store, got {path} (damaged: {' '.join(str(error).split())})") from error


def _check(connection: sqlite3.Connection, path: Path, write: bool) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (schema,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if write and not tables and not application:
        return
    if application != APPLICATION:
        raise StoreError(f"store: expected a store made by `verify run`, got another file: {path}")
    if schema != SCHEMA:
        raise StoreError(f"store: expected schema {SCHEMA}, got schema {schema}: {path}")


def prepare(connection: sqlite3.Connection, wanted: str) -> None:
    """Journal mode, and the tables of a new store. SQLite's other journal needs a full sync to survive a power cut."""
    with contextlib.suppress(sqlite3.OperationalError):  # somebody is reading: it stays as it is
        connection.execute(f"PRAGMA journal_mode = {wanted}")
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    connection.execute(f"PRAGMA synchronous = {'NORMAL' if mode == 'wal' else 'FULL'}")
    if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        _create_tables(connection)


def lock_for_writing(path: Path) -> sqlite3.Connection:
    """The right to write, held until the connection closes or the process ends, however it ends.

    It is SQLite's exclusive lock on an empty file next to the store, so readers of the store don't notice.
    """
    file = path.resolve()  # whatever name leads to it
    lock = sqlite3.connect(file.with_name(f"{file.name}.lock"), isolation_level=None, timeout=0)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        lock.close()
        if "locked" not in str(error):
            raise
        raise StoreError(f"store: expected no other run to be writing, got one: {path}") from None
    return lock


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All of what is done inside, or none of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    except BaseException:
        if connection.in_transaction:  # a full disk has rolled it back already
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
