"""The probe's codes, with libraries that behave as broken ones do."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from empirical.backends import Unusable, available_backends, examine, make_backend, probing


class CUDARuntimeError(RuntimeError):
    """As CuPy's."""


def cupy_with(driver=13000, devices=1):
    def answer(value):
        def ask():
            if isinstance(value, Exception):
                raise value
            return value

        return ask

    runtime = SimpleNamespace(
        driverGetVersion=answer(driver), getDeviceCount=answer(devices), CUDARuntimeError=CUDARuntimeError
    )
    return SimpleNamespace(cuda=SimpleNamespace(runtime=runtime))


def torch_with(cuda="13.0", devices=1, available=True):
    names = {"device_count": lambda: devices, "is_available": lambda: available, "get_device_name": lambda i: "H100"}
    return SimpleNamespace(version=SimpleNamespace(cuda=cuda), cuda=SimpleNamespace(**names), __version__="2")


def installed(monkeypatch, module):
    def imported(name):
        if isinstance(module, Exception):
            raise module
        return module

    monkeypatch.setattr(probing.importlib.util, "find_spec", lambda name: module)
    monkeypatch.setattr(probing.importlib, "import_module", imported)


CASES = {
    "not installed": ("cupy", None, "not-installed"),
    "broken import": ("cupy", ImportError("libcudart.so.13: cannot open"), "import-failed"),
    "no driver": ("cupy", cupy_with(driver=0), "no-driver"),
    "driver fails": ("cupy", cupy_with(driver=CUDARuntimeError("insufficient driver")), "no-driver"),
    "no device": ("cupy", cupy_with(devices=0), "no-device"),
    "device count fails": ("cupy", cupy_with(devices=CUDARuntimeError("cudaErrorNoDevice")), "no-device"),
    "cupy fine": ("cupy", cupy_with(), "ok"),
    "torch without CUDA": ("torch:cuda", torch_with(cuda=None), "no-driver"),
    "torch without driver": ("torch:cuda", torch_with(available=False), "no-driver"),
    "torch without device": ("torch:cuda", torch_with(devices=0), "no-device"),
    "torch fine": ("torch:cuda", torch_with(), "ok"),
}


@pytest.mark.parametrize("name", CASES)
def test_codes(monkeypatch, name):
    backend, module, code = CASES[name]
    installed(monkeypatch, module)
    found = probing.probe(backend)
    assert (found.backend, found.code) == (backend, code)
    assert found.detail
    assert "\n" not in found.detail


def test_a_backend_that_computes_wrongly_fails_the_smoke_test(monkeypatch):
    installed(monkeypatch, cupy_with())

    def wrong(name):
        probing.agrees(1.0, 2.0)

    assert probing.probe("cupy", wrong).code == "smoke-failed"


def test_an_unusable_backend_is_refused_with_its_reason(monkeypatch):
    installed(monkeypatch, cupy_with(driver=0))
    with pytest.raises(Unusable, match=r"backend: expected one that can be used here, got cupy: no-driver"):
        make_backend("cupy", "float64")


@pytest.mark.parametrize(("name", "module"), [("cupy:7", cupy_with()), ("torch:cuda:7", torch_with())])
def test_a_device_that_is_not_there_is_refused(monkeypatch, name, module):
    installed(monkeypatch, module)
    with pytest.raises(Unusable, match=f"backend: expected a device below 1, the number there are, got {name}"):
        make_backend(name, "float64")


def test_numpy_is_always_usable():
    assert "numpy" in available_backends()
    assert {p.backend for p in examine()} == set(probing.TARGETS)


def test_nothing_is_probed_or_imported_with_the_package():
    code = (
        "import sys, json, empirical, empirical.measurement; "
        "print(json.dumps(sorted({'torch', 'cupy', 'sympy', 'matplotlib'} & set(sys.modules))))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert json.loads(printed) == []
