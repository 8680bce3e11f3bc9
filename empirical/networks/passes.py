"""One network's forward and backward pass.

Axes: samples n = 1..N, outputs k = 1..C, units i = 1..M_l. Forward arrays are (N, M_l). Backward arrays are
(C, N, M_l), or (C, 1, M_l) where every sample has the same value: the output's own signal is the identity.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from empirical.backends.base import Array, Backend
from empirical.networks.sampling import Layer
from meanfield.spec import Network

__all__ = ["ACTIVATION", "PREACTIVATION", "Forward", "Signal", "Sums", "backward", "forward", "times"]

PREACTIVATION, ACTIVATION = "preactivation", "activation"


@dataclass(frozen=True)
class Forward:
    """What the forward pass leaves behind.

    Attributes
    ----------
    activations
        h^0..h^{L-1}, each (N, M_l).
    slopes
        φ'(u^1)..φ'(u^{L-1}), each (N, M_l).
    logits
        f = u^L, (N, C).
    """

    activations: list[Array]
    slopes: list[Array]
    logits: Array

    @property
    def samples(self) -> int:
        """N."""
        return int(self.logits.shape[0])

    def rows(self, start: int, stop: int) -> Forward:
        """The same of the samples start..stop-1 alone."""
        activations = [h[start:stop, :] for h in self.activations]
        return Forward(activations, [s[start:stop, :] for s in self.slopes], self.logits[start:stop, :])


class Signal(NamedTuple):
    """A backpropagated signal: ``∂f_k/∂u^l`` (kind PREACTIVATION, δ^l_k) or ``∂f_k/∂h^l`` (kind ACTIVATION)."""

    kind: str
    layer: int
    value: Array


class Sums:
    """``Σ |x_n|²`` and ``Σ x_n`` over samples: enough for the mean overlap of equal and of different samples."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._same: Array = 0.0
        self._total: Array = 0.0
        self._leading = 1

    def add(self, x: Array, samples: int) -> Sums:
        """Add x (..., n, m); one row may stand for all the samples."""
        xp, repeats = self._backend.xp, float(samples // x.shape[-2])
        self._same = self._same + xp.sum(xp.linalg.vecdot(x, x)) * repeats
        self._total = self._total + xp.sum(x, axis=-2) * repeats
        self._leading = math.prod(x.shape[:-2])
        return self

    def overlaps(self, samples: int) -> Array:
        """``[mean_n x_n·x_n, mean_{n≠m} x_n·x_m]``, averaged over leading axes; NaN for the second if N = 1."""
        xp = self._backend.xp
        cross = xp.sum(self._total * self._total) - self._same
        pairs = samples * (samples - 1) or math.nan
        return xp.stack([self._same / float(samples * self._leading), cross / float(pairs * self._leading)])


def forward(network: Network, layers: Sequence[Layer], inputs: Array, backend: Backend) -> tuple[Forward, list[Array]]:
    """``u^l = W^l h^{l-1} + b^l``, ``h^l = φ_l(u^l)`` for the inputs (N, M_0): theory.md §1.

    Also the overlaps of u^l per unit (:meth:`Sums.overlaps`) for l = 1..L; u itself is not kept.
    """
    activations, slopes, overlaps = [inputs], [], []
    for layer, phi in zip(layers, (*network.activation, None), strict=True):
        u = activations[-1] @ layer.weight.T
        u += layer.bias
        overlaps.append(Sums(backend).add(u, u.shape[0]).overlaps(u.shape[0]) / u.shape[1])
        if phi is not None:
            activations.append(phi.function(backend.functions)(u))
            slopes.append(phi.function(backend.functions, order=1)(u))
    return Forward(activations, slopes, u), overlaps


def backward(layers: Sequence[Layer], slopes: Sequence[Array], start: Array, backend: Backend) -> Iterator[Signal]:
    """The signals from the output down: δ^L, ∂f/∂h^{L-1}, δ^{L-1}, ..., δ^1, ∂f/∂h^0 (theory.md §1), each made when
    it is asked for. ``∂f/∂h^{l-1} = δ^l W^l`` and ``δ^{l-1} = φ'(u^{l-1}) ∘ ∂f/∂h^{l-1}``.

    ``start`` is δ^L: the identity as (C, 1, C) for the outputs themselves, or a batch (B, N, C) of cotangents.
    """
    value = start
    for l in range(len(layers), 0, -1):
        yield Signal(PREACTIVATION, l, value)
        value = times(value, layers[l - 1].weight, backend)
        yield Signal(ACTIVATION, l - 1, value)
        if l > 1:
            value = value * slopes[l - 2]


def times(signal: Array, weight: Array, backend: Backend) -> Array:
    """``signal W``: (B, n, M_l) × (M_l, M_{l-1}), as one matrix product."""
    batch, samples, units = signal.shape
    flat = backend.xp.reshape(signal, (batch * samples, units)) @ weight
    return backend.xp.reshape(flat, (batch, samples, weight.shape[1]))
