"""Running a torch module on copies of its numbers: every layer's input and output, noted on the way.

A layer is a module that holds parameters itself; it has the place in which it is first called, 1..L.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

__all__ = ["GIVEN", "MADE", "Call", "NotOutputs", "Place", "Replica", "Trace"]

GIVEN, MADE = "given", "made"
Place = tuple[str, str]
"""A layer's name, and which of its two tensors."""


@dataclass
class Call:
    """One layer with what passed through it when it was last called: ``given`` h and ``made`` u, the first tensor of
    each, with their graph, or ``None`` where there is no real one or it was overwritten later. ``plain`` as in
    :func:`is_plain`; ``count`` says how often it was called."""

    name: str
    module: nn.Module
    plain: bool
    count: int = 0
    given: torch.Tensor | None = None
    made: torch.Tensor | None = None

    def __str__(self) -> str:
        kind = type(self.module).__name__
        return f"{self.name!r} ({kind})" if self.name else f"the model itself ({kind})"

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """Its own parameters by their names in the model."""
        prefix = f"{self.name}." if self.name else ""
        return {prefix + n: p for n, p in self.module.named_parameters(recurse=False)}


@dataclass(frozen=True)
class Trace:
    """A model's forward pass on N samples: calls in the order of the layers' first ones, outputs (N, C) with their
    graph, the names of layers whose input was overwritten, and the ``leaves``, the model's numbers by name."""

    calls: list[Call]
    outputs: torch.Tensor
    overwritten: list[str]
    leaves: dict[str, torch.Tensor]

    @property
    def tensors(self) -> dict[Place, torch.Tensor]:
        """What was noted."""
        found = {(call.name, kind): getattr(call, kind) for call in self.calls for kind in (GIVEN, MADE)}
        return {place: x for place, x in found.items() if x is not None}

    def pull(self, cotangents: Iterable[torch.Tensor]) -> dict[Place, torch.Tensor]:
        """``Σ v·∂f/∂x`` (B, ...) of every noted tensor x that has a gradient, for cotangents v (N, C)."""
        usable = {place: x for place, x in self.tensors.items() if x.requires_grad}
        if not usable:
            return {}
        rows = [
            torch.autograd.grad(self.outputs, list(usable.values()), v, retain_graph=True, materialize_grads=True)
            for v in cotangents
        ]
        return dict(zip(usable, map(torch.stack, zip(*rows, strict=True)), strict=True))


@dataclass(frozen=True)
class _Slot:
    """A place in one of the model's modules that holds a parameter or buffer, and its name in the replica's state."""

    holder: dict[str, Any]
    key: str
    name: str


class Replica:
    """A model that runs on copies of its parameters and buffers: they stand in its own places until it is
    :func:`~empirical.modules.undisturbed.undisturbed` again, since what a checkpoint recomputes in a backward pass
    reads them there.

    ``state`` has the numbers to begin each pass with, by name, ``names`` the parameters that count, and ``own`` the
    names of the model's own parameters by their ids.
    """

    def __init__(
        self, model: nn.Module, state: Mapping[str, torch.Tensor], names: tuple[str, ...], dtype: torch.dtype
    ) -> None:
        self.model, self.state, self.names, self.dtype = model, state, names, dtype
        known = {id(x): n for n, x in [*model.named_parameters(), *model.named_buffers()]}
        self.own = {id(p): n for n, p in model.named_parameters()}
        self._slots = [
            _Slot(holder, key, known[id(x)])
            for module in model.modules()
            for holder in (module._parameters, module._buffers)
            for key, x in holder.items()
            if x is not None
        ]
        self._leaves = {n: _copied(y) for n, y in state.items()}

    def __call__(self, x: torch.Tensor, parameters: Mapping[str, torch.Tensor] | None = None) -> Any:
        """What the model makes of the samples, with some ``parameters`` in the place of its own. Neither x nor the
        state is changed: the model gets copies."""
        return self.run(x, parameters)[0]

    def run(
        self, x: torch.Tensor, parameters: Mapping[str, torch.Tensor] | None = None
    ) -> tuple[Any, dict[str, torch.Tensor]]:
        """The same, and the parameters and buffers that it was made with, the leaves of its graph. Every pass begins
        with the same numbers: those that an earlier pass has written to are copied anew."""
        for name, y in self.state.items():
            if not y.requires_grad or self._leaves[name]._version:
                self._leaves[name] = _copied(y)
        given = {**self._leaves, **(parameters or {})}
        self._install(given)
        try:
            return self.model(x.clone()), given
        finally:
            if parameters:
                self._install(self._leaves)

    def _install(self, tensors: Mapping[str, torch.Tensor]) -> None:
        for slot in self._slots:
            slot.holder[slot.key] = tensors[slot.name]

    def outputs(self, x: torch.Tensor) -> torch.Tensor:
        """They, (N, C)."""
        return self.outputs_of(x)[0]

    def outputs_of(self, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """They, and the leaves of their graph by name."""
        made, leaves = self.run(x)
        return as_outputs(made, len(x)).to(self.dtype), leaves

    def trace(self, x: torch.Tensor) -> Trace:
        """Outputs, and every layer's input and output."""
        noted = _Notes(self.model)
        try:
            made, leaves = self.run(x)
        finally:
            noted.remove()
        calls, overwritten = noted.finish()
        return Trace(calls, as_outputs(made, len(x)).to(self.dtype), overwritten, leaves)


def _copied(x: torch.Tensor) -> torch.Tensor:
    return x.detach().clone().requires_grad_(x.requires_grad)


class _Notes:
    """Hooks on every layer that note its calls."""

    def __init__(self, model: nn.Module) -> None:
        layers = {m: name for name, m in model.named_modules() if dict(m.named_parameters(recurse=False))}
        self._found = {m: Call(name, m, is_plain(m)) for m, name in layers.items()}
        self._order: list[Call] = []
        self._versions: dict[Place, int] = {}
        self._hooks = [m.register_forward_pre_hook(self._before, with_kwargs=True) for m in layers]
        self._hooks += [m.register_forward_hook(self._after) for m in layers]

    def _before(self, module: nn.Module, given: tuple[Any, ...], by_name: dict[str, Any]) -> None:
        call = self._found[module]
        if call.count == 0:
            self._order.append(call)
        call.count += 1
        call.given = self._noted((call.name, GIVEN), (*given, *by_name.values()))

    def _after(self, module: nn.Module, given: tuple[Any, ...], made: Any) -> Any:
        call = self._found[module]
        call.made = self._noted((call.name, MADE), made)
        return made.clone() if isinstance(made, torch.Tensor) else made  # an activation may overwrite the copy

    def _noted(self, place: Place, values: Any) -> torch.Tensor | None:
        x = _first_tensor(values)
        if x is None or not x.is_floating_point() or _is_wrapped(x):
            return None
        self._versions[place] = _version(x)
        return x

    def remove(self) -> None:
        for hook in self._hooks:
            hook.remove()

    def finish(self) -> tuple[list[Call], list[str]]:
        """The calls, without tensors that have been overwritten since, and the names of the layers whose input was."""
        overwritten = []
        for call in self._order:
            if call.given is not None and _version(call.given) != self._versions[call.name, GIVEN]:
                overwritten.append(call.name)
                call.given = None
            if call.made is not None and _version(call.made) != self._versions[call.name, MADE]:
                call.made = None
        return self._order + [call for call in self._found.values() if call.count == 0], overwritten


def _version(x: torch.Tensor) -> int:
    """How often it was written to; tensors of the inference mode don't count that."""
    return 0 if x.is_inference() else x._version


def _is_wrapped(x: torch.Tensor) -> bool:
    """Whether it is one of `vmap`'s or `grad`'s, inside the model, which means nothing outside of them."""
    return bool(torch._C._functorch.is_functorch_wrapped_tensor(x))


def _first_tensor(values: Any) -> torch.Tensor | None:
    """Of a tensor, or of nested sequences and dictionaries of them."""
    if isinstance(values, torch.Tensor):
        return values
    inner = values.values() if isinstance(values, dict) else values if isinstance(values, tuple | list) else ()
    return next((x for x in map(_first_tensor, inner) if x is not None), None)


class NotOutputs(ValueError):
    """What a model returns can't be its outputs."""


def as_outputs(made: Any, samples: int) -> torch.Tensor:
    """Outputs (N, C); (N,) is C = 1.

    Raises
    ------
    NotOutputs
        For anything else.
    """
    if not isinstance(made, torch.Tensor) or made.layout != torch.strided:
        raise NotOutputs(f"model: expected outputs of shape ({samples}, C), got {type(made).__name__}")
    if made.is_complex() or not made.is_floating_point():
        kind = str(made.dtype).removeprefix("torch.")
        raise NotOutputs(f"model: expected real outputs, which have a gradient, got {kind} ones")
    if made.shape in ((), (samples,)) and made.numel() == samples:
        return made.reshape(samples, 1)
    if made.ndim != 2 or made.shape[0] != samples:
        raise NotOutputs(f"model: expected outputs of shape ({samples}, C), got {tuple(made.shape)}")
    return made


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
