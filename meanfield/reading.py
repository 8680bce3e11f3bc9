"""Files that users name, as they are read: without trust in what they claim."""

from __future__ import annotations

import csv
import itertools
import json
import os
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

__all__ = ["read_array", "read_inputs", "read_json", "read_text"]

_COUNTED = 2
"""Columns up to which 0, 1, … may well be a sample."""
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


def read_inputs(path: str | Path, field: str = "inputs") -> NDArray[np.float64]:
    """The samples (N, d) of a ``.npy`` file, or of a ``.csv`` file: a line a sample, commas between, a header or none.

    Raises
    ------
    ValueError
        For another kind of file, anything but finite real numbers, or another shape; it says where.
    """
    path = Path(path)
    readers = {".npy": read_array, ".csv": _read_table}
    if path.suffix.lower() not in readers or not path.is_file():
        cause = "that is another kind" if path.is_file() else "there is no such ordinary file"
        raise ValueError(f"{field}: expected a .npy or .csv file, got {path} ({cause})")
    array = readers[path.suffix.lower()](field, path)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{field}: expected real numbers in {path}, got {array.dtype}")
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"{field}: expected shape (N, d) with N, d >= 1 in {path}, got {array.shape}")
    inputs = np.ascontiguousarray(array, dtype=np.float64)
    wrong = np.argwhere(~np.isfinite(inputs))
    if len(wrong):
        row, column = wrong[0] + 1
        first = f"{inputs[row - 1, column - 1]} in sample {row}, column {column}"
        raise ValueError(f"{field}: expected finite numbers in {path}, got {first}, {len(wrong)} such in all")
    return inputs


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


def _read_table(field: str, path: Path) -> NDArray[Any]:
    """A table of numbers, (rows, columns)."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            names = _header(file)
            if reason := _not_numbers(file, names):
                raise ValueError(reason)
            file.seek(0)
            rows = itertools.islice(file, bool(names), None)
            return np.loadtxt(rows, delimiter=",", quotechar='"', comments=None, ndmin=2)
    except (OSError, ValueError, MemoryError, csv.Error) as error:
        cause = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{field}: expected a .csv file of numbers, got {path} ({cause[:200]})") from None


def _header(file: TextIO) -> list[str]:
    """The names of the columns, or none: the first line is a header where one of its cells is no number and the cell
    below is one."""
    first, second = itertools.islice(itertools.chain(csv.reader(file), [[], []]), 2)
    counted = [str(i) for i in range(len(first))]
    if len(first) > _COUNTED and first == counted != second:  # what pandas calls columns without names
        return [f"column {i}" for i in first]
    if not any(b and not a for a, b in zip(map(_is_number, first), map(_is_number, second), strict=False)):
        return []
    if "" in (names := [cell.strip() for cell in first]):
        place = names.index("") + 1
        raise ValueError(f"no name for column {place}, as row numbers have; pandas leaves them out with index=False")
    return names


def _not_numbers(file: TextIO, names: list[str]) -> str:
    """The first place that isn't a number in a table, in words."""
    file.seek(0)
    lines = csv.reader(file)
    width = 0
    for cells in itertools.islice(lines, bool(names), None):
        if not cells:
            continue
        width = width or len(names) or len(cells)
        if len(cells) != width:
            return f"{len(cells)} cells in line {lines.line_num}, {width} before"
        for column, cell in enumerate(cells, 1):
            if not _is_number(cell):
                name = f" ({names[column - 1]})" if names else ""
                return f"{cell!r:.40} in line {lines.line_num}, column {column}{name}"
    return "" if width else "no lines with numbers"


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell
