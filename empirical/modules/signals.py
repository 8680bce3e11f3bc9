"""What passes the layers of a model, sample by sample.

For a tensor x inside the model: its ``value`` (N, ...), ``gradient`` ∂f/∂x (C, N, ...), and for one random cotangent v
(N, C) ``pulled`` = Σ_n ∂(v(n)·f(n))/∂x(n), made by a backward pass of its own. Two ways, in this order:

* **whole batch**: the axis of x that grows with the number of samples holds them, alone or with something else (frames
  folded into the batch, halves concatenated). Which one, and in which order, is not guessed: x of one sample alone
  tells the axis, and an order counts only if x of a random half of the samples is that half of x, and if the gradient
  of Σ_n v(n)·f(n) is Σ_k v_k(n) ∂f_k/∂x(n) at every sample n.
* **sample by sample**: a pass for each.

A tensor whose shape isn't the same for all samples, or that some don't meet, has no signal.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from empirical.modules.tracing import Place, Replica, Trace

__all__ = ["ONE_BY_ONE", "WHOLE_BATCH", "Part", "Signal", "deviation", "is_close", "signals_of"]

WHOLE_BATCH, ONE_BY_ONE = "whole batch", "sample by sample"


@dataclass(frozen=True)
class Signal:
    """One tensor of a model; ``gradient`` and ``pulled`` are ``None`` where f doesn't depend on it by a gradient."""

    value: torch.Tensor
    gradient: torch.Tensor | None
    pulled: torch.Tensor | None
    way: str


@dataclass(frozen=True)
class Part:
    """A pass of some of the samples, with their numbers."""

    chosen: torch.Tensor
    trace: Trace


def signals_of(
    replica: Replica, x: torch.Tensor, one: Trace, whole: Trace, parts: Sequence[Part], v: torch.Tensor
) -> dict[Place, Signal]:
    """The signal of every noted tensor that has one; ``one`` is the pass of a single sample."""
    outputs = whole.outputs
    basis = torch.eye(outputs.shape[1]).to(outputs)[:, None, :].expand(-1, *outputs.shape)
    pulled = whole.pull([*basis, v])
    singles, split = one.tensors, [(part.chosen, part.trace.tensors) for part in parts]
    found: dict[Place, Signal] = {}
    for place, tensor in whole.tensors.items():
        if place not in singles or not all(place in tensors for _, tensors in split):
            continue
        some = [(chosen, tensors[place].detach()) for chosen, tensors in split]
        signal = _of_batch(tensor.detach(), singles[place].shape, pulled.get(place), some, v)
        if signal is not None:
            found[place] = signal
    missing = whole.tensors.keys() - found.keys()
    return found | _one_by_one(replica, x, missing, v) if missing else found


@dataclass(frozen=True)
class _Arrangement:
    """Where the samples are: on ``axis``, each with ``held`` entries that follow each other (``together``) or are those
    of the others' turn by turn."""

    axis: int
    held: int
    together: bool

    def apply(self, x: torch.Tensor, samples: int, leading: int = 0) -> torch.Tensor:
        """x with the samples in front, after so many ``leading`` axes."""
        sizes = (samples, self.held) if self.together else (self.held, samples)
        axis = self.axis + leading
        return x.unflatten(axis, sizes).movedim(axis + (not self.together), leading)


def _arrangements(whole: torch.Size, one: torch.Size, samples: int) -> Iterator[_Arrangement]:
    """Those that the shapes allow."""
    if len(whole) != len(one):
        return
    grown = [axis for axis, (size, single) in enumerate(zip(whole, one, strict=True)) if size != single]
    if samples == 1 and not grown and len(whole):
        yield _Arrangement(0, one[0], True)
    if len(grown) == 1 and whole[grown[0]] == samples * one[grown[0]]:
        axis = grown[0]
        yield _Arrangement(axis, one[axis], True)
        if one[axis] > 1:
            yield _Arrangement(axis, one[axis], False)


def _of_batch(
    tensor: torch.Tensor,
    one: torch.Size,
    pulled: torch.Tensor | None,
    parts: Sequence[tuple[torch.Tensor, torch.Tensor]],
    v: torch.Tensor,
) -> Signal | None:
    """The first arrangement that passes both checks; ``pulled`` (C + 1, ...) by each output and by v."""
    for arranged in _arrangements(tensor.shape, one, len(v)):
        value = arranged.apply(tensor, len(v))
        if not all(_is_part(arranged, part, value[chosen]) for chosen, part in parts):
            continue
        if pulled is None:
            return Signal(value, None, None, WHOLE_BATCH)
        gradient = arranged.apply(pulled, len(v), leading=1)
        if is_close(torch.einsum("nk,kn...->n...", v, gradient[:-1]), gradient[-1]):
            return Signal(value, gradient[:-1], gradient[-1].sum(dim=0), WHOLE_BATCH)
    return None


def _is_part(arranged: _Arrangement, part: torch.Tensor, expected: torch.Tensor) -> bool:
    return part.numel() == expected.numel() and is_close(arranged.apply(part, len(expected)), expected)


def _one_by_one(replica: Replica, x: torch.Tensor, wanted: set[Place], v: torch.Tensor) -> dict[Place, Signal]:
    """By a pass of each sample."""
    values: list[dict[Place, torch.Tensor]] = []
    pulled: list[dict[Place, torch.Tensor]] = []
    for sample, weights in zip(x.detach().split(1), v, strict=True):
        trace = replica.trace(sample.requires_grad_(sample.is_floating_point()))
        basis = torch.eye(len(weights)).to(weights)
        values.append({place: y.detach() for place, y in trace.tensors.items() if place in wanted})
        made = trace.pull([row[None] for row in (*basis, weights)])
        pulled.append({place: y for place, y in made.items() if place in wanted})
    found = {}
    for place in wanted:
        shapes = {y[place].shape if place in y else None for y in values}
        if None in shapes or len(shapes) > 1:
            continue
        value = torch.stack([y[place] for y in values])
        if all(place in y for y in pulled):
            gradient = torch.stack([y[place] for y in pulled], dim=1)
            found[place] = Signal(value, gradient[:-1], gradient[-1].sum(dim=0), ONE_BY_ONE)
        else:
            found[place] = Signal(value, None, None, ONE_BY_ONE)
    return found


def is_close(found: torch.Tensor, expected: torch.Tensor) -> bool:
    """Up to rounding, against the largest number expected."""
    rounding = float(torch.finfo(expected.dtype).eps) ** 0.75
    return bool(deviation(found, expected) <= rounding)


def deviation(found: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest difference, against the largest number expected; ∞ for other shapes."""
    if found.shape != expected.shape:
        return math.inf
    if not expected.numel():
        return 0.0
    difference, scale = (float(x.detach().abs().max()) for x in (found - expected, expected))
    if not math.isfinite(difference):
        return math.inf
    return difference / scale if scale else math.inf if difference else 0.0
