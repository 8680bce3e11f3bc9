"""The backends by name. Their libraries are imported when a backend is made or probed, never before."""

from __future__ import annotations

import importlib
import re

import numpy as np

from empirical.backends.base import DTYPES, Backend
from empirical.backends.probing import TARGETS, Probe, agrees, device_count, probe

__all__ = ["BACKENDS", "Unusable", "available_backends", "examine", "make_backend"]

# Name → (module, class, the devices it may be followed by).
BACKENDS: dict[str, tuple[str, str, str]] = {
    "numpy": ("empirical.backends.numpy", "NumpyBackend", "cpu"),
    "torch": ("empirical.backends.torch", "TorchBackend", r"cpu|cuda(:\d+)?"),
    "cupy": ("empirical.backends.cupy", "CupyBackend", r"\d+"),
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
    module, kind, devices = BACKENDS.get(library, ("", "", ""))
    if not module or not re.fullmatch(f"({devices})?", device):
        expected = ", ".join([*TARGETS, "torch:cuda:1", "cupy:1"])
        raise ValueError(f"backend: expected one such as {expected}, got {name!r}")
    if dtype not in DTYPES:
        raise ValueError(f"dtype: expected one of {', '.join(DTYPES)}, got {dtype!r}")
    found = probe("torch:cuda" if library == "torch" and device.startswith("cuda") else library)
    if found.code != "ok":
        raise Unusable(f"backend: expected one that can be used here, got {name}: {found.code} ({found.detail})")
    number = re.search(r"\d+$", device)
    if number and int(number[0]) >= (count := device_count(library)):
        raise Unusable(f"backend: expected a device below {count}, the number there are, got {name}")
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
