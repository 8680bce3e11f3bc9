"""NumPy on the CPU, with SciPy's erf and LAPACK."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import array_api_compat.numpy as xp
import numpy as np
import scipy
import scipy.special

from empirical.backends.base import Array, Backend
from empirical.backends.host_memory import available_bytes

__all__ = ["NumpyBackend"]


class NumpyBackend(Backend):
    """The reference backend."""

    name = "numpy"

    def __init__(self, precision: str, device: str = "cpu") -> None:
        if device != "cpu":
            raise ValueError(f"backend: expected numpy on cpu, got numpy:{device}")
        super().__init__(xp, "cpu", precision)

    def erf(self, x: Array) -> Array:
        return scipy.special.erf(x)

    def gram(self, x: Array) -> Array:
        return x @ x.T  # NumPy sees that both are one array and calls BLAS's symmetric product

    def free_memory(self) -> int:
        return available_bytes()

    def strict(self) -> AbstractContextManager[Any]:
        # Overflow is found at the end, in the finished statistics: a warning in the middle of a sweep helps nobody.
        return np.errstate(all="ignore")

    def versions(self) -> dict[str, str]:
        return {"numpy": np.__version__, "scipy": scipy.__version__}
