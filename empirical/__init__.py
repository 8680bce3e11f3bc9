"""Measurement of metric tensors of real random networks. Knows nothing of the theory it is compared with."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from empirical.backends import available_backends
    from empirical.kernels.computing import empirical_diagonal, empirical_kernel, plan_kernel
    from empirical.measurement import measure
    from empirical.modules.measuring import measure_module
    from empirical.record import Measurement

__all__ = [
    "Measurement", "available_backends", "empirical_diagonal", "empirical_kernel", "measure", "measure_module",
    "plan_kernel",
]  # fmt: skip

_HOMES = {
    "Measurement": "empirical.record",
    "available_backends": "empirical.backends",
    "empirical_diagonal": "empirical.kernels.computing",
    "empirical_kernel": "empirical.kernels.computing",
    "measure": "empirical.measurement",
    "measure_module": "empirical.modules.measuring",
    "plan_kernel": "empirical.kernels.computing",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("meanfield.version").version()
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
