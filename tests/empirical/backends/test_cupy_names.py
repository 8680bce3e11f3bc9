"""Every name of CuPy that the backend uses, and how it is called. CuPy imports without a driver."""

import inspect

import pytest

from empirical.backends.probing import probe

cupy = pytest.importorskip("cupy", reason="CuPy is not installed: names and signatures not checked")

NAMESPACE = (
    "asarray", "zeros", "eye", "float64", "float32", "reshape", "permute_dims", "concat", "stack", "flip", "sum",
    "mean", "broadcast_to", "max", "exp", "sqrt", "matmul", "vecdot", "where", "sign", "logaddexp", "atan", "cos",
    "cosh", "expm1", "log", "log1p", "sin", "sinh", "tanh",
)  # fmt: skip
LINEAR_ALGEBRA = ("vecdot", "trace", "diagonal", "qr", "eigh", "eigvalsh")


def test_namespace_has_every_name():
    import array_api_compat.cupy as xp

    assert [n for n in NAMESPACE if not hasattr(xp, n)] == []
    assert [n for n in LINEAR_ALGEBRA if not hasattr(xp.linalg, n)] == []


def test_signatures_take_our_arguments():
    import array_api_compat.cupy as xp
    import cupyx
    import cupyx.scipy.special

    calls = [
        (xp.zeros, ((3, 3),), {"dtype": None, "device": None}),
        (xp.eye, (3,), {"dtype": None, "device": None}),
        (xp.vecdot, (0, 0), {"axis": -2}),
        (xp.linalg.vecdot, (0, 0), {}),
        (xp.linalg.qr, (0,), {}),
        (xp.linalg.trace, (0,), {}),
        (xp.concat, ([],), {"axis": 1}),
        (xp.stack, ([],), {"axis": 2}),
        (xp.mean, (0,), {"axis": 1, "keepdims": True}),
        (xp.sum, (0,), {"axis": 0, "keepdims": True}),
        (xp.max, (0,), {"axis": 1, "keepdims": True}),
        (xp.flip, (0,), {"axis": 1}),
        (cupy.asarray, (0,), {"dtype": None}),
        (cupy.linalg.eigvalsh, (0,), {}),
        (cupyx.errstate, (), {"linalg": "raise"}),
        (cupy.random.Generator.standard_normal, (None, (2, 2)), {"dtype": None}),
    ]
    for function, arguments, keywords in calls:
        inspect.signature(function).bind(*arguments, **keywords)
    assert isinstance(cupyx.scipy.special.erf, cupy.ufunc)
    assert issubclass(cupy.cuda.memory.OutOfMemoryError, MemoryError)
    for name in ("memGetInfo", "driverGetVersion", "runtimeGetVersion", "getDeviceCount", "CUDARuntimeError"):
        assert hasattr(cupy.cuda.runtime, name)
    for name in ("free_bytes", "free_all_blocks"):
        assert hasattr(cupy.get_default_memory_pool(), name)
    for name in ("synchronize", "__enter__", "__exit__"):
        assert hasattr(cupy.cuda.Device, name)
    assert hasattr(cupy.random, "Philox4x3210")


def test_probe_finds_what_is_missing():
    assert probe("cupy").code in {"no-driver", "no-device", "ok"}
