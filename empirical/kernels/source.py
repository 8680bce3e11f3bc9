"""What a kernel's blocks are made of, whatever the model: for a block of samples a part for each layer, and of two
parts of one layer their products.

    K(n, m) = Σ_layers ⟨part(n), part(m)⟩

A part has C outputs, or one for the layout "sum", in which all are folded: ``Σ_k δ_k(n)·δ_k(m)`` is one product of
vectors C times as long.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Self

from empirical.backends.base import Array, Backend
from empirical.kernels.layouts import Layout
from meanfield.spec import Metric

__all__ = ["Part", "Source", "diagonal_of", "product_of"]


class Part(ABC):
    """What a layer holds of a block of samples; ``other`` is that of the same layer. Itself as the other means a block
    on the diagonal."""

    @abstractmethod
    def add_to(self, block: Array, other: Self) -> None:
        """Add the products of all outputs to a block (C, I, C, J)."""

    @abstractmethod
    def add_alike_to(self, block: Array, other: Self) -> None:
        """Add those of equal outputs to a block (C, I, J)."""

    @abstractmethod
    def diagonal(self) -> Array:
        """The products of each sample with itself, output by output: (C, I)."""


@dataclass(frozen=True)
class Source(ABC):
    """A model, the metric that its kernel is of, and the samples.

    ``samples`` and ``others`` are X and X2 in the model's own form, ``others`` ``None`` where X meets itself.
    """

    metric: Metric
    layout: Layout
    samples: Any
    others: Any
    backend: Backend

    @property
    @abstractmethod
    def outputs(self) -> int:
        """C."""

    @abstractmethod
    def parts(self, samples: Any, together: int) -> list[Part]:
        """Of so many of X or X2, layer by layer, in the form that serves for blocks of ``together`` samples."""

    @abstractmethod
    def numbers(self, together: int) -> tuple[int, int]:
        """How many numbers the parts of a block of so many samples hold, and how many more it takes to make them."""

    @abstractmethod
    def resident(self) -> int:
        """Bytes that are taken all the time: weights and samples."""

    @abstractmethod
    def question(self) -> dict[str, Any]:
        """All that the kernel's numbers depend on, JSON-ready."""

    @abstractmethod
    def working(self) -> AbstractContextManager[Any]:
        """Within it parts and products are made."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The kernel's."""
        columns = self.samples if self.others is None else self.others
        return self.layout.shape(self.outputs, len(self.samples), len(columns))


def product_of(left: Sequence[Part], right: Sequence[Part], source: Source, rows: int, columns: int) -> Array:
    """The block of the kernel, in its layout."""
    layout = source.layout
    if layout.is_full:
        block = source.backend.zeros(layout.shape(source.outputs, rows, columns))
        for part, other in zip(left, right, strict=True):
            part.add_to(block, other)
        return block
    block = source.backend.zeros((1 if layout.is_summed else source.outputs, rows, columns))
    for part, other in zip(left, right, strict=True):
        part.add_alike_to(block, other)
    return block[0, ...] if layout.is_summed else block


def diagonal_of(parts: Sequence[Part]) -> Array:
    """The kernel's diagonal at these samples, (C, I), or (1, I) for the layout "sum"."""
    total = parts[0].diagonal()
    for part in parts[1:]:
        total = total + part.diagonal()
    return total
