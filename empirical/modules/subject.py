"""A torch module on its samples, passed forward and backward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from empirical.backends.base import Array
from empirical.backends.torch import TorchBackend
from empirical.modules.checking import check_layer, check_outputs, check_shape, generator
from empirical.modules.memory import check_memory
from empirical.modules.tracing import Trace, pass_through
from meanfield.spec import Metric

__all__ = ["Subject", "subject_of"]


@dataclass(frozen=True)
class Subject:
    """A model on its samples, passed forward and backward: ``deltas`` ∂f/∂u^l and ``features`` ∂f/∂h^{l-1}, (C, N, ...)
    or ``None`` where f doesn't depend on them through one call; ``pulled`` |Jᵀv|² by parameter for one random
    ``cotangent`` v (C, N)."""

    model: nn.Module
    state: Mapping[str, torch.Tensor]
    inputs: torch.Tensor
    trace: Trace
    deltas: list[Array | None]
    features: list[Array | None]
    cotangent: Array
    pulled: dict[str, float]
    backend: TorchBackend


def subject_of(
    model: nn.Module,
    state: Mapping[str, torch.Tensor],
    x: torch.Tensor,
    metrics: Sequence[Metric],
    memory: int | None,
    backend: TorchBackend,
) -> Subject:
    """The model run on its inputs: on one sample first, which tells what all of them need."""
    first = _run(model, state, x[:1].detach(), backend)
    check_shape(first.outputs, 1)
    for asked in metrics:
        check_layer(asked, len(first.calls))
        asked.check_outputs(first.outputs.shape[1])
    check_memory(first, len(x), memory, backend)
    x = x.requires_grad_(x.is_floating_point())
    trace = _run(model, state, x, backend)
    check_shape(trace.outputs, len(x))
    check_outputs(model, state, x, trace.outputs)
    deltas, features = _signals(trace)
    cotangent, pulled = _pulled(model, state, trace)
    return Subject(model, state, x, trace, deltas, features, cotangent, pulled, backend)


def _run(model: nn.Module, state: Mapping[str, torch.Tensor], x: torch.Tensor, backend: TorchBackend) -> Trace:
    try:
        with torch.enable_grad():
            return pass_through(model, state, x)
    except (RuntimeError, TypeError, IndexError) as error:
        if backend.is_out_of_memory(error):
            raise
        reason = " ".join(str(error).split())
        got = f"shape {tuple(x.shape)} and {x.dtype}"
        raise ValueError(f"inputs: expected samples that the model takes, got {got}: {reason}") from error


def _signals(trace: Trace) -> tuple[list[Array | None], list[Array | None]]:
    """∂f/∂u and ∂f/∂h of every layer by one backward pass for each output."""
    tensors = [t for call in trace.calls for t in (call.made, call.given)]
    usable = {i: t for i, t in enumerate(tensors) if isinstance(t, torch.Tensor) and t.requires_grad}
    cotangents = torch.eye(trace.outputs.shape[1]).to(trace.outputs)[:, None, :].expand(-1, *trace.outputs.shape)
    rows = [
        torch.autograd.grad(trace.outputs, list(usable.values()), v, retain_graph=True, materialize_grads=True)
        for v in cotangents
    ]
    stacked = dict(zip(usable, map(torch.stack, zip(*rows, strict=True)), strict=True))
    of = [stacked.get(i) for i in range(len(tensors))]
    return of[0::2], of[1::2]


def _pulled(model: nn.Module, state: Mapping[str, torch.Tensor], trace: Trace) -> tuple[Array, dict[str, float]]:
    """A random cotangent v (C, N), and |Jᵀv|² of each parameter by one backward pass."""
    names = [n for n, _ in model.named_parameters()]
    v = torch.randn(trace.outputs.shape, generator=generator(), dtype=torch.float64)
    v = v.to(trace.outputs)
    gradients = torch.autograd.grad(
        trace.outputs, [state[n] for n in names], v, retain_graph=True, materialize_grads=True
    )
    return v.T, {n: float((g**2).sum()) for n, g in zip(names, gradients, strict=True)}
