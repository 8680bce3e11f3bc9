"""Files that users name, as they are written: whole or not at all, and never over what is somebody else's.

A file is written beside its place under another name and takes its name when all of it is there. What is there already
is replaced only with ``force`` or where ``ours`` knows it, and a store of trials (or any other SQLite file) never.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

__all__ = ["free", "nobody", "reserve", "usable_folder", "whole_file", "whole_files", "writable"]

Ours = Callable[[Path], bool]


def nobody(_: Path) -> bool:
    """What is there is somebody else's, whatever it is."""
    return False


def writable(field: str, path: Path) -> Path:
    """``path``, if a file can be written there. Asked before a long computation, not after.

    Raises
    ------
    ValueError
        If its folder doesn't exist or can't be written, or the path is a folder or no ordinary file.
    """
    there = _kind(field, path)
    folder = path.parent
    if there == "folder" or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ValueError(f"{field}: expected a file in an existing, writable folder, got {str(path)!r}")
    if there == "special":
        raise ValueError(f"{field}: expected the name of an ordinary file, got {str(path)!r} (a device or pipe)")
    if there and not os.access(path, os.W_OK):
        raise ValueError(f"{field}: expected a file that can be written, got {str(path)!r} (it is read-only)")
    with _named(field, path), tempfile.NamedTemporaryFile(dir=folder, prefix="."):
        return path  # a file could be made beside it


def free(field: str, path: Path, *, force: bool = False, ours: Ours = nobody) -> Path:
    """``path``, if it can be written (see `writable`) without a loss to anybody.

    Raises
    ------
    ValueError
        If a file is there which is neither ``ours`` nor given up with ``force``, or it is a database.
    """
    if os.path.lexists(writable(field, path)):
        with _named(field, path):
            if _is_database(path):
                raise ValueError(f"{field}: expected the name of a new file, got a store, {str(path)!r}")
            if not (force or ours(path)):
                raise ValueError(
                    f"{field}: expected the name of a new file, got {str(path)!r}, which is there already "
                    "(--force writes over it)"
                )
    return path


def reserve(path: Path) -> None:
    """Make room on the disk for all of a file that is as long as it will be: one mapped into memory ends in a bus error
    where the disk is full. Raises ``OSError`` then; a system without such a call gives no answer before."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)


@contextlib.contextmanager
def whole_file(field: str, path: Path, *, force: bool = False, ours: Ours = nobody) -> Iterator[Path]:
    """Where to write what becomes the file at ``path`` when all is written; after an error nothing is left.

    Raises
    ------
    ValueError
        If the file can't be written or isn't free (see `free`), or the disk is full.
    """
    free(field, path, force=force, ours=ours)
    with _named(field, path), _beside(path) as partial:
        yield partial
        os.replace(partial, path)


def whole_files(
    field: str, folder: Path, texts: Mapping[str, str | bytes], *, force: bool = False, ours: Ours = nobody
) -> None:
    """Write texts (UTF-8) and bytes by their names in ``folder`` (``figures/a.svg`` in a folder of it): all, or none.

    Raises
    ------
    ValueError
        As `usable_folder`, or if one of the files isn't free.
    """
    with contextlib.ExitStack() as stack, _named(field, folder):
        for place in dict.fromkeys((folder / name).parent for name in texts):
            stack.enter_context(_folder(place))
        paths = [free(field, folder / name, force=force, ours=ours) for name in texts]
        partials = [stack.enter_context(_beside(path)) for path in paths]
        for partial, text in zip(partials, texts.values(), strict=True):
            partial.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
        for partial, path in zip(partials, paths, strict=True):
            os.replace(partial, path)


def usable_folder(field: str, folder: Path, *parts: str) -> Path:
    """``folder``, if files can be written there and in its ``parts``, tried out. Asked before long work, not after.

    Raises
    ------
    ValueError
        If it can't be made or written, or one of its parts lies elsewhere (is a symbolic link).
    """
    with contextlib.ExitStack() as made, _named(field, folder, "a folder"):
        for place in (folder, *(folder / part for part in parts)):
            if place != folder and place.is_symlink():
                raise ValueError(f"{field}: expected a folder without links, got {str(place)!r}, which lies elsewhere")
            made.callback(_remove, *_make(place))
            with tempfile.NamedTemporaryFile(dir=place, prefix="."):
                pass
    return folder


def _kind(field: str, path: Path) -> str:
    """What ``path`` names: "" (nothing), "file", "folder" or "special"."""
    with _named(field, path):
        if not path.exists():
            return "file" if path.is_symlink() else ""
        return "folder" if path.is_dir() else "file" if path.is_file() else "special"


def _is_database(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


@contextlib.contextmanager
def _named(field: str, path: Path, expected: str = "a file") -> Iterator[None]:
    """What the file system says, in one sentence."""
    try:
        yield
    except OSError as error:
        cause = error.strerror or error
        raise ValueError(f"{field}: expected {expected} that can be written, got {str(path)!r} ({cause})") from error


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A new empty file in the folder of ``path``, gone at the end unless it was renamed."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
    os.close(handle)
    partial = Path(name)
    try:
        partial.chmod(0o644)
        yield partial
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def _folder(place: Path) -> Iterator[None]:
    """The folder, made if it isn't there and removed again after an error."""
    made = _make(place)
    try:
        yield
    except BaseException:
        _remove(*made)
        raise


def _make(folder: Path) -> list[Path]:
    """Make a folder; those that weren't there, the innermost first."""
    new = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        _remove(*new)
        raise
    return new


def _remove(*folders: Path) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):  # somebody has put something into it
            folder.rmdir()
