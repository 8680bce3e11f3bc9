"""What a layer of a torch module gives to a dual matrix.

With h a layer's input, u its output and δ_k = ∂f_k/∂u, a sample's gradient for the weight of `Linear` or `Conv2d` is
``Σ_t δ_k(t) p(t)ᵀ`` over positions t: the pixels of a convolution, whose p(t) is the patch under the kernel, or a
Linear layer's extra axes. So

    product[k n, k' m] = Σ_tt' (δ_k(n, t) · δ_k'(m, t')) (p(n, t) · p(m, t') + 1)

from h and δ alone, where the 1 is the bias. Of any other layer the product is that of its dense gradients.

Axes: h (N, ...) and δ (C, N, ...) with a sample's positions where the model has them; patches (N, T, p); rows
(C, N, P); products (C, N, C, N).
"""

from __future__ import annotations

import torch
from torch import nn

from empirical.backends.base import Array, Backend

__all__ = ["Contribution", "of_positions", "of_rows", "pairwise_is_cheaper"]

Contribution = tuple[Array, Array]
"""A product (C, N, C, N), and its trace found by another way."""


def of_rows(rows: Array, backend: Backend) -> Contribution:
    """From dense gradients (C, N, ...)."""
    outputs, samples = rows.shape[:2]
    rows = rows.reshape(outputs * samples, -1)
    return backend.gram(rows).reshape(outputs, samples, outputs, samples), (rows**2).sum()


def of_positions(module: nn.Module, h: Array, delta: Array, bias: bool, backend: Backend) -> Contribution:
    """Weight, and ``bias`` if asked, of a Linear or Conv2d layer."""
    patches, signal = _positions(module, h, delta)
    if bias:
        patches = torch.cat([patches, patches.new_ones((*patches.shape[:2], 1))], dim=2)
    positions, width, units = patches.shape[1], patches.shape[2], signal.shape[3]
    outputs, samples = signal.shape[:2]
    if positions == 1:
        return _hadamard(patches[:, 0, :], signal[:, :, 0, :], backend)
    if pairwise_is_cheaper(outputs, samples, positions, width, units):
        return _pairwise(patches, signal)
    return of_rows(torch.einsum("knto,ntp->knop", signal, patches), backend)


def pairwise_is_cheaper(outputs: int, samples: int, positions: int, width: int, units: int) -> bool:
    """Flops of a product over pairs of positions, against those of each sample's gradient and their products."""
    pairwise = samples**2 * positions**2 * (width + outputs * units)
    rows = outputs * samples * units * width * (positions + outputs * samples / 2)
    return pairwise < rows


def _positions(module: nn.Module, h: Array, delta: Array) -> tuple[Array, Array]:
    """Patches (N, T, p) and signals (C, N, T, units)."""
    outputs, samples = delta.shape[:2]
    if isinstance(module, nn.Conv2d):
        images = h.reshape(-1, *h.shape[-3:])
        patches = nn.functional.unfold(images, module.kernel_size, module.dilation, module.padding, module.stride)
        patches, delta = patches.transpose(1, 2), delta.flatten(-2).transpose(-1, -2)
        return patches.reshape(samples, -1, patches.shape[-1]), delta.reshape(outputs, samples, -1, delta.shape[-1])
    return h.reshape(samples, -1, h.shape[-1]), delta.reshape(outputs, samples, -1, delta.shape[-1])


def _hadamard(h: Array, delta: Array, backend: Backend) -> Contribution:
    """One position: ``(δδᵀ) ∘ (hhᵀ)``."""
    outputs, samples, units = delta.shape
    product = backend.gram(delta.reshape(outputs * samples, units)).reshape(outputs, samples, outputs, samples)
    product *= backend.gram(h)[:, None, :]
    trace = ((delta**2).sum(dim=2) * (h**2).sum(dim=1)).sum()
    return product, trace


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
