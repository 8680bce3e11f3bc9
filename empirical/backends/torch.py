"""PyTorch on the CPU or a CUDA device. TF32 is forbidden while anything is computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import array_api_compat.torch as xp
import numpy as np
import torch
from numpy.random import SeedSequence
from numpy.typing import NDArray

from empirical.backends.base import Array, Backend
from empirical.backends.host_memory import available_bytes

__all__ = ["TorchBackend"]


class TorchBackend(Backend):
    """``device``: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, or ``"meta"`` for shapes without numbers."""

    name = "torch"

    def __init__(self, precision: str, device: str = "cpu") -> None:
        super().__init__(xp, torch.device(device), precision)

    def host(self, array: Array) -> NDArray[np.float64]:
        return np.asarray(array.detach().cpu().numpy(), dtype=np.float64)

    def erf(self, x: Array) -> Array:
        return torch.erf(x)

    def free_memory(self) -> int:
        if self.device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(self.device)
            cached = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)
            return int(free + cached)
        return available_bytes()

    def is_out_of_memory(self, error: Exception) -> bool:
        # The CPU's allocator raises a plain RuntimeError.
        return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
            isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
        )

    def release(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def synchronize(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def standard_normal(self, seed: SeedSequence, shape: tuple[int, ...]) -> Array:
        generator = torch.Generator(self.device).manual_seed(int(seed.generate_state(1, np.uint64)[0] >> np.uint64(1)))
        return torch.randn(shape, generator=generator, dtype=self.dtype, device=self.device)

    def strict(self) -> AbstractContextManager[Any]:
        return _exact()

    def versions(self) -> dict[str, str]:
        cuda = {"cuda": str(torch.version.cuda)} if self.device.type == "cuda" else {}
        return {"numpy": np.__version__, "torch": torch.__version__, **cuda}


@contextmanager
def _exact() -> Iterator[None]:
    """No gradients kept, no autocast, and float32 products and convolutions in float32, not TF32: the user's settings
    come back afterwards."""
    matmul, convolution = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        with ExitStack() as stack:
            stack.enter_context(torch.no_grad())
            for kind in ("cpu", "cuda"):
                if torch.is_autocast_enabled(kind):
                    stack.enter_context(torch.autocast(kind, enabled=False))
            yield
    finally:
        torch.set_float32_matmul_precision(matmul)
        torch.backends.cudnn.allow_tf32 = convolution
