"""Running a torch module: every layer's input and output, noted on the way.

A layer is a module that holds parameters itself; it has the place in which it is first called, 1..L.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.func import functional_call

__all__ = ["Call", "Trace", "pass_through", "undisturbed"]


@dataclass
class Call:
    """One layer with what passed through it: ``given`` h and ``made`` u are tensors of the graph (or ``None``);
    ``plain`` as in :func:`is_plain`. ``count`` says how often it was called."""

    name: str
    module: nn.Module
    count: int = 0
    given: torch.Tensor | None = None
    made: torch.Tensor | None = None
    plain: bool = False

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """Its own parameters by their names in the model."""
        prefix = f"{self.name}." if self.name else ""
        return {prefix + n: p for n, p in self.module.named_parameters(recurse=False)}


@dataclass(frozen=True)
class Trace:
    """A model's forward pass on N samples: calls in the order of the layers' first ones, outputs (N, C) with their
    graph."""

    calls: list[Call]
    outputs: torch.Tensor

    def shares(self, call: Call) -> bool:
        """Whether a parameter of this layer is another layer's, too."""
        owned = [p for other in self.calls for p in other.module.parameters(recurse=False)]
        return any(sum(p is other for other in owned) > 1 for p in call.parameters.values())


def pass_through(model: nn.Module, state: Mapping[str, torch.Tensor], inputs: torch.Tensor) -> Trace:
    """Run the model with the given parameters and buffers, and note every layer's input and output."""
    found = {m: Call(name, m) for name, m in model.named_modules() if dict(m.named_parameters(recurse=False))}
    order: list[Call] = []
    versions: dict[str, int] = {}

    def before(module: nn.Module, given: tuple[Any, ...], by_name: dict[str, Any]) -> None:
        call = found[module]
        if call.count == 0:
            order.append(call)
        call.count += 1
        first = next(iter((*given, *by_name.values())), None)
        call.given = first if isinstance(first, torch.Tensor) else None
        versions[call.name] = 0 if call.given is None else call.given._version

    def after(module: nn.Module, given: tuple[Any, ...], made: Any) -> Any:
        found[module].made = made if isinstance(made, torch.Tensor) else None
        return made.clone() if isinstance(made, torch.Tensor) else made  # an activation may overwrite the copy

    plain = {m: is_plain(m) for m in found}
    hooks = [m.register_forward_pre_hook(before, with_kwargs=True) for m in found]
    hooks += [m.register_forward_hook(after) for m in found]
    try:
        outputs = functional_call(model, dict(state), (inputs,))
    finally:
        for hook in hooks:
            hook.remove()
    for call in order:
        if call.given is not None and call.given._version != versions[call.name]:
            raise ValueError(
                f"model: expected a model that keeps its layers' inputs, got one that overwrites {call.name}'s"
            )
        call.plain = plain[call.module]
    return Trace(order + [call for call in found.values() if call.count == 0], outputs)


def is_plain(module: nn.Module) -> bool:
    """Whether the layer's gradient is known from its input and δ, as far as the module itself tells: a `Linear` or
    `Conv2d` with a weight and perhaps a bias, and nothing that changes what it computes."""
    own = {n for n, _ in module.named_parameters(recurse=False)}
    if own not in ({"weight"}, {"weight", "bias"}) or "forward" in vars(module):
        return False
    if module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks:
        return False
    if type(module) is nn.Conv2d:
        return module.groups == 1 and module.padding_mode == "zeros" and not isinstance(module.padding, str)
    return type(module) is nn.Linear


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """The model's attributes as they were come back: layers with hooks of their own (`prune`, `weight_norm`) keep the
    weight they computed last."""
    before = [(m, dict(vars(m))) for m in model.modules()]
    try:
        yield
    finally:
        for module, attributes in before:
            vars(module).clear()
            vars(module).update(attributes)
