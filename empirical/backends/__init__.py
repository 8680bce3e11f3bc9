"""The backends by name. Their libraries are imported when a backend is made or probed, never before."""

from __future__ import annotations

import importlib

import numpy as np

from empirical.backends.base import DTYPES, Backend
from empirical.backends.probing import TARGETS, Probe, agrees, probe

__all__ = ["BACKENDS", "Unusable", "available_backends", "examine", "make_backend"]

BACKENDS: dict[str, tuple[str, str]] = {
    "numpy": ("empirical.backends.numpy", "NumpyBackend"),
    "torch": ("empirical.backends.torch", "TorchBackend"),
    "cupy": ("empirical.backends.cupy", "CupyBackend"),
}


class Unusable(ValueError):
    """The backend exists but can't be used here; the message says why."""


def make_backend(name: str, dtype: str) -> Backend:
    """The backend of this name, computing in ``dtype``.

    ``"numpy"``, ``"torch"`` (CPU), ``"torch:cuda"``, ``"torch:cuda:1"``, ``"cupy"``, ``"cupy:1"``: a device is named or
    it is not used, and nothing falls back to another.

    Raises
    ------
    ValueError
        If there is no such backend or dtype, or it can't be used here (:class:`Unusable`).
    """
    library, _, device = name.partition(":") if isinstance(name, str) else ("", "", "")
    if library not in BACKENDS:
        raise ValueError(f"backend: expected one of {', '.join(TARGETS)}, got {name!r}")
    if dtype not in DTYPES:
        raise ValueError(f"dtype: expected one of {', '.join(DTYPES)}, got {dtype!r}")
    found = probe("torch:cuda" if library == "torch" and device.startswith("cuda") else library)
    if found.code != "ok":
        raise Unusable(f"backend: expected one that can be used here, got {name}: {found.code} ({found.detail})")
    module, kind = BACKENDS[library]
    make = getattr(importlib.import_module(module), kind)
    backend: Backend = make(dtype, device) if device else make(dtype)
    return backend


def examine() -> list[Probe]:
    """Every backend probed, with a small computation held against NumPy."""
    return [probe(name, smoke_test) for name in TARGETS]


def available_backends() -> tuple[str, ...]:
    """The names of the backends that can be used here and now: they are probed."""
    return tuple(found.backend for found in examine() if found.code == "ok")


def smoke_test(name: str) -> None:
    """A product, its eigenvalues and an activation on the backend, against NumPy.

    Raises
    ------
    Exception
        Whatever goes wrong; ``ArithmeticError`` if the numbers differ.
    """
    backend = make_backend(name, "float64")
    x = np.arange(12.0).reshape(4, 3) / 7
    with backend.strict():
        product = backend.gram(backend.asarray(x))
        values = backend.eigvalsh(product)
        backend.synchronize()
        agrees(backend.host(product), x @ x.T)
        agrees(backend.host(values)[-2:], np.linalg.eigvalsh(x @ x.T)[-2:])
        agrees(backend.host(backend.xp.tanh(backend.asarray(x))), np.tanh(x))
