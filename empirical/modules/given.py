"""What is given: a torch module with its numbers, and samples. Each thing that can't be measured has a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parameter import is_lazy

__all__ = ["PARAMETERS", "check_model", "chosen_parameters", "model_inputs", "model_state"]

PARAMETERS = ("all", "trainable")

_MODULES: tuple[tuple[Callable[[nn.Module], bool], str], ...] = (
    (
        lambda m: isinstance(m, torch.jit.ScriptModule),
        "a module written in Python, got a ScriptModule{at}; measure the one that it was compiled from",
    ),
    (
        lambda m: isinstance(m, nn.DataParallel | nn.parallel.DistributedDataParallel),
        "the module itself, got it wrapped in {kind}{at}; measure its .module",
    ),
    (lambda m: hasattr(m, "_orig_mod"), "the module itself, got it compiled{at}; measure its ._orig_mod"),
    (
        lambda m: "eval" in vars(m),
        "a module written in Python, got an exported one{at}; measure that which was exported",
    ),
    (lambda m: m.training, "eval mode, got training mode{at}; model.eval() sets it"),
    (
        lambda m: isinstance(m, _BatchNorm) and m.running_mean is None,
        "running statistics, got {kind}{at} that takes them from the samples at hand",
    ),
)


def check_model(model: Any) -> None:
    """Raise ``TypeError`` or ``ValueError`` for what isn't a module in eval mode whose numbers can be exchanged."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model: expected a torch.nn.Module, got {type(model).__name__}")
    for name, module in model.named_modules():
        for is_so, sentence in _MODULES:
            if is_so(module):
                at = f" at {name!r}" if name else ""
                raise ValueError(f"model: expected {sentence.format(kind=type(module).__name__, at=at)}")
    tensors = [*model.named_parameters(), *model.named_buffers()]
    for name, x in tensors:
        if reason := _not_ordinary(x):
            raise ValueError(f"model: expected ordinary tensors, got {reason} in {name}")
    for name, x in model.named_parameters():
        if x.is_complex():
            raise ValueError(f"model: expected real parameters, got complex ones in {name}")
        if not torch.isfinite(x).all():
            raise ValueError(f"model: expected finite parameters, got NaN or infinity in {name}")
    devices = sorted({str(x.device) for _, x in tensors})
    if len(devices) > 1:
        raise ValueError(f"model: expected one device, got {' and '.join(devices)}")


def chosen_parameters(model: nn.Module, which: str) -> tuple[str, ...]:
    """The names of the parameters that count: all real ones, or those that are trained; a shared one once."""
    if which not in PARAMETERS:
        raise ValueError(f"parameters: expected one of {', '.join(PARAMETERS)}, got {which!r}")
    real = {n: p for n, p in model.named_parameters() if p.is_floating_point()}
    if not real:
        raise ValueError("model: expected parameters, got none")
    names = tuple(n for n, p in real.items() if which == "all" or p.requires_grad)
    if not names:
        raise ValueError("parameters: expected trainable ones, got a model whose parameters are all frozen")
    return names


def model_state(model: nn.Module, dtype: str) -> dict[str, torch.Tensor]:
    """Copies of the model's parameters and buffers, the real ones in ``dtype``; all real parameters with a gradient."""
    kind = getattr(torch, dtype)
    state = {n: _copied(x, kind) for n, x in [*model.named_parameters(), *model.named_buffers()]}
    for name, p in model.named_parameters():
        state[name].requires_grad_(p.is_floating_point())
    return state


def model_inputs(inputs: Any, kind: torch.dtype) -> torch.Tensor:
    """A copy of the samples as a tensor, floating-point ones in the type ``kind``, checked."""
    x = inputs if isinstance(inputs, torch.Tensor) else _from_array(inputs)
    if reason := _not_ordinary(x):
        raise ValueError(f"inputs: expected an ordinary tensor, got {reason}")
    if x.ndim == 0 or x.shape[0] == 0:
        raise ValueError(f"inputs: expected shape (N, ...) with N >= 1, got {tuple(x.shape)}")
    if x.is_complex():
        raise ValueError("inputs: expected real numbers, got complex ones")
    x = _copied(x, kind)
    if x.is_floating_point() and not torch.isfinite(x).all():
        raise ValueError("inputs: expected finite numbers, got NaN or infinity")
    return x


def _from_array(inputs: Any) -> torch.Tensor:
    """Any array of numbers: flipped and big-endian ones are copied."""
    try:
        array = np.ascontiguousarray(inputs) if np.ndim(inputs) else np.asarray(inputs)
        if array.dtype.kind == "f" and array.dtype.itemsize > 8:
            array = array.astype(np.float64)
        return torch.tensor(array.astype(array.dtype.newbyteorder("="), copy=False))
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"inputs: expected a tensor or an array of numbers, got {type(inputs).__name__}") from None


def _copied(x: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
    return (x.detach().to(kind) if x.is_floating_point() else x.detach()).clone()


def _not_ordinary(x: torch.Tensor) -> str:
    """Why a tensor's numbers can't be taken as they are, or nothing."""
    if is_lazy(x):
        return "lazy ones, which get their shape when a first batch passes through,"
    if x.is_nested:
        return "a nested one"
    if x.layout != torch.strided:
        return "a sparse one, which to_dense() makes ordinary,"
    if x.device.type == "meta":
        return "one on the meta device, which holds no numbers,"
    return ""
