"""Facts that go with every run: with which libraries, on what kind of machine."""

from __future__ import annotations

import os
import platform
from importlib import metadata

__all__ = ["host", "versions"]

_LIBRARIES = ("meanfield", "numpy", "scipy", "numba", "sympy", "torch", "cupy", "loky", "distributed")


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that are installed and matter here."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def host() -> dict[str, str | int]:
    """What kind of machine this is; nothing that names a person or a place."""
    return {"system": platform.system(), "machine": platform.machine(), "processors": os.cpu_count() or 1}
