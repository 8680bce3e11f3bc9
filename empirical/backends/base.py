"""What a backend is: an array-API namespace, one device, one dtype, and shims for what the array API lacks.

Everything else in `empirical` is written once, in the array API. An array made by a backend lies on its device and
has its dtype; `asarray` and `host` are the only ways in and out, so no transfer is hidden.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from meanfield.spec.activations import array_functions

__all__ = ["DTYPES", "Array", "Backend"]

Array = Any
DTYPES = ("float64", "float32")


class Backend:
    """The array API's own way of doing things on one device. Backends override what their library does otherwise.

    Attributes
    ----------
    xp
        The array-API namespace.
    device, dtype
        Where its arrays lie, and their floating-point type.
    precision, dtype_bytes
        The name of the dtype, ``"float64"`` or ``"float32"``, and its size.
    """

    name: ClassVar[str]

    def __init__(self, xp: Any, device: Any, precision: str) -> None:
        self.xp = xp
        self.device = device
        self.precision = precision
        self.dtype = getattr(xp, precision)
        self.dtype_bytes = np.dtype(precision).itemsize
        self.functions = array_functions(xp, self.erf)

    def asarray(self, host: NDArray[Any]) -> Array:
        """A NumPy array as an array of this backend (device and dtype)."""
        return self.xp.asarray(host, dtype=self.dtype, device=self.device)

    def host(self, array: Array) -> NDArray[np.float64]:
        """An array of this backend as a NumPy float64 array."""
        return np.asarray(array, dtype=np.float64)

    def zeros(self, shape: tuple[int, ...]) -> Array:
        return self.xp.zeros(shape, dtype=self.dtype, device=self.device)

    def eye(self, size: int) -> Array:
        return self.xp.eye(size, dtype=self.dtype, device=self.device)

    def erf(self, x: Array) -> Array:
        """The error function, which the array API lacks."""
        raise NotImplementedError(f"erf: backend {self.name} has none")

    def gram(self, x: Array) -> Array:
        """``x xᵀ`` for a matrix x (rows × columns): symmetric to the last bit, at about half a product's cost."""
        rows = x.shape[0]
        step = max(256, -(-rows // 16))
        product = self.zeros((rows, rows))
        for start in range(0, rows, step):
            stop = min(start + step, rows)
            slab = self.xp.matmul(x[start:stop, :], x[:stop, :].T)
            product[start:stop, :start] = slab[:, :start]
            product[:start, start:stop] = slab[:, :start].T
            square = slab[:, start:]  # whose two triangles some BLAS round differently
            product[start:stop, start:stop] = (square + square.T) / 2
        return product

    def eigvalsh(self, matrix: Array) -> Array:
        """All eigenvalues of a symmetric matrix, ascending."""
        return self.xp.linalg.eigvalsh(matrix)

    def eigh(self, matrix: Array) -> tuple[Array, Array]:
        """All eigenvalues, ascending, and eigenvectors (columns) of a symmetric matrix."""
        values, vectors = self.xp.linalg.eigh(matrix)
        return values, vectors

    def free_memory(self) -> int:
        """Bytes that can still be taken on the device."""
        raise NotImplementedError(f"free_memory: backend {self.name} can't tell")

    def is_out_of_memory(self, error: Exception) -> bool:
        """Whether the device had no memory left."""
        return isinstance(error, MemoryError)

    def release(self) -> None:
        """Give cached memory back to the device."""

    def synchronize(self) -> None:
        """Wait until the device has done what it was told: before a clock is read."""

    def standard_normal(self, seed: SeedSequence, shape: tuple[int, ...]) -> Array:
        """Standard normal numbers drawn on the device (``rng="device"``)."""
        return self.asarray(np.random.default_rng(seed).standard_normal(shape))

    def strict(self) -> AbstractContextManager[Any]:
        """Within it the library reports what goes wrong instead of returning rubbish."""
        return nullcontext()

    def describe(self) -> dict[str, Any]:
        """What a result must record about where it was computed: JSON-ready."""
        return {
            "backend": self.name,
            "device": str(self.device),
            "dtype": self.precision,
            "tf32": False,
            "versions": self.versions(),
        }

    def versions(self) -> dict[str, str]:
        """The versions of the libraries the numbers went through."""
        return {}
