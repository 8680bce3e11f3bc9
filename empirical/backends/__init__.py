"""The backends by name. Their libraries are imported when a backend is made, never before."""

from __future__ import annotations

import importlib

from empirical.backends.base import DTYPES, Backend

__all__ = ["BACKENDS", "available_backends", "make_backend"]

BACKENDS: dict[str, tuple[str, str]] = {"numpy": ("empirical.backends.numpy", "NumpyBackend")}


def make_backend(name: str, dtype: str) -> Backend:
    """The backend of this name, computing in ``dtype``.

    Raises
    ------
    ValueError
        If there is no such backend or dtype.
    """
    if name not in BACKENDS:
        raise ValueError(f"backend: expected one of {', '.join(BACKENDS)}, got {name!r}")
    if dtype not in DTYPES:
        raise ValueError(f"dtype: expected one of {', '.join(DTYPES)}, got {dtype!r}")
    module, kind = BACKENDS[name]
    backend: Backend = getattr(importlib.import_module(module), kind)(dtype)
    return backend


def available_backends() -> tuple[str, ...]:
    """The names of the backends that can be used here and now."""
    return tuple(BACKENDS)
