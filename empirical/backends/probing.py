"""Whether a backend can be used here, and if not why.

Nothing is probed when modules are imported: only when it is asked for.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from meanfield.spec.distribution import installing

__all__ = ["TARGETS", "Code", "Probe", "probe"]

Code = Literal["not-installed", "import-failed", "no-driver", "no-device", "smoke-failed", "ok"]


@dataclass(frozen=True)
class Probe:
    """What was found: ``code`` is ``"ok"`` or the first thing that is missing, ``detail`` says more."""

    backend: str
    code: Code
    detail: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


Finding = tuple[Code, str]


def _always(module: Any) -> Finding:
    return "ok", f"version {module.__version__}"


def _torch_cuda(torch: Any) -> Finding:
    if torch.version.cuda is None:
        return "no-driver", "this torch was built without CUDA"
    if not torch.cuda.is_available():
        return "no-driver", "no CUDA driver that this torch can use"
    if torch.cuda.device_count() == 0:
        return "no-device", "no CUDA device"
    return "ok", str(torch.cuda.get_device_name(0))


def _cupy(cupy: Any) -> Finding:
    runtime = cupy.cuda.runtime
    try:
        driver = runtime.driverGetVersion()
    except runtime.CUDARuntimeError as error:
        return "no-driver", _line(error)
    if driver == 0:
        return "no-driver", "no CUDA driver"
    try:
        count = runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        return "no-device", _line(error)
    return ("ok", f"{count} device(s), driver {driver}") if count else ("no-device", "no CUDA device")


EXTRAS = {"torch": "torch", "cupy": "gpu"}  # module → the extra that brings it

# Backend as `measure` calls it → (module, what to look at once it is imported).
TARGETS: dict[str, tuple[str, Callable[[Any], Finding]]] = {
    "numpy": ("numpy", _always),
    "torch": ("torch", _always),
    "torch:cuda": ("torch", _torch_cuda),
    "cupy": ("cupy", _cupy),
}


def probe(backend: str, smoke: Callable[[str], None] | None = None) -> Probe:
    """What is found for one of ``TARGETS``; with ``smoke`` (see :func:`smoke_test`) also whether it computes."""
    name, look = TARGETS[backend]
    if importlib.util.find_spec(name) is None:
        return Probe(backend, "not-installed", f"no module {name}: {installing(EXTRAS[name])}")
    try:
        module = importlib.import_module(name)
    except Exception as error:  # whatever a library's import may raise is what is being asked
        return Probe(backend, "import-failed", _line(error))
    code, detail = look(module)
    if code != "ok" or smoke is None:
        return Probe(backend, code, detail)
    try:
        smoke(backend)
    except Exception as error:  # likewise
        return Probe(backend, "smoke-failed", _line(error))
    return Probe(backend, "ok", detail)


def device_count(library: str) -> int:
    """How many CUDA devices a usable library, torch or cupy, sees."""
    module = importlib.import_module(library)
    return int(module.cuda.device_count() if library == "torch" else module.cuda.runtime.getDeviceCount())


def agrees(found: Any, expected: Any) -> None:
    """Raise ``ArithmeticError`` if a smoke test's numbers are not NumPy's."""
    if not np.allclose(found, expected, rtol=1e-10):
        raise ArithmeticError(f"smoke test: expected {np.asarray(expected)}, got {np.asarray(found)}")


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
