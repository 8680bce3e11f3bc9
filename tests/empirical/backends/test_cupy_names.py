"""Every name of CuPy that we use, and every call as we make it. CuPy imports without a driver.

What the algorithm asks of the array namespace is recorded while it runs on NumPy; what the backend asks of CuPy itself
is read off its source. So a name or an argument that is new is checked without being written down here.
"""

import ast
import inspect
from pathlib import Path

import array_api_compat.numpy
import pytest
import scipy.special

import empirical.backends
from empirical import empirical_diagonal, empirical_kernel
from empirical.backends.base import Backend
from empirical.backends.probing import probe
from empirical.dual.plan import Plan
from empirical.dual.routes import take
from empirical.dual.statistics import Scope
from empirical.kernels.layouts import LAYOUTS
from meanfield.spec import FIM, NTK, InputMetric, Network
from meanfield.spec.activations import activation_names, as_activation

cupy = pytest.importorskip("cupy", reason="CuPy is not installed: names and signatures not checked")


class Recorder:
    """A namespace that notes each call: name → the argument lists."""

    def __init__(self, namespace, calls, prefix=""):
        self._namespace, self._calls, self._prefix = namespace, calls, prefix

    def __getattr__(self, name):
        found = getattr(self._namespace, name)
        if inspect.ismodule(found):
            return Recorder(found, self._calls, f"{self._prefix}{name}.")
        if isinstance(found, type) or not callable(found):
            return found

        def noted(*arguments, **keywords):
            self._calls.setdefault(self._prefix + name, []).append((arguments, keywords))
            return found(*arguments, **keywords)

        return noted


class RecordingBackend(Backend):
    name = "recording"

    def __init__(self):
        self.calls = {}
        super().__init__(Recorder(array_api_compat.numpy, self.calls), "cpu", "float64")

    def erf(self, x):
        return scipy.special.erf(x)


@pytest.fixture(scope="module")
def calls(draw_network):
    backend = RecordingBackend()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("empirical.kernels.network.make_backend", lambda name, dtype: backend)
        options = {"width": 6, "block": 2, "memory": 10**8}
        for outputs in LAYOUTS:
            empirical_kernel(Network(2, "tanh", 2.0, outputs=2), [[1.0] * 6] * 3, outputs=outputs, **options)
        empirical_diagonal(Network(2, "tanh", 2.0, outputs=2), [[1.0] * 6] * 3, InputMetric(), **options)
    network = Network(3, ("tanh", "relu"), 2.0, 0.3, outputs=3)
    metrics = [FIM(), NTK(loss="cross_entropy"), InputMetric(centered=True), FIM(2, "cross_entropy", True)]
    drawn = draw_network(network, 12, 110, 3, backend)  # large enough for Lanczos on the matrix
    for route, spectrum in (("dense", "full"), ("dense", "extremes"), ("blocks", "extremes"), ("probes", "extremes")):
        take(Plan(route, 40, 2, 0, 0.0), metrics, drawn, Scope(spectrum, True))
    for activation in activation_names():
        for order in (0, 1):
            as_activation(activation).function(backend.functions, order)(backend.zeros((3, 2)))
    return backend.calls


def resolve(root, path):
    for name in path.split("."):
        root = getattr(root, name)
    return root


def takes(function, arguments, keywords):
    """Whether the call fits the signature; elementwise ufuncs have none and take arrays alone."""
    if isinstance(function, cupy.ufunc):
        return not keywords
    try:
        inspect.signature(function).bind(*arguments, **keywords)
    except TypeError:
        return False
    return True


def test_namespace_takes_every_call(calls):
    import array_api_compat.cupy as xp

    assert {"eye", "zeros", "linalg.qr", "linalg.eigvalsh", "permute_dims", "tanh"} <= set(calls)
    for name, made in calls.items():
        function = resolve(xp, name)
        assert [c for c in made if not takes(function, *c)] == [], name
    assert not takes(xp.stack, ([],), {"colour": 1})  # so that the test can fail


def attributes(tree):
    """The dotted names in a source: ``cupy.cuda.runtime.memGetInfo``."""
    for node in ast.walk(tree):
        path, inner = [], node
        while isinstance(inner, ast.Attribute):
            path.insert(0, inner.attr)
            inner = inner.value
        if path and isinstance(inner, ast.Name):
            yield inner.id, ".".join(path)


def test_backend_names_what_cupy_has():
    import cupyx
    import cupyx.scipy.special

    source = Path(empirical.backends.__file__).with_name("cupy.py").read_text()
    used = set(attributes(ast.parse(source)))
    assert ("cupyx", "scipy.special.erf") in used
    for root, path in used:
        if root in ("cupy", "cupyx"):
            resolve({"cupy": cupy, "cupyx": cupyx}[root], path)


def test_backend_calls_cupy_as_it_wants():
    import cupyx
    import cupyx.scipy.special

    for function, arguments, keywords in (
        (cupy.asarray, (0,), {"dtype": None}),
        (cupy.asnumpy, (0,), {}),
        (cupy.linalg.eigvalsh, (0,), {}),
        (cupyx.errstate, (), {"linalg": "raise"}),
        (cupy.random.Generator.standard_normal, (None, (2, 2)), {"dtype": None}),
    ):
        inspect.signature(function).bind(*arguments, **keywords)
    assert isinstance(cupyx.scipy.special.erf, cupy.ufunc)
    assert issubclass(cupy.cuda.memory.OutOfMemoryError, MemoryError)  # what Backend.is_out_of_memory looks for
    for name in ("getDeviceCount", "CUDARuntimeError"):  # the probe's
        assert hasattr(cupy.cuda.runtime, name)
    for name in ("free_bytes", "free_all_blocks"):
        assert hasattr(cupy.get_default_memory_pool(), name)
    for name in ("synchronize", "__enter__", "__exit__"):
        assert hasattr(cupy.cuda.Device, name)


def test_probe_finds_what_is_missing():
    assert probe("cupy").code in {"no-driver", "no-device", "ok"}


def test_tf32_is_refused(monkeypatch):
    from empirical.backends.cupy import CupyBackend

    monkeypatch.setenv("CUPY_TF32", "1")
    with pytest.raises(ValueError, match="CUPY_TF32: expected 0 or unset, got '1'"):
        CupyBackend("float32")


def test_errors_of_linear_algebra_are_raised_and_host_arrays_are_copied(monkeypatch):
    """On a backend whose device is a stand-in: what is asked of CuPy, not what CuPy does."""
    import contextlib

    import cupyx
    import numpy as np

    from empirical.backends.cupy import CupyBackend

    backend = CupyBackend.__new__(CupyBackend)
    backend.device = contextlib.nullcontext()
    with backend.strict():
        assert cupyx.geterr()["linalg"] == "raise"
    monkeypatch.setattr(cupy, "asnumpy", lambda array: np.asarray([array, 2], dtype=np.float32))
    found = backend.host(1)
    assert found.dtype == np.float64
    assert found.tolist() == [1, 2]
