"""What each layer of a torch module gives to a dual matrix.

A layer is a module that holds parameters itself; it has the place in which it is first called, 1..L. With h its input,
u its output and δ_k = ∂f_k/∂u, a sample's gradient for the weight of `Linear` or `Conv2d` is ``Σ_t δ_k(t) p(t)ᵀ``
over positions t: the pixels of a convolution, whose p(t) is the patch under the kernel, or a Linear layer's extra
axes. So

    product[k n, k' m] = Σ_tt' (δ_k(n, t) · δ_k'(m, t')) (p(n, t) · p(m, t'))

from h and δ alone. The gradients of every other layer are made by torch.func, a chunk of samples at a time, and so are
those of a layer whose h and δ don't tell all: where one random cotangent v, pulled back by plain autograd, has another
|Jᵀv|² than vᵀGv (a weight used elsewhere too, say).

Axes: h, u (N, ...); δ (C, N, ...); patches (N, T, p); products (C, N, C, N).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.func import functional_call, jacrev, vmap

from empirical.backends.base import Array, Backend

__all__ = ["Contribution", "Layer", "Trace", "dense_gradients", "parameter_product", "pass_through", "undisturbed"]

CHUNK = 2**24  # numbers of a Jacobian made at once
Contribution = tuple[Array, Array]
"""A product (C, N, C, N), and its trace found by another way."""


@dataclass
class Layer:
    """One layer with what passed through it: ``given`` h and ``made`` u are tensors of the graph (or ``None``);
    ``plain`` as in :func:`is_plain`."""

    name: str
    module: nn.Module
    calls: int = 0
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
    """A model's forward pass on N samples: layers in the order of their first call, outputs (N, C) with their graph."""

    layers: list[Layer]
    outputs: torch.Tensor


def pass_through(model: nn.Module, state: Mapping[str, torch.Tensor], inputs: torch.Tensor) -> Trace:
    """Run the model with the given parameters and buffers, and note every layer's input and output."""
    found = {m: Layer(name, m) for name, m in model.named_modules() if dict(m.named_parameters(recurse=False))}
    order: list[Layer] = []
    versions: dict[str, int] = {}

    def before(module: nn.Module, given: tuple[Any, ...], by_name: dict[str, Any]) -> None:
        layer = found[module]
        if layer.calls == 0:
            order.append(layer)
        layer.calls += 1
        first = next(iter((*given, *by_name.values())), None)
        layer.given = first if isinstance(first, torch.Tensor) else None
        versions[layer.name] = 0 if layer.given is None else layer.given._version

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
    for layer in order:
        if layer.given is not None and layer.given._version != versions[layer.name]:
            raise ValueError(
                f"model: expected a model that keeps its layers' inputs, got one that overwrites {layer.name}'s"
            )
        layer.plain = plain[layer.module]
    return Trace(order + [layer for layer in found.values() if layer.calls == 0], outputs)


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


def parameter_product(
    layer: Layer,
    shared: bool,
    delta: Array | None,
    gradient: Callable[[], Array],
    check: Callable[[Contribution], None],
    backend: Backend,
) -> Contribution:
    """``Σ ∂f_k(n)/∂θ · ∂f_k'(m)/∂θ`` over the layer's own parameters θ.

    ``delta`` (C, N, ...) is ∂f/∂u. ``gradient`` makes the dense gradients (C, N, P) for layers of other kinds, ones
    called more than once, ones that share a parameter with another, and where ``check`` refuses what h and δ give.

    Raises
    ------
    ArithmeticError
        If ``check`` refuses what the gradients give.
    """
    if layer.plain and not shared and layer.calls == 1 and delta is not None and layer.given is not None:
        found = _of_positions(layer, delta, backend)
        try:
            check(found)
        except ArithmeticError:  # its weight is used elsewhere too
            pass
        else:
            return found
    found = _of_rows(gradient(), backend)
    check(found)
    return found


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


def dense_gradients(
    model: nn.Module, state: Mapping[str, torch.Tensor], names: tuple[str, ...], inputs: torch.Tensor, outputs: int
) -> Array:
    """``∂f_k(n)/∂θ`` (C, N, P) of the named parameters, by torch.func."""
    if not names:
        return inputs.new_zeros((outputs, inputs.shape[0], 0))
    chosen = {n: state[n] for n in names}
    numbers = outputs * sum(x.numel() for x in chosen.values())
    fixed = {n: x.detach() for n, x in state.items() if n not in names}

    def of_one(parameters: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        return functional_call(model, {**fixed, **parameters}, (x[None],))[0]

    take = vmap(jacrev(of_one), in_dims=(None, 0), chunk_size=max(1, CHUNK // numbers))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "There is a performance drop")  # of an operation that torch.func loops over
        jacobians = take(chosen, inputs.detach())
    flat = [j.reshape(*j.shape[:2], -1) for j in jacobians.values()]
    return torch.cat(flat, dim=2).transpose(0, 1).detach()


def bytes_needed(first: Trace, samples: int, itemsize: int) -> int:
    """About what a measurement takes at most, from a trace of one sample: the graph and its signals for every output,
    three matrices of order CN, and what the largest layer needs."""
    outputs = int(first.outputs.shape[1])
    order = outputs * samples
    through = sum(int(x.numel()) for layer in first.layers for x in (layer.given, layer.made) if x is not None)
    layers = max(_numbers_needed(layer, outputs, samples) for layer in first.layers)
    return itemsize * (3 * order * order + (2 * samples + order) * through + layers)


def _numbers_needed(layer: Layer, outputs: int, samples: int) -> int:
    """Numbers of one layer's patches, gradients or signals."""
    order, parameters = outputs * samples, sum(int(p.numel()) for p in layer.parameters.values())
    if not layer.plain or layer.made is None or layer.given is None:
        return 2 * order * parameters
    weight = layer.module.weight
    units, width = int(weight.shape[0]), int(weight[0].numel())
    positions = int(layer.made.numel()) // units
    if positions == 1:
        return order * units
    patches = 2 * samples * positions * width
    if _pairwise_is_cheaper(outputs, samples, positions, width, units):
        return patches + samples * positions**2 + 2 * order * positions * units
    return patches + order * (parameters + positions * units)


def _of_positions(layer: Layer, delta: Array, backend: Backend) -> Contribution:
    """Weight and bias of a Linear or Conv2d layer."""
    patches, signal = _positions(layer, delta)
    positions, width, units = patches.shape[1], patches.shape[2], signal.shape[3]
    outputs, samples = signal.shape[:2]
    if positions == 1:
        result = _hadamard(patches[:, 0, :], signal[:, :, 0, :], backend)
    elif _pairwise_is_cheaper(outputs, samples, positions, width, units):
        result = _pairwise(patches, signal)
    else:
        rows = torch.einsum("knto,ntp->knop", signal, patches)
        result = _of_rows(rows.reshape(outputs, samples, -1), backend)
    if layer.module.bias is None:
        return result
    bias = _of_rows(signal.sum(dim=2), backend)
    return result[0] + bias[0], result[1] + bias[1]


def _pairwise_is_cheaper(outputs: int, samples: int, positions: int, width: int, units: int) -> bool:
    """Flops of a product over pairs of positions, against those of each sample's gradient and their products."""
    pairwise = samples**2 * positions**2 * (width + outputs * units)
    rows = outputs * samples * units * width * (positions + outputs * samples / 2)
    return pairwise < rows


def _hadamard(h: Array, delta: Array, backend: Backend) -> Contribution:
    """One position: ``(δδᵀ) ∘ (hhᵀ)``."""
    outputs, samples, units = delta.shape
    product = backend.gram(delta.reshape(outputs * samples, units)).reshape(outputs, samples, outputs, samples)
    kernel = backend.gram(h)
    trace = ((delta**2).sum(dim=2) * (h**2).sum(dim=1)).sum()
    return product * kernel[:, None, :], trace


def _pairwise(patches: Array, delta: Array) -> Contribution:
    """Several positions, without the samples' gradients; sample by sample on the right."""
    outputs, samples = delta.shape[:2]
    product = delta.new_empty((outputs, samples, outputs, samples))
    trace = delta.new_zeros(())
    for m in range(samples):
        overlap = torch.einsum("ntp,sp->nts", patches, patches[m])
        image = torch.einsum("nts,kso->nkto", overlap, delta[:, m])
        product[:, :, :, m] = torch.einsum("lnto,nkto->lnk", delta, image)
        trace += (torch.einsum("kto,tp->kop", delta[:, m], patches[m]) ** 2).sum()
    return product, trace


def _of_rows(rows: Array, backend: Backend) -> Contribution:
    """From dense gradients (C, N, P)."""
    outputs, samples, count = rows.shape
    product = backend.gram(rows.reshape(outputs * samples, count))
    return product.reshape(outputs, samples, outputs, samples), (rows**2).sum()


def _positions(layer: Layer, delta: Array) -> tuple[Array, Array]:
    """Patches (N, T, p) and signals (C, N, T, units)."""
    h, module = layer.given, layer.module
    if h is None:
        raise ValueError(f"model: expected layer {layer.name!r} to have been called")
    h = h.detach()
    if isinstance(module, nn.Conv2d):
        patches = nn.functional.unfold(h, module.kernel_size, module.dilation, module.padding, module.stride)
        return patches.transpose(1, 2), delta.flatten(3).transpose(2, 3)
    samples, width, units = h.shape[0], h.shape[-1], delta.shape[-1]
    return h.reshape(samples, -1, width), delta.reshape(delta.shape[0], samples, -1, units)
