"""Whether a model computes in a lower precision than asked, and in which of its modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["lower_precision"]


def lower_precision(model: nn.Module, run: Callable[[], Any], dtype: torch.dtype, deviation: float = 0.0) -> str:
    """One sentence that tells the lowest precision met in a pass, or nothing where none is below ``dtype``, or none so
    low that it explains this relative ``deviation``."""
    stack: list[str] = []
    seen = _Seen(stack)
    with torch.enable_grad(), _names(model, stack), seen, suppress(Exception):  # failing passes, too
        run()
    if seen.lowest is None or _eps(seen.lowest) <= _eps(dtype) or deviation > _eps(seen.lowest) ** 0.5:
        return ""
    helps = "; dtype='float32' measures it in that precision" if _eps(seen.lowest) <= _eps(torch.float32) else ""
    wanted, got = (str(kind).removeprefix("torch.") for kind in (dtype, seen.lowest))
    return f"model: expected one that computes in {wanted}, got {got} inside {seen.where}{helps}"


class _Seen(TorchDispatchMode):
    """The lowest precision of what torch's operations return."""

    def __init__(self, stack: list[str]) -> None:
        super().__init__()
        self.stack, self.lowest, self.where = stack, None, ""

    lowest: torch.dtype | None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for x in made if isinstance(made, tuple | list) else (made,):
            numbers = isinstance(x, torch.Tensor) and (x.is_floating_point() or x.is_complex())
            if numbers and (self.lowest is None or _eps(x.dtype) > _eps(self.lowest)):
                self.lowest, self.where = x.dtype, self.stack[-1] if self.stack else "the model"
        return made


def _eps(dtype: torch.dtype) -> float:
    return float(torch.finfo(dtype).eps)


@contextmanager
def _names(model: nn.Module, stack: list[str]) -> Iterator[None]:
    """Within it ``stack`` ends with the module that is running."""
    hooks = []
    for name, module in model.named_modules():
        where = f"{name!r} ({type(module).__name__})" if name else type(module).__name__
        hooks.append(module.register_forward_pre_hook(lambda *_, where=where: stack.append(where)))
        hooks.append(module.register_forward_hook(lambda *_: (stack.pop(), None)[1], always_call=False))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
