"""What the equations of the bulk's law hold of a network: plain arrays, which compiled code reads by name.

In units of K₁ - K₂, so that the bulk's mean is 1. The equations themselves: :mod:`meanfield.bulk.fixed_point`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanfield.bulk.features import BulkFeatures
from meanfield.bulk.neurons import NeuronColumns, NeuronTable
from meanfield.bulk.sample_noise import SampleNoise

__all__ = ["Equations", "Ridge", "equations"]

Floats = NDArray[np.float64]

_NO_SLOPE = 1e-9  # of X(0) below which the bulk is its ridge, and finite-size terms have nothing to be relative to


class Ridge(NamedTuple):
    """r, the finite-size terms v₀, v₁ and v₂, and X(0), which they are relative to."""

    level: float
    own: float
    mixed: float
    linear: float
    slope: float


class Equations(NamedTuple):
    """One network's, at index l of a layer: ``outputs`` C, ``ratio`` ρ_l, ``features`` c_l, ``gradients`` d_l; the
    ``inputs``' eigenvalues and their weights (2, ·); the neurons' ``table``, whose rows of layer l are those from
    ``starts[l]`` to ``starts[l + 1]``."""

    outputs: float
    ratio: Floats
    features: Floats
    gradients: Floats
    ridge: Ridge
    inputs: Floats
    table: Floats
    starts: NDArray[np.int64]

    def neurons(self, layer: int) -> NeuronColumns:
        """The columns of a hidden layer's rows."""
        return NeuronColumns(*self.table[self.starts[layer] : self.starts[layer + 1]].T)

    @property
    def unbounded(self) -> bool:
        """Whether the limit's bulk has no upper end, since neurons with ever larger y² stretch it."""
        n = NeuronColumns(*self.table.T)
        return bool(np.any(n.Gs + n.Bs**2 > 1e-14 * n.As) and np.any(self.gradients > 0))


def equations(x: BulkFeatures, neurons: NeuronTable, noise: SampleNoise | None) -> Equations:
    """Those of ``x``, in the limit or with finite-size terms."""
    level = x.ridge / x.gap
    ridge, slope = Ridge(level, 0.0, 0.0, 0.0, 1.0), 1 - level
    if noise is not None and slope > _NO_SLOPE:
        own, mixed, linear = (v / x.gap**2 for v in (noise.ridge, noise.mixed, noise.linear))
        ridge = Ridge(level, own, mixed, linear, slope)
    return Equations(
        outputs=float(x.outputs),
        ratio=x.ratio,
        features=x.features / x.gap,
        gradients=x.gradients / x.gap,
        ridge=ridge,
        inputs=np.array([x.inputs.eigenvalues, x.inputs.shares]),
        table=neurons.rows,
        starts=neurons.starts,
    )
