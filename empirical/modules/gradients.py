"""Dense gradients ``∂f_k(n)/∂θ`` (C, N, P) of named parameters, by two ways: torch.func, many samples at a time, and
plain autograd, one sample and one output at a time, which does whatever can be trained at all."""

from __future__ import annotations

import warnings

import torch

from empirical.backends.base import Array
from empirical.modules.tracing import Replica

__all__ = ["by_autograd", "by_torch_func", "pulled_one_by_one"]

CHUNK = 2**24  # numbers of a Jacobian made at once


def by_torch_func(replica: Replica, names: tuple[str, ...], x: torch.Tensor, outputs: int) -> Array:
    """``vmap(jacrev)``, a chunk of samples at a time."""
    fixed = {n: p.detach() for n, p in replica.state.items()}
    chosen = {n: fixed.pop(n) for n in names}
    numbers = outputs * sum(p.numel() for p in chosen.values())

    def of_one(parameters: dict[str, torch.Tensor], sample: torch.Tensor) -> torch.Tensor:
        buffers = {n: y.clone() for n, y in fixed.items()}
        made: torch.Tensor = replica(sample[None], {**buffers, **parameters})
        return made.reshape(outputs)

    take = torch.func.vmap(torch.func.jacrev(of_one), in_dims=(None, 0), chunk_size=max(1, CHUNK // max(1, numbers)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of operations that it loops over
        jacobians = take(chosen, x.detach())
    flat = [j.reshape(*j.shape[:2], -1) for j in jacobians.values()]
    return torch.cat(flat, dim=2).transpose(0, 1).detach()


def by_autograd(replica: Replica, names: tuple[str, ...], x: torch.Tensor) -> Array:
    """A backward pass for each output of each sample, which passes alone."""
    rows = []
    for sample in x.detach().split(1):
        outputs, leaves = replica.outputs_of(sample)
        chosen = [leaves[n] for n in names]
        for f in outputs[0]:
            made = torch.autograd.grad(f, chosen, retain_graph=True, materialize_grads=True)
            rows.append(torch.cat([g.flatten() for g in made]))
    return torch.stack(rows).reshape(len(x), -1, len(rows[0])).transpose(0, 1)


def pulled_one_by_one(replica: Replica, names: tuple[str, ...], x: torch.Tensor, v: torch.Tensor) -> float:
    """|Jᵀv|² for v (N, C), by one backward pass for each sample."""
    sums = [torch.zeros_like(replica.state[n]) for n in names]
    for sample, weights in zip(x.detach().split(1), v, strict=True):
        outputs, leaves = replica.outputs_of(sample)
        made = torch.autograd.grad(outputs[0], [leaves[n] for n in names], weights, materialize_grads=True)
        sums = [a + b for a, b in zip(sums, made, strict=True)]
    return sum(float((s**2).sum()) for s in sums)
