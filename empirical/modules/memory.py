"""What a measurement of a torch module takes, told from the pass of one sample."""

from __future__ import annotations

from empirical.backends.base import Backend
from empirical.dual.plan import TooLarge, gibibytes
from empirical.measurement import memory_budget
from empirical.modules.contributions import pairwise_is_cheaper
from empirical.modules.tracing import Call, Trace

__all__ = ["check_memory", "layer_numbers", "passing_numbers"]


def check_memory(first: Trace, samples: int, memory: int | None, backend: Backend) -> None:
    """Raise :class:`TooLarge` if so many samples don't fit."""
    budget = memory_budget(memory, backend)
    needed = bytes_needed(first, samples, backend.dtype_bytes)
    if needed > budget:
        order = samples * first.outputs.shape[1]
        raise TooLarge(
            f"memory: expected a measurement that fits into {gibibytes(budget)}, got one that needs "
            f"{gibibytes(needed)} for {order} outputs × samples"
        )


def bytes_needed(first: Trace, samples: int, itemsize: int) -> int:
    """About what a measurement takes at most, from a trace of one sample: the graph and its signals for every output,
    three matrices of order CN, and what the largest layer needs."""
    outputs = int(first.outputs.shape[1])
    order = outputs * samples
    layers = max(layer_numbers(call, outputs, samples) for call in first.calls)
    return itemsize * (3 * order * order + passing_numbers(first, samples) + layers)


def passing_numbers(first: Trace, samples: int) -> int:
    """Numbers of the graph and its signals for every output."""
    through = sum(int(x.numel()) for x in first.tensors.values())
    return (2 + int(first.outputs.shape[1])) * samples * through


def layer_numbers(call: Call, outputs: int, samples: int) -> int:
    """Numbers of one layer's patches, gradients or signals."""
    order, parameters = outputs * samples, sum(int(p.numel()) for p in call.parameters.values())
    if not call.plain or call.made is None or call.given is None:
        return 2 * order * parameters
    weight = call.module.weight
    units, width = int(weight.shape[0]), int(weight[0].numel())
    positions = int(call.made.numel()) // units
    if positions == 1:
        return order * units
    patches = 2 * samples * positions * width
    if pairwise_is_cheaper(outputs, samples, positions, width, units):
        return patches + samples * positions**2 + 2 * order * positions * units
    return patches + order * (parameters + positions * units)
