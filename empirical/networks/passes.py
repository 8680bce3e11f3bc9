"""One network's passes: they only walk its sequence of layers, and each layer knows its own part."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from empirical.backends.base import Array, Backend
from empirical.networks.layers import draw_of
from empirical.networks.layers.base import DrawnLayer, Fed, PassedLayer, PassedWeights, Signal
from empirical.networks.streams import Source
from meanfield.spec import Layer, Network

__all__ = ["Forward", "backward", "draw_layers", "draw_network", "forward", "tangent"]


def draw_network(network: Network, width: int, source: Source) -> list[DrawnLayer]:
    """The layers of one random network: theory.md §1."""
    return draw_layers(network.layers, 0, network.widths(width), source)


def draw_layers(layers: Sequence[Layer], before: int, widths: Sequence[int], source: Source) -> list[DrawnLayer]:
    """Layers in a row, the first of them after ``before`` weight layers; ``widths`` are the whole network's."""
    drawn: list[DrawnLayer] = []
    for layer in layers:
        drawn.append(draw_of(type(layer))(layer, before, widths, source))
        before += len(layer.linear)
    return drawn


@dataclass(frozen=True)
class Forward:
    """What the forward pass leaves behind.

    Attributes
    ----------
    layers
        Each with what it keeps of the samples.
    logits
        f = u^L, (N, C).
    """

    layers: Sequence[PassedLayer]
    logits: Array

    @property
    def samples(self) -> int:
        """N."""
        return int(self.logits.shape[0])

    @functools.cached_property
    def weights(self) -> tuple[PassedWeights, ...]:
        """The weight layers l = 1..L; ``given`` of them are h^0..h^{L-1}."""
        return tuple(weights for layer in self.layers for weights in layer.weights)

    def rows(self, start: int, stop: int) -> Forward:
        """The same of the samples start..stop-1 alone."""
        return Forward([layer.rows(start, stop) for layer in self.layers], self.logits[start:stop, :])


def forward(layers: Sequence[DrawnLayer], inputs: Array, backend: Backend) -> Forward:
    """Pass the inputs (N, M_0) through the layers: theory.md §1."""
    passed: list[PassedLayer] = []
    h = inputs
    for layer in layers:
        h, through = layer.forward(h, backend)
        passed.append(through)
    return Forward(passed, h)


def backward(passed: Forward, start: Array, backend: Backend) -> Iterator[Signal]:
    """The signals from the output down: δ^L, ∂f/∂h^{L-1}, δ^{L-1}, ..., δ^1, ∂f/∂h^0 (theory.md §1), each made when
    it is asked for.

    ``start`` is δ^L: the identity as (C, 1, C) for the outputs themselves, or a batch (B, N, C) of cotangents.
    """
    values = [start]  # handed on, not kept: each is as large as what a layer makes of it
    for layer in reversed(passed.layers):
        values.append((yield from layer.backward(values.pop(), backend)))


def tangent(passed: Forward, fed: Fed) -> Array:
    """The outputs' tangent (N, C) where ``fed`` is added on the way: `PassedLayer.tangent`."""
    value: Array = None
    for layer in passed.layers:
        value = layer.tangent(value, fed)
    return value
