"""Files that users name, as they are read: without trust in what they claim."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["read_array", "read_json", "read_text"]

MOST_TEXT = 2**26
"""Bytes that a text may have: a thousand times those of the largest that the commands write or ask for."""


def read_array(field: str, path: Path) -> NDArray[Any]:
    """The array of a ``.npy`` file, whose header is held against the file's size before memory is taken.

    Raises
    ------
    ValueError
        For what isn't one.
    """
    try:
        if not path.is_file():
            raise OSError("there is no such ordinary file")
        return _sized_array(path)
    except (OSError, ValueError, EOFError, TypeError, MemoryError, SyntaxError, RecursionError) as error:
        cause = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{field}: expected a .npy file of numbers, got {path} ({cause[:200]})") from None


def read_text(path: Path) -> str:
    """The text of an ordinary file; ``OSError`` for what isn't one or is huge, ``ValueError`` for what isn't UTF-8."""
    with path.open("rb") as file:
        if path.is_file() and os.fstat(file.fileno()).st_size <= MOST_TEXT:
            return file.read().decode("utf-8")
    raise OSError("no ordinary file of a sensible size")


def read_json(path: Path) -> Any:
    """What a JSON file has; ``OSError`` or ``ValueError`` for what isn't one, is huge, or nests too deep."""
    try:
        return json.loads(read_text(path))
    except RecursionError:
        raise ValueError("its brackets nest too deep") from None


def _sized_array(path: Path) -> NDArray[Any]:
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        read = {1: np.lib.format.read_array_header_1_0}.get(version[0], np.lib.format.read_array_header_2_0)
        shape, _, dtype = read(file)
        size, rest = dtype.itemsize, os.fstat(file.fileno()).st_size - file.tell()
    for length in shape:
        size *= length
    if dtype.hasobject or size != rest:
        raise ValueError(f"shape {shape} of {dtype}, which takes {size} bytes, in {rest}")
    array: NDArray[Any] = np.load(path, allow_pickle=False)
    return array
