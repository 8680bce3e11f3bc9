"""Facts that go with every run: with which libraries, on what kind of machine."""

from __future__ import annotations

import functools
import os
import platform
import re
from importlib import metadata
from pathlib import Path

from meanfield.spec.distribution import distribution_version

__all__ = ["host", "versions"]

_LIBRARIES = ("numpy", "scipy", "numba", "sympy", "torch", "cupy", "loky", "distributed")


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that are installed and matter here."""
    found = {"python": platform.python_version(), "meanfield": distribution_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def host() -> dict[str, str | int]:
    """What kind of machine this is; nothing that names a person or a place."""
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": _processor(),
        "processors": os.cpu_count() or 1,
    }


def _processor() -> str:
    """The processor's model, as Linux has it; elsewhere what Python knows."""
    try:
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text("utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor()
