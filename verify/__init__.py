"""Theory held against experiment: sweeps of random networks, a store that survives, verdicts, reports."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verify.outcome import report
    from verify.runner import run
    from verify.store import Store
    from verify.sweep import Sweep
    from verify.verdict import compare

__all__ = ["Store", "Sweep", "compare", "report", "run"]

_HOMES = {
    "Store": "verify.store",
    "Sweep": "verify.sweep",
    "compare": "verify.verdict",
    "report": "verify.outcome",
    "run": "verify.runner",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
