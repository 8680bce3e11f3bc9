"""Where a number comes from: code, libraries, threads, seed."""

from __future__ import annotations

import functools
import hashlib
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import meanfield.spec
import meanfield.spec.activations
import meanfield.spec.expressions
from empirical.backends.base import Backend
from meanfield.spec.distribution import distribution_version

__all__ = ["code_hash", "describe_run"]


@functools.cache
def code_hash() -> str:
    """SHA-256 (hex) of the code that measures: `empirical` and the modules of `meanfield` that it imports."""
    package = Path(__file__).parent
    shared = [Path(m.__file__ or "") for m in (meanfield.spec.activations, meanfield.spec.expressions, meanfield.spec)]
    digest = hashlib.sha256()
    for path in [*sorted(package.rglob("*.py")), *shared]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def describe_run(backend: Backend, seconds: float, **more: Any) -> dict[str, Any]:
    """The record that travels with every measurement: JSON-ready if ``more`` is."""
    described = backend.describe()
    return {
        **described,
        "versions": {
            "python": platform.python_version(),
            "meanfield": distribution_version(),
            "array-api-compat": version("array-api-compat"),
            **described["versions"],
        },
        "threads": _threads(),
        "code": code_hash(),
        "seconds": seconds,
        **more,
    }


def _threads() -> dict[str, int]:
    """The most threads that a library of each kind may use: NumPy and SciPy, for one, bring a BLAS each."""
    from threadpoolctl import threadpool_info

    pools = [(f"{p['user_api']}:{p['internal_api']}", int(p["num_threads"])) for p in threadpool_info()]
    return {name: max(n for other, n in pools if other == name) for name, _ in pools}
