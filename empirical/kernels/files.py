"""A kernel in a file, so that what is computed is never lost and never taken for more than it is.

    K.npy           the kernel, when all of it is there
    K.npy.partial   the same file before: a .npy file, zero where nothing has been written yet
    K.npy.json      the question, the block size, and how many blocks are done, in their fixed order

Blocks are on the disk before the count says so, and the count takes the place of the last one in one step. What is
killed at any moment goes on from the last count, and gives the same bytes.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from empirical.kernels.plan import KernelPlan
from meanfield.reading import read_json
from meanfield.spec import digest

__all__ = ["Begun", "KernelFile", "begun", "finished", "writing"]

PAUSE = 1.0
"""Seconds between two counts: a block is often quicker than the disk."""


@dataclass(frozen=True)
class Begun:
    """What a sidecar says: samples in a block, blocks done, and of how many."""

    rows: int
    done: int
    blocks: int


def begun(path: Path, question: dict[str, Any]) -> Begun | None:
    """What has been done of this question, or nothing.

    Raises
    ------
    ValueError
        If the file is that of another question, or somebody else's.
    """
    sidecar = _sidecar(path)
    if not sidecar.exists():
        if path.exists():
            raise ValueError(f"out: expected the name of a new file or of a kernel, got {str(path)!r}")
        return None
    try:
        said = read_json(sidecar)
        asked, known = said["provenance"]["question"], Begun(said["rows"], said["done"], said["blocks"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(f"out: expected the record of a kernel in {str(sidecar)!r}, got something else") from None
    if said["digest"] != digest(question):
        differing = sorted(k for k in {*asked, *question} if asked.get(k) != question.get(k))
        raise ValueError(
            f"out: expected the kernel of this question in {str(path)!r}, got one of another "
            f"({', '.join(differing)}); another name keeps both"
        )
    if path.exists():
        if known.done < known.blocks:
            raise ValueError(f"out: expected no file before all blocks are done, got {str(path)!r} beside its record")
        return known
    return known if _partial(path).exists() else None


@dataclass
class KernelFile:
    """A file that is being written."""

    path: Path
    plan: KernelPlan
    provenance: dict[str, Any]
    values: NDArray[Any]
    done: int
    _told: float = 0.0

    def commit(self, done: int) -> None:
        """So many blocks are written. Kept at most once a second."""
        self.done = done
        if time.monotonic() - self._told >= PAUSE:
            self.save()

    def save(self) -> None:
        """Bring the blocks to the disk, and then their count."""
        if isinstance(self.values, np.memmap):
            self.values.flush()
        record = {
            "format": 1, "shape": list(self.plan.shape), "rows": self.plan.rows, "blocks": self.plan.blocks,
            "done": self.done, "digest": digest(self.provenance["question"]), "provenance": self.provenance,
        }  # fmt: skip
        _write(_sidecar(self.path), json.dumps(record, indent=1))
        self._told = time.monotonic()


@contextmanager
def writing(path: Path, plan: KernelPlan, known: Begun | None, provenance: dict[str, Any]) -> Iterator[KernelFile]:
    """The file to fill in, from where it was left. It gets its name if all blocks are there at the end. The question is
    in its ``provenance``.

    Raises
    ------
    ValueError
        If it can't be written, has no room, or is being written by another process.
    """
    partial = _partial(path)
    with _alone(partial):
        if known is None:
            _check_room(path, plan.stored)
            _sidecar(path).unlink(missing_ok=True)  # a count of another file's blocks
            open_memmap(partial, "w+", np.dtype(plan.dtype), plan.shape)
            _reserve(partial)
        values = _mapped(partial, "r+", plan)
        file = KernelFile(path, plan, provenance, values, 0 if known is None else known.done)
        file.save()
        try:
            yield file
        finally:
            if file.done:
                file.save()
            else:  # nothing to go on from: the name stays free
                partial.unlink(missing_ok=True)
                _sidecar(path).unlink(missing_ok=True)
        if file.done == plan.blocks:
            os.replace(partial, path)


def _reserve(partial: Path) -> None:
    """Take the room on the disk before it is written to: a memory map on a full one ends in a bus error."""
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        with partial.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
    except OSError as error:
        partial.unlink()
        raise ValueError(
            f"out: expected room for the kernel in {str(partial.parent)!r}, got {error.strerror}"
        ) from None


def finished(path: Path, plan: KernelPlan) -> NDArray[Any]:
    """The kernel, read from its file as it is looked at; not to be written to.

    Raises
    ------
    ValueError
        If the file isn't the kernel's any more.
    """
    return _mapped(path, "r", plan)


def _mapped(path: Path, mode: Literal["r", "r+"], plan: KernelPlan) -> NDArray[Any]:
    try:
        open_memmap(path, "r")  # which doesn't lengthen a file that was cut
        values = open_memmap(path, mode)
    except (OSError, ValueError) as error:
        raise ValueError(f"out: expected the kernel in {str(path)!r}, got {' '.join(str(error).split())}") from None
    if (values.shape, values.dtype.name) != (plan.shape, plan.dtype):
        expected = f"{plan.dtype} of shape {plan.shape}"
        raise ValueError(f"out: expected {expected} in {str(path)!r}, got {values.dtype} of shape {values.shape}")
    return values


@contextmanager
def _alone(partial: Path) -> Iterator[None]:
    try:
        file = partial.open("ab")
    except OSError as error:
        raise ValueError(f"out: expected a file that can be written, got {str(partial)!r} ({error.strerror})") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            got = f"{str(partial)!r}, which another process is writing"
            raise ValueError(f"out: expected a file of one's own, got {got}") from None
        yield


def _check_room(path: Path, needed: int) -> None:
    """A memory map on a full disk ends in a bus error: the room is asked for before."""
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise ValueError(f"out: expected room for {needed} bytes on the disk of {str(path)!r}, got {free}")


def _write(path: Path, text: str) -> None:
    """In one step, and on the disk."""
    new = path.with_name(f"{path.name}.new")
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial")
