"""Whether a model's outputs can be measured: finite, the same each time, of one sample each, and of its parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from empirical.modules.precision import lower_precision
from empirical.modules.signals import Part, deviation
from empirical.modules.tracing import Replica, Trace

__all__ = ["check_outputs", "generator", "parts_of"]


def generator() -> torch.Generator:
    """Always the same one: a result depends on the model alone."""
    return torch.Generator().manual_seed(20191022)


def parts_of(replica: Replica, x: torch.Tensor) -> list[Part]:
    """Passes of two random halves of the samples."""
    order = torch.randperm(len(x), generator=generator()).to(x.device)
    return [Part(chosen, replica.trace(x[chosen].detach())) for chosen in order.tensor_split(2) if len(chosen)]


def check_outputs(replica: Replica, x: torch.Tensor, whole: Trace, parts: Sequence[Part]) -> None:
    """Raise ``ValueError`` if they can't be measured."""
    outputs = whole.outputs
    if not torch.isfinite(outputs).all():
        raise ValueError("model: expected finite outputs, got NaN or infinity")
    if not outputs.requires_grad:
        raise ValueError(
            "model: expected outputs with a gradient, got ones without (no_grad, detach or a rounding inside)"
        )
    if made := next((n for n, _ in replica.model.named_parameters() if n not in replica.state), ""):
        raise ValueError(
            f"model: expected one that has all its parameters, got {made} made in a pass; run it once before"
        )
    if reached := _reached_elsewhere(replica, outputs):
        raise ValueError(f"model: expected parameters used through their modules, got {reached} used by another way")
    again = deviation(replica.outputs(x.detach()), outputs)
    halves = max(deviation(part.trace.outputs, outputs[part.chosen]) for part in parts)
    alone = deviation(_one_by_one(replica, x), outputs)
    rounding = float(torch.finfo(outputs.dtype).eps) ** 0.75
    worst = max(again, halves, alone, _off_diagonal(x, outputs))
    if worst <= rounding:
        return
    if sentence := lower_precision(replica.model, lambda: replica(x), replica.dtype, worst):
        raise ValueError(sentence)
    if again > rounding:
        raise ValueError("model: expected a deterministic model, got outputs that differ between two passes")
    raise ValueError("model: expected outputs of one sample each, got ones that mix samples")


def _one_by_one(replica: Replica, x: torch.Tensor) -> torch.Tensor:
    """The outputs of each sample alone: what a length or a maximum over the batch decides shows here."""
    return torch.cat([replica.outputs(sample).detach() for sample in x.detach().split(1)])


def _off_diagonal(x: torch.Tensor, outputs: torch.Tensor) -> float:
    """How far ∂f(n)/∂x(m) is from 0 for n ≠ m: else the gradient of Σ_n a_n v_n·f(n) is a_m times that of
    Σ_n v_n·f(n)."""
    if not x.requires_grad:
        return 0.0
    random = generator()
    v = torch.randn(outputs.shape, generator=random, dtype=torch.float64).to(outputs)
    a = torch.randn((len(x), 1), generator=random, dtype=torch.float64).to(outputs)
    one, other = (
        torch.autograd.grad(outputs, x, cotangent, retain_graph=True, materialize_grads=True)[0].flatten(1)
        for cotangent in (v, a * v)
    )
    return deviation(a * one, other)


def _reached_elsewhere(replica: Replica, outputs: torch.Tensor) -> str:
    """The name of a parameter of the model itself, not of its replica, that the outputs depend on: the module holds it
    in a list, say, too."""
    return next((replica.own[id(leaf)] for leaf in _leaves(outputs.grad_fn) if id(leaf) in replica.own), "")


def _leaves(node: Any) -> Iterator[torch.Tensor]:
    """The leaves of a graph."""
    seen, left = set(), [node]
    while left:
        node = left.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            yield node.variable
        left += [following for following, _ in node.next_functions]
