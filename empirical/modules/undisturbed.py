"""The model as it was before: its parameters and buffers in their places, its attributes, and what these hold:
containers, arrays, tensors and records, one inside another."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

__all__ = ["undisturbed"]


@contextmanager
def undisturbed(model: nn.Module, dtype: torch.dtype) -> Iterator[None]:
    """Whatever a forward pass changes on the model comes back (`prune` keeps the weight it computed last, others a
    history); within it new tensors are made in ``dtype``, as the model's own are."""
    before = [(m, dict(vars(m))) for m in model.modules()]
    seen: set[int] = set()
    contents = [restore for _, attributes in before for v in attributes.values() for restore in _restore(v, seen)]
    default = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(default)
        for module, attributes in before:
            vars(module).clear()
            vars(module).update(attributes)
        for restore in contents:
            restore()


def _restore(value: Any, seen: set[int]) -> Iterator[Callable[[], None]]:
    """What puts a value's contents back, for the kinds of value that are changed in place, and what they hold."""
    if id(value) in seen or isinstance(value, nn.Module | type | ModuleType | FunctionType):
        return
    seen.add(id(value))
    inner: Iterable[Any] = ()
    if isinstance(value, torch.Tensor):
        if not isinstance(value, nn.Parameter):
            version, numbers = value._version, value.detach().clone()
            yield lambda: _put_back(value, version, numbers)
    elif isinstance(value, np.ndarray):
        held = value.copy()
        yield lambda: np.copyto(value, held)
    elif isinstance(value, list | dict | set | deque):
        kept = copy.copy(value)
        yield lambda: _refill(value, kept)
        inner = [*value.values()] if isinstance(value, dict) else [*value]
    elif isinstance(value, tuple):
        inner = value
    elif isinstance(vars_of := getattr(value, "__dict__", None), dict):
        yield from _restore(vars_of, seen)
    for one in inner:
        yield from _restore(one, seen)


def _refill(value: Any, held: Any) -> None:
    value.clear()
    (value.extend if isinstance(value, list | deque) else value.update)(held)


def _put_back(x: torch.Tensor, version: int, numbers: torch.Tensor) -> None:
    if x._version != version:
        x.detach().copy_(numbers)
