"""Which outputs a kernel keeps apart, and where its samples are.

With K[k n, k' m] = ν ∂f_k(n)/∂θ · ∂f_k'(m)/∂θ of outputs k and samples n of X, m of X2 (or of X):

    sum     Σ_k K[k n, k m]     (N, N')
    each    K[k n, k m]         (C, N, N')
    full    all of it           (C, N, C, N'), as a matrix CN × CN' output by output
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LAYOUTS", "Layout", "layout_of"]

PARTNERS = {"output": "output'", "output'": "output", "sample": "sample'", "sample'": "sample"}


@dataclass(frozen=True)
class Layout:
    """A kernel's axes by name: "output'" and "sample'" are those of the second factor; an output without a partner is
    that of both."""

    name: str
    axes: tuple[str, ...]

    def shape(self, outputs: int, rows: int, columns: int) -> tuple[int, ...]:
        """That of a kernel, or of a block of it."""
        sizes = {"output": outputs, "output'": outputs, "sample": rows, "sample'": columns}
        return tuple(sizes[axis] for axis in self.axes)

    def place(self, rows: slice, columns: slice) -> tuple[slice, ...]:
        """Where the block of these samples is."""
        return tuple({"sample": rows, "sample'": columns}.get(axis, slice(None)) for axis in self.axes)

    def mirrored(self, block: NDArray[np.float64]) -> NDArray[np.float64]:
        """The block with both factors exchanged: a view."""
        partners = [PARTNERS[axis] if PARTNERS[axis] in self.axes else axis for axis in self.axes]
        return block.transpose([self.axes.index(axis) for axis in partners])

    @property
    def is_full(self) -> bool:
        """Whether different outputs meet."""
        return "output'" in self.axes

    @property
    def is_summed(self) -> bool:
        """Whether no output is left."""
        return "output" not in self.axes


LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout("sum", ("sample", "sample'")),
        Layout("each", ("output", "sample", "sample'")),
        Layout("full", ("output", "sample", "output'", "sample'")),
    )
}


def layout_of(name: object) -> Layout:
    """The layout of this name, or a ``ValueError``."""
    if not isinstance(name, str) or name not in LAYOUTS:
        raise ValueError(f"outputs: expected one of {', '.join(LAYOUTS)}, got {name!r}")
    return LAYOUTS[name]
