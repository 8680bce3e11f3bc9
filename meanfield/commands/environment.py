"""The environment of a command's process: what ordinary machines lack is put right before anything needs it.

Closed streams, terminals that can't show Greek letters, folders for caches that can't be written, a choice of plotting
window: none of it is a reason to fail.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["interruptible", "prepare"]


def prepare() -> None:
    """Streams that take all that is written, Agg for figures, folders for caches that can be written, and nothing said
    by the process that clears up behind workers: after an interrupt it finds that somebody else has."""
    _open_streams()
    given = os.environ.get("PYTHONWARNINGS", "")
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, [given, "ignore:resource_tracker"]))
    os.environ["MPLBACKEND"] = "Agg"
    if not _can_write(_matplotlib_folder()):
        os.environ["MPLCONFIGDIR"] = _temporary()
    if not any(map(_can_write, _compiled_folders())):
        os.environ["NUMBA_CACHE_DIR"] = _temporary()


@contextlib.contextmanager
def interruptible(name: str) -> Iterator[None]:
    """Let SIGTERM be like Ctrl-C from here on. Inside, while modules are imported and nothing is under way, both end
    the process at once: an exception in the middle of an import would be a traceback, or be lost."""

    def leave(_signal: int, _frame: object) -> None:
        with contextlib.suppress(OSError):
            os.write(2, f"{name}: interrupted; nothing is stored yet\n".encode())
        os._exit(130)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)
    yield
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def _open_streams() -> None:
    """No stream closed (the next file opened would take its number), and none that can't encode what is said."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - as long as the process
        with contextlib.suppress(AttributeError, ValueError):  # somebody's own stream
            getattr(sys, name).reconfigure(errors="replace")


def _matplotlib_folder() -> Path:
    """Where matplotlib keeps its list of fonts."""
    given = os.environ.get("MPLCONFIGDIR")
    if given:
        return Path(given)
    return _home("XDG_CONFIG_HOME", ".config") / "matplotlib" if sys.platform == "linux" else _home("", ".matplotlib")


def _compiled_folders() -> tuple[Path, ...]:
    """Where numba may keep compiled code: beside each file of ours, or in the user's cache."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given:
        return (Path(given),)
    package = Path(__file__).parents[1]
    return (package / "gaussian" / "__pycache__", _home("XDG_CACHE_HOME", ".cache") / "numba")


def _home(variable: str, name: str) -> Path:
    given = os.environ.get(variable, "")
    with contextlib.suppress(RuntimeError):  # no home
        return Path(given) if given else Path.home() / name
    return Path(os.devnull) / name


def _can_write(folder: Path) -> bool:
    """Tried out; a folder that is made for that stays, as it would by its owner's doing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _temporary() -> str:
    """A folder that goes with this process."""
    folder = tempfile.mkdtemp(prefix="meanfield-")
    owner = os.getpid()
    atexit.register(lambda: shutil.rmtree(folder, ignore_errors=True) if os.getpid() == owner else None)
    return folder
