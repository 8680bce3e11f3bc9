"""CuPy on a CUDA device; the only place where CuPy is imported.

What CuPy does otherwise than NumPy, and what is done about it: errors of its linear algebra are silent unless asked for
(``strict`` asks); TF32 can be switched on from the environment (refused); its generators take 32 bits of a seed
(``rng="device"`` is recorded as such); its ``eigsh`` and batched ``eigvalsh`` have given wrong results (not used).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import array_api_compat.cupy as xp
import cupy
import cupyx
import cupyx.scipy.special
import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from empirical.backends.base import Array, Backend

__all__ = ["CupyBackend"]


class CupyBackend(Backend):
    """``device``: the number of the CUDA device."""

    name = "cupy"

    def __init__(self, precision: str, device: str = "0") -> None:
        if os.environ.get("CUPY_TF32", "0") != "0":
            raise ValueError(f"CUPY_TF32: expected 0 or unset, got {os.environ['CUPY_TF32']!r}")
        super().__init__(xp, cupy.cuda.Device(int(device)), precision)

    def asarray(self, host: NDArray[Any]) -> Array:
        with self.device:
            return cupy.asarray(host, dtype=self.dtype)

    def host(self, array: Array) -> NDArray[np.float64]:
        return np.asarray(cupy.asnumpy(array), dtype=np.float64)

    def erf(self, x: Array) -> Array:
        return cupyx.scipy.special.erf(x)

    def eigvalsh(self, matrix: Array) -> Array:
        return cupy.linalg.eigvalsh(matrix)

    def free_memory(self) -> int:
        with self.device:
            free, _ = cupy.cuda.runtime.memGetInfo()
            return int(free + cupy.get_default_memory_pool().free_bytes())

    def release(self) -> None:
        cupy.get_default_memory_pool().free_all_blocks()

    def synchronize(self) -> None:
        self.device.synchronize()

    def standard_normal(self, seed: SeedSequence, shape: tuple[int, ...]) -> Array:
        with self.device:
            generator = cupy.random.Generator(cupy.random.Philox4x3210(int(seed.generate_state(1)[0])))
            return generator.standard_normal(shape, dtype=self.dtype)

    def strict(self) -> AbstractContextManager[Any]:
        return self._strict()

    @contextmanager
    def _strict(self) -> Iterator[None]:
        with self.device, cupyx.errstate(linalg="raise"):
            yield

    def versions(self) -> dict[str, str]:
        runtime = cupy.cuda.runtime
        numbers = {"cuda": runtime.runtimeGetVersion(), "driver": runtime.driverGetVersion()}
        return {"numpy": np.__version__, "cupy": cupy.__version__, **{k: str(v) for k, v in numbers.items()}}
