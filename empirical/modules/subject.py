"""A torch module on its samples, passed forward and backward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from empirical.backends.torch import TorchBackend
from empirical.modules.memory import check_memory
from empirical.modules.outputs import check_outputs, generator, parts_of
from empirical.modules.precision import lower_precision
from empirical.modules.signals import Signal, signals_of
from empirical.modules.tracing import NotOutputs, Place, Replica, Trace
from meanfield.spec import Metric

__all__ = ["Subject", "first_pass", "subject_after", "subject_of"]


@dataclass(frozen=True)
class Subject:
    """A model on its samples, passed forward and backward: the ``whole`` batch, what passes its layers sample by
    sample, and |Jᵀv|² by parameter for one random ``cotangent`` v (N, C)."""

    replica: Replica
    inputs: torch.Tensor
    whole: Trace
    signals: dict[Place, Signal]
    cotangent: torch.Tensor
    pulled: dict[str, float]
    backend: TorchBackend


def subject_of(
    replica: Replica, x: torch.Tensor, metrics: Sequence[Metric], memory: int | None, backend: TorchBackend
) -> Subject:
    """The model run on its inputs: on one sample first, which tells what all of them need."""
    one = first_pass(replica, x, metrics, backend)
    check_memory(one, len(x), memory, backend)
    return subject_after(one, replica, x, backend)


def first_pass(replica: Replica, x: torch.Tensor, metrics: Sequence[Metric], backend: TorchBackend) -> Trace:
    """The pass of the first sample, held against what the metrics ask for."""
    one = _run(replica, x[:1].detach(), backend)
    for asked in metrics:
        check_layer(asked, one, replica)
        asked.check_outputs(one.outputs.shape[1])
    return one


def subject_after(one: Trace, replica: Replica, x: torch.Tensor, backend: TorchBackend) -> Subject:
    """The model run on all of its inputs, after the pass of one."""
    x = x.requires_grad_(x.is_floating_point())
    whole = _run(replica, x, backend)
    try:
        parts = parts_of(replica, x)
        check_outputs(replica, x, whole, parts)
        v = torch.randn(whole.outputs.shape, generator=generator(), dtype=torch.float64).to(whole.outputs)
        signals = signals_of(replica, x, one, whole, parts, v)
        pulled = _pulled(replica, whole, v)
    except RuntimeError as error:
        if backend.is_out_of_memory(error):
            raise
        raise ValueError(_without_gradients(whole, error)) from error
    return Subject(replica, x, whole, signals, v, pulled, backend)


def check_layer(metric: Metric, trace: Trace, replica: Replica) -> None:
    """That the metric's layer is one of the model's, with parameters of its own for a metric over them."""
    allowed = metric.layers(len(trace.calls))
    if metric.layer is None:
        return
    if metric.layer not in allowed:
        raise ValueError(f"layer: expected {allowed[0]}..{allowed[-1]} for {metric.family} here, got {metric.layer}")
    call = trace.calls[metric.layer - allowed[0]]
    own = [p for n, p in call.parameters.items() if n in replica.names and p.numel()]
    if allowed[0] == 1 and not own:
        raise ValueError(f"layer: expected one with parameters that count, got {metric.layer}, {call}, which has none")


def _run(replica: Replica, x: torch.Tensor, backend: TorchBackend) -> Trace:
    try:
        return replica.trace(x)
    except NotOutputs:
        raise
    except Exception as error:
        if backend.is_out_of_memory(error):
            raise
        reason = _reason(error) or type(error).__name__
        of_types = any(word in reason for word in ("type", "double", "float", "Double", "Float"))
        sentence = lower_precision(replica.model, lambda: replica(x), replica.dtype) if of_types else ""
        sentence = sentence or (_plain_attribute(replica) if of_types else "")
        got = f"shape {tuple(x.shape)} and {x.dtype}"
        raise ValueError(
            sentence or f"inputs: expected samples that the model takes in any number, got {got}: {reason}"
        ) from error


def _plain_attribute(replica: Replica) -> str:
    """A sentence if the model holds a tensor of another precision that is neither parameter nor buffer."""
    for where, module in replica.model.named_modules():
        for name, value in vars(module).items():
            if isinstance(value, torch.Tensor) and value.is_floating_point() and value.dtype != replica.dtype:
                wanted, got = (str(kind).removeprefix("torch.") for kind in (replica.dtype, value.dtype))
                return (
                    f"model: expected tensors that are parameters or buffers (register_buffer), which are taken in "
                    f"{wanted}, got a plain one in {got}, {f'{where}.' if where else ''}{name}"
                )
    return ""


def _pulled(replica: Replica, trace: Trace, v: torch.Tensor) -> dict[str, float]:
    """|Jᵀv|² of each parameter by one backward pass."""
    chosen = [trace.leaves[n] for n in replica.names]
    gradients = torch.autograd.grad(trace.outputs, chosen, v, retain_graph=True, materialize_grads=True)
    return {n: float((g**2).sum()) for n, g in zip(replica.names, gradients, strict=True)}


def _without_gradients(trace: Trace, error: RuntimeError) -> str:
    if trace.overwritten:
        return (
            f"model: expected a model that keeps its layers' inputs, got one that overwrites {trace.overwritten[0]}'s"
        )
    return f"model: expected gradients by autograd, got {_reason(error)}"


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())
