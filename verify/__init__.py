"""Theory held against experiment: sweeps of random networks, a store that survives, verdicts, reports."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verify.asking.sweep import Sweep
    from verify.judging.verdict import compare
    from verify.keeping.store import Store
    from verify.outcome import report
    from verify.running.runner import run

__all__ = ["Store", "Sweep", "compare", "report", "run"]

_HOMES = {
    "Store": "verify.keeping.store",
    "Sweep": "verify.asking.sweep",
    "compare": "verify.judging.verdict",
    "report": "verify.outcome",
    "run": "verify.running.runner",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("meanfield.version").version()
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
