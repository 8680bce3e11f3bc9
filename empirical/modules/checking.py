"""Whether a torch module and its inputs can be measured: what is given, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from meanfield.spec import Metric

__all__ = [
    "check_layer", "check_outputs", "check_shape", "generator", "model_inputs", "model_state",
]  # fmt: skip


def model_state(model: Any, dtype: str) -> dict[str, torch.Tensor]:
    """The model's parameters and buffers in ``dtype``, checked."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model: expected a torch.nn.Module, got {type(model).__name__}")
    if any(m.training for m in model.modules()):
        raise ValueError("model: expected eval mode, got training mode; model.eval() sets it")
    state = {n: _cast(x, getattr(torch, dtype)) for n, x in [*model.named_parameters(), *model.named_buffers()]}
    for name, _ in model.named_parameters():
        if not torch.isfinite(state[name]).all():
            raise ValueError(f"model: expected finite parameters, got NaN or infinity in {name}")
        state[name].requires_grad_()
    if not any(True for _ in model.parameters()):
        raise ValueError("model: expected parameters, got none")
    return state


def _cast(x: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
    return x.detach().to(kind).clone() if x.is_floating_point() else x.detach()


def model_inputs(inputs: Any, kind: torch.dtype) -> torch.Tensor:
    """The samples as a tensor, floating-point ones in the type ``kind``, checked."""
    try:
        x = inputs if isinstance(inputs, torch.Tensor) else torch.tensor(np.asarray(inputs))
    except (TypeError, ValueError):
        raise TypeError(f"inputs: expected a tensor or an array of numbers, got {type(inputs).__name__}") from None
    if x.ndim == 0 or x.shape[0] == 0:
        raise ValueError(f"inputs: expected shape (N, ...) with N >= 1, got {tuple(x.shape)}")
    if x.is_complex():
        raise ValueError("inputs: expected real numbers, got complex ones")
    x = _cast(x, kind)
    if x.is_floating_point() and not torch.isfinite(x).all():
        raise ValueError("inputs: expected finite numbers, got NaN or infinity")
    return x


def check_shape(outputs: Any, samples: int) -> None:
    """That they are (N, C)."""
    if not isinstance(outputs, torch.Tensor) or outputs.ndim != 2 or outputs.shape[0] != samples:
        got = tuple(outputs.shape) if isinstance(outputs, torch.Tensor) else type(outputs).__name__
        raise ValueError(f"model: expected outputs of shape ({samples}, C), got {got}")


def check_outputs(model: nn.Module, state: Mapping[str, torch.Tensor], x: torch.Tensor, outputs: torch.Tensor) -> None:
    """That they are finite, the same each time, and each sample's its own."""
    if not torch.isfinite(outputs).all():
        raise ValueError("model: expected finite outputs, got NaN or infinity")

    def again(chosen: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = torch.func.functional_call(model, dict(state), (chosen.detach(),))
        return made

    if not _close(again(x), outputs):
        raise ValueError("model: expected a deterministic model, got outputs that differ between two passes")
    order = torch.randperm(len(x), generator=generator()).to(x.device)
    parts = [part for part in order.tensor_split(2) if len(part)]
    if not all(_close(again(x[part]), outputs[part]) for part in parts) or not _is_block_diagonal(x, outputs):
        raise ValueError("model: expected outputs of one sample each, got ones that mix samples")


def _is_block_diagonal(x: torch.Tensor, outputs: torch.Tensor) -> bool:
    """Whether ∂f(n)/∂x(m) is 0 for n ≠ m: the gradient of Σ_n a_n v_n·f(n) is then a_m times that of Σ_n v_n·f(n)."""
    if not x.requires_grad:
        return True
    random = generator()
    v = torch.randn(outputs.shape, generator=random, dtype=torch.float64).to(outputs)
    a = torch.randn((len(x), 1), generator=random, dtype=torch.float64).to(outputs)
    one, other = (
        torch.autograd.grad(outputs, x, cotangent, retain_graph=True, materialize_grads=True)[0].flatten(1)
        for cotangent in (v, a * v)
    )
    return _close(a * one, other)


def _close(found: torch.Tensor, expected: torch.Tensor) -> bool:
    if found.shape != expected.shape:
        return False
    rounding = torch.finfo(expected.dtype).eps ** 0.75
    return bool(((found - expected).abs() <= rounding * expected.abs().max()).all())


def generator() -> torch.Generator:
    """Always the same one: a result depends on the model alone."""
    return torch.Generator().manual_seed(20191022)


def check_layer(metric: Metric, depth: int) -> None:
    """That the metric's layer is one of the model's."""
    allowed = metric.layers(depth)
    if metric.layer is not None and metric.layer not in allowed:
        raise ValueError(f"layer: expected {allowed[0]}..{allowed[-1]} for {metric.family} here, got {metric.layer}")
