"""One network's forward and backward pass, and the order parameters they measure.

Axes: samples n = 1..N, outputs k = 1..C, units i = 1..M_l. Forward arrays are (N, M_l). Backward arrays are
(C, N, M_l), or (C, 1, M_l) where every sample has the same value: the output's own signal is the identity.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from empirical.backends.base import Array, Backend
from empirical.sampling import Layer
from meanfield.spec import Network

__all__ = ["ACTIVATION", "PREACTIVATION", "Forward", "OrderParameters", "Signal", "backward", "forward", "overlaps"]

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
    variances
        For each l = 1..L the overlaps of u^l: see :func:`overlaps`.
    """

    activations: list[Array]
    slopes: list[Array]
    logits: Array
    variances: list[Array]


class Signal(NamedTuple):
    """A backpropagated signal: ``∂f_k/∂u^l`` (kind PREACTIVATION, δ^l_k) or ``∂f_k/∂h^l`` (kind ACTIVATION)."""

    kind: str
    layer: int
    value: Array


@dataclass(frozen=True)
class OrderParameters:
    """The order parameters of theory.md §2 as one network has them: means over samples (pairs of different samples for
    ``_st``; NaN if N = 1), over units, and over outputs for the backward ones.

    ``q``, ``q_st`` and ``backward``, ``backward_st`` are for l = 1..L, ``forward`` and ``forward_st`` for l = 0..L-1.
    """

    q: NDArray[np.float64]
    q_st: NDArray[np.float64]
    forward: NDArray[np.float64]
    forward_st: NDArray[np.float64]
    backward: NDArray[np.float64]
    backward_st: NDArray[np.float64]


def forward(network: Network, layers: Sequence[Layer], inputs: Array, backend: Backend) -> Forward:
    """``u^l = W^l h^{l-1} + b^l``, ``h^l = φ_l(u^l)`` for the inputs (N, M_0): theory.md §1."""
    activations, slopes, variances = [inputs], [], []
    for layer, phi in zip(layers, (*network.activation, None), strict=True):
        u = activations[-1] @ layer.weight.T
        u += layer.bias
        variances.append(overlaps(u, u.shape[0], backend) / u.shape[1])
        if phi is None:
            break
        activations.append(phi.function(backend.functions)(u))
        slopes.append(phi.function(backend.functions, order=1)(u))
    return Forward(activations, slopes, u, variances)


def backward(layers: Sequence[Layer], slopes: Sequence[Array], backend: Backend) -> Iterator[Signal]:
    """The signals from the output down: δ^L, ∂f/∂h^{L-1}, δ^{L-1}, ..., δ^1, ∂f/∂h^0 (theory.md §1), each made when
    it is asked for. ``∂f/∂h^{l-1} = δ^l W^l`` and ``δ^{l-1} = φ'(u^{l-1}) ∘ ∂f/∂h^{l-1}``."""
    value = backend.eye(layers[-1].weight.shape[0])[:, None, :]
    for l in range(len(layers), 0, -1):
        yield Signal(PREACTIVATION, l, value)
        value = _times(value, layers[l - 1].weight, backend)
        yield Signal(ACTIVATION, l - 1, value)
        if l > 1:
            value = value * slopes[l - 2]


def overlaps(x: Array, samples: int, backend: Backend) -> Array:
    """``[mean |x_n|², mean x_n·x_m]`` over n and over pairs n ≠ m, for x (..., n, m); also over the leading axes.

    Where x has one row for all samples it stands for N equal ones. The second number is NaN for N = 1.
    """
    xp, repeats = backend.xp, samples // x.shape[-2]
    total = xp.sum(x, axis=-2) * float(repeats)
    same = xp.sum(xp.vecdot(x, x)) * float(repeats)
    cross = xp.sum(total * total) - same
    pairs = samples * (samples - 1) or math.nan
    counts = backend.asarray(np.array([samples, pairs], dtype=np.float64) * math.prod(x.shape[:-2]))
    return xp.stack([same, cross]) / counts


def _times(signal: Array, weight: Array, backend: Backend) -> Array:
    """``signal W``: (C, n, M_l) × (M_l, M_{l-1}), as one matrix product."""
    outputs, samples, units = signal.shape
    flat = backend.xp.reshape(signal, (outputs * samples, units)) @ weight
    return backend.xp.reshape(flat, (outputs, samples, weight.shape[1]))
