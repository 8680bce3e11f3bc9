"""The model as it was before: its attributes, what their containers hold, and tensors that are neither parameters nor
buffers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

__all__ = ["undisturbed"]


@contextmanager
def undisturbed(model: nn.Module, dtype: torch.dtype) -> Iterator[None]:
    """Whatever a forward pass changes on the model comes back (`prune` keeps the weight it computed last, others a
    history); within it new tensors are made in ``dtype``, as the model's own are."""
    before = [(m, dict(vars(m))) for m in model.modules()]
    contents = [restore for _, attributes in before for value in attributes.values() for restore in _restore(value)]
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


def _restore(value: Any) -> Iterator[Callable[[], None]]:
    """What puts a value's contents back, for the kinds of value that are changed in place."""
    if isinstance(value, list | dict | set):
        held = copy.copy(value)
        yield lambda: _refill(value, held)
    if isinstance(value, torch.Tensor) and not isinstance(value, nn.Parameter):
        version, numbers = value._version, value.detach().clone()
        yield lambda: _put_back(value, version, numbers)
    held_tensors = value if isinstance(value, list | tuple) else value.values() if isinstance(value, dict) else ()
    for inner in held_tensors:
        if isinstance(inner, torch.Tensor):
            yield from _restore(inner)


def _refill(value: Any, held: Any) -> None:
    value.clear()
    (value.extend if isinstance(value, list) else value.update)(held)


def _put_back(x: torch.Tensor, version: int, numbers: torch.Tensor) -> None:
    if x._version != version:
        x.detach().copy_(numbers)
