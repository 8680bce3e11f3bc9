"""What each layer of a torch module gives to a dual matrix.

With h a layer's input, u its output and δ_k = ∂f_k/∂u, a sample's gradient for the weight of `Linear` or `Conv2d` is
``Σ_t δ_k(t) p(t)ᵀ`` over positions t: the pixels of a convolution, whose p(t) is the patch under the kernel, or a
Linear layer's extra axes. So

    product[k n, k' m] = Σ_tt' (δ_k(n, t) · δ_k'(m, t')) (p(n, t) · p(m, t'))

from h and δ alone. The gradients of every other layer are made by torch.func, a chunk of samples at a time, and so are
those of a layer whose h and δ don't tell all: where one random cotangent v, pulled back by plain autograd, has another
|Jᵀv|² than vᵀGv (a weight used elsewhere too, say).

Axes: h, u (N, ...); δ (C, N, ...); patches (N, T, p); products (C, N, C, N).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import torch
from torch import nn
from torch.func import functional_call, jacrev, vmap

from empirical.backends.base import Array, Backend
from empirical.modules.tracing import Call

__all__ = ["Contribution", "dense_gradients", "feature_product", "pairwise_is_cheaper", "parameter_product"]

CHUNK = 2**24  # numbers of a Jacobian made at once
Contribution = tuple[Array, Array]
"""A product (C, N, C, N), and its trace found by another way."""


def parameter_product(
    call: Call,
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
    if call.plain and not shared and call.count == 1 and delta is not None and call.given is not None:
        found = _of_positions(call, delta, backend)
        try:
            check(found)
        except ArithmeticError:  # its weight is used elsewhere too
            pass
        else:
            return found
    found = _of_rows(gradient(), backend)
    check(found)
    return found


def feature_product(signal: Array, backend: Backend) -> Contribution:
    """``∂f_k(n)/∂h · ∂f_k'(m)/∂h`` from the signal ∂f/∂h (C, N, ...)."""
    return _of_rows(signal.reshape(*signal.shape[:2], -1), backend)


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


def _of_positions(call: Call, delta: Array, backend: Backend) -> Contribution:
    """Weight and bias of a Linear or Conv2d call."""
    patches, signal = _positions(call, delta)
    positions, width, units = patches.shape[1], patches.shape[2], signal.shape[3]
    outputs, samples = signal.shape[:2]
    if positions == 1:
        result = _hadamard(patches[:, 0, :], signal[:, :, 0, :], backend)
    elif pairwise_is_cheaper(outputs, samples, positions, width, units):
        result = _pairwise(patches, signal)
    else:
        rows = torch.einsum("knto,ntp->knop", signal, patches)
        result = _of_rows(rows.reshape(outputs, samples, -1), backend)
    if call.module.bias is None:
        return result
    bias = _of_rows(signal.sum(dim=2), backend)
    return result[0] + bias[0], result[1] + bias[1]


def pairwise_is_cheaper(outputs: int, samples: int, positions: int, width: int, units: int) -> bool:
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


def _positions(call: Call, delta: Array) -> tuple[Array, Array]:
    """Patches (N, T, p) and signals (C, N, T, units)."""
    h, module = call.given, call.module
    if h is None:
        raise ValueError(f"model: expected layer {call.name!r} to have been called")
    h = h.detach()
    if isinstance(module, nn.Conv2d):
        patches = nn.functional.unfold(h, module.kernel_size, module.dilation, module.padding, module.stride)
        return patches.transpose(1, 2), delta.flatten(3).transpose(2, 3)
    samples, width, units = h.shape[0], h.shape[-1], delta.shape[-1]
    return h.reshape(samples, -1, width), delta.reshape(delta.shape[0], samples, -1, units)
