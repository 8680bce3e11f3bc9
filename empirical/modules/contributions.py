"""What a layer of a torch module gives to a dual matrix.

With h a layer's input, u its output and δ_k = ∂f_k/∂u, a sample's gradient for the weight of `Linear` or `Conv2d` is
``Σ_t δ_k(t) p(t)ᵀ`` over positions t: the pixels of a convolution, whose p(t) is the patch under the kernel, or a
Linear layer's extra axes. So

    product[k n, k' m] = Σ_tt' (δ_k(n, t) · δ_k'(m, t')) (p(n, t) · p(m, t') + 1)

from h and δ alone, where the 1 is the bias. Of any other layer the product is that of its dense gradients. What is
multiplied are factors, of these samples and perhaps of others: products (C, N, C, N'), or ``alike`` (C, N, N') those of
equal outputs alone. A ``folded`` factor has one output, whose product is the sum of the outputs' own.

Axes: h (N, ...) and δ (C, N, ...) with a sample's positions where the model has them; patches (N, T, p); rows
(C, N, P).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

import torch
from torch import nn

from empirical.backends.base import Array, Backend
from empirical.networks.layers.hadamard import product

__all__ = ["Contribution", "Factor", "Positions", "Rows", "of_factor", "of_positions", "pairwise_is_cheaper"]

Contribution = tuple[Array, Array]
"""A product (C, N, C, N), and its trace found by another way."""


class Factor(ABC):
    """A layer's gradients ∂f_k(n)/∂θ of some samples, in whatever form. ``other`` is that of the same layer and form;
    itself means a block on the diagonal, of which half is computed where that is possible."""

    @abstractmethod
    def folded(self) -> Self:
        """All outputs as one."""

    @abstractmethod
    def product(self, other: Self) -> Array:
        """``∂f_k(n)/∂θ · ∂f_k'(m)/∂θ``, (C, N, C, N')."""

    @abstractmethod
    def alike(self, other: Self) -> Array:
        """The same of equal outputs k = k', (C, N, N')."""

    @abstractmethod
    def diagonal(self) -> Array:
        """``|∂f_k(n)/∂θ|²``, (C, N)."""

    @abstractmethod
    def pulled(self, v: Array) -> Array:
        """``|Jᵀv|²`` for v (N, C)."""


@dataclass(frozen=True)
class Rows(Factor):
    """Dense gradients (C, N, P)."""

    values: Array
    backend: Backend

    def folded(self) -> Rows:
        return Rows(self.values.transpose(0, 1).flatten(1)[None], self.backend)

    def product(self, other: Rows) -> Array:
        left = self.values.flatten(0, 1)
        made = product(left, left if other is self else other.values.flatten(0, 1), self.backend)
        return made.reshape(*self.values.shape[:2], *other.values.shape[:2])

    def alike(self, other: Rows) -> Array:
        return _products(self.values, other.values, self.backend)

    def diagonal(self) -> Array:
        return (self.values**2).sum(dim=2)

    def pulled(self, v: Array) -> Array:
        return (torch.einsum("nk,knp->p", v, self.values) ** 2).sum()


@dataclass(frozen=True)
class Positions(Factor):
    """Patches (N, T, p) and signals (C, N, T, units): ``Σ_t δ_k(t) p(t)ᵀ`` is never formed for all."""

    patches: Array
    signal: Array
    backend: Backend

    def folded(self) -> Positions:
        return Positions(self.patches, self.signal.movedim(0, 2).flatten(2)[None], self.backend)

    def product(self, other: Positions) -> Array:
        if self.patches.shape[1] > 1:
            return self._pairwise(other, "lnto,nkto->lnk")
        left = self.signal.flatten(0, 1)[:, 0]
        made = product(left, left if other is self else other.signal.flatten(0, 1)[:, 0], self.backend)
        made = made.reshape(*self.signal.shape[:2], *other.signal.shape[:2])
        made *= self._overlap(other)[:, None, :]
        return made

    def alike(self, other: Positions) -> Array:
        if self.patches.shape[1] > 1:
            return self._pairwise(other, "knto,nkto->kn")
        left = self.signal[:, :, 0]
        return _products(left, left if other is self else other.signal[:, :, 0], self.backend) * self._overlap(other)

    def diagonal(self) -> Array:
        if self.patches.shape[1] == 1:
            return (self.signal**2).sum(dim=(2, 3)) * (self.patches**2).sum(dim=(1, 2))
        of_each = [
            (torch.einsum("kto,tp->kop", self.signal[:, n], p) ** 2).sum(dim=(1, 2)) for n, p in enumerate(self.patches)
        ]
        return torch.stack(of_each, dim=1)

    def pulled(self, v: Array) -> Array:
        weighed = torch.einsum("nk,knto->nto", v, self.signal)
        return (torch.einsum("nto,ntp->op", weighed, self.patches) ** 2).sum()

    def dense(self) -> Rows:
        """The gradients themselves."""
        made = torch.einsum("knto,ntp->knop", self.signal, self.patches)
        return Rows(made.flatten(2), self.backend)

    def _overlap(self, other: Positions) -> Array:
        left = self.patches[:, 0]
        return product(left, left if other is self else other.patches[:, 0], self.backend)

    def _pairwise(self, other: Positions, sums: str) -> Array:
        """Sample by sample on the right."""
        outputs, samples = self.signal.shape[:2]
        sizes = {"l": outputs, "n": samples, "k": outputs}
        made = self.signal.new_empty((*(sizes[axis] for axis in sums.partition("->")[2]), len(other.patches)))
        for m, patches in enumerate(other.patches):
            overlap = torch.einsum("ntp,sp->nts", self.patches, patches)
            image = torch.einsum("nts,kso->nkto", overlap, other.signal[:, m])
            made[..., m] = torch.einsum(sums, self.signal, image)
        return made


def of_factor(factor: Factor) -> Contribution:
    """A factor's product with itself."""
    return factor.product(factor), factor.diagonal().sum()


def of_positions(module: nn.Module, h: Array, delta: Array, bias: bool, together: int, backend: Backend) -> Factor:
    """Weight, and ``bias`` if asked, of a Linear or Conv2d layer, as is cheaper where so many samples are multiplied
    ``together``."""
    patches, signal = _positions(module, h, delta)
    if bias:
        patches = torch.cat([patches, patches.new_ones((*patches.shape[:2], 1))], dim=2)
    found = Positions(patches, signal, backend)
    positions, width, units = patches.shape[1], patches.shape[2], signal.shape[3]
    if positions == 1 or pairwise_is_cheaper(signal.shape[0], together, positions, width, units):
        return found
    return found.dense()


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


def _products(x: Array, y: Array, backend: Backend) -> Array:
    """``x_k y_kᵀ`` of matrices (C, N, ·) and (C, N', ·): (C, N, N')."""
    return torch.stack([product(a, a if x is y else b, backend) for a, b in zip(x, y, strict=True)])
