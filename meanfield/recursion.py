"""The order parameters of a network: forward and backward mean-field recursions (theory.md §2).

Beside a variance q and a covariance q_st this file carries their gap q - q_st as a quantity of its own: in the ordered
phase the two inputs become one, and 1 - c would be lost in the last digit of c.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.activations import Activation
from meanfield.gauss import Moments, gaussian_moments, variance_slope
from meanfield.spec import Network

__all__ = ["OrderParameters", "order_parameters"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OrderParameters:
    """Order parameters of a wide network, theory.md §2, each an array over layers.

    ==========================================  ==========  ====================================================
    ``q``, ``q_st``                             l = 1..L    q^l, variance of a preactivation, and its covariance
    ``forward``, ``forward_st``                 l = 0..L-1  q̂^l = |h^l|²/M_l, and h^l(s)·h^l(t)/M_l
    ``backward``, ``backward_st``               l = 1..L    q̃^l = |δ^l_k|², and δ^l_k(s)·δ^l_k(t)
    ==========================================  ==========  ====================================================

    s and t are two independent inputs. ``q_gap``, ``forward_gap`` and ``backward_gap`` are the differences
    ``q - q_st`` and so on, exact where the subtraction would lose them. ``error`` estimates the largest error of any
    of these, relative to the variance-like one of its layer; ``inf`` where a value is not usable, and ``status`` says
    why (``"ok"`` otherwise).
    """

    q: Floats
    q_st: Floats
    q_gap: Floats
    forward: Floats
    forward_st: Floats
    forward_gap: Floats
    backward: Floats
    backward_st: Floats
    backward_gap: Floats
    error: float
    status: str = "ok"


@dataclass(frozen=True)
class Layer:
    """A preactivation's law in one layer: variance, covariance across two inputs, and their difference."""

    q: float
    q_st: float
    q_gap: float


def order_parameters(network: Network) -> OrderParameters:
    """Integrate the recursions of theory.md §2 through ``network``.

    Raises
    ------
    TypeError
        If ``network`` is not a :class:`Network`.
    """
    if not isinstance(network, Network):
        raise TypeError(f"network: expected a Network, got {network!r}")
    with np.errstate(over="ignore", invalid="ignore"):
        layers, features = _forward(network)
        slopes = [_moments(a, x, 1) for a, x in zip(network.activation, layers, strict=False)]
        backward, backward_st, backward_gap = _backward(network.weight_variance, slopes)
    status = next((m.status for m in (*features[1:], *slopes) if m.status != "ok"), "ok")
    return OrderParameters(
        q=np.array([x.q for x in layers]),
        q_st=np.array([x.q_st for x in layers]),
        q_gap=np.array([x.q_gap for x in layers]),
        forward=np.array([m.square for m in features]),
        forward_st=np.array([m.product for m in features]),
        forward_gap=np.array([m.gap for m in features]),
        backward=backward,
        backward_st=backward_st,
        backward_gap=backward_gap,
        error=_error(network, layers, features, slopes),
        status=status,
    )


_INPUT = Moments(square=1.0, product=0.0, gap=1.0, square_error=0.0, product_error=0.0, gap_error=0.0)


def _forward(network: Network) -> tuple[list[Layer], list[Moments]]:
    """Layers 1..L, and the features' moments of layers 0..L-1 (the first is the input's)."""
    layers: list[Layer] = []
    features = [_INPUT]
    for index, (weight, bias) in enumerate(zip(network.weight_variance, network.bias_variance, strict=True)):
        if index > 0:
            features.append(_moments(network.activation[index - 1], layers[-1], 0))
        h = features[-1]
        layers.append(Layer(weight * h.square + bias, weight * h.product + bias, weight * h.gap))
    return layers, features


def _moments(activation: Activation, layer: Layer, order: int) -> Moments:
    if not math.isfinite(layer.q):
        return Moments(*(math.nan,) * 3, *(math.inf,) * 3, "overflow")
    return gaussian_moments(activation, layer.q, min(layer.q_gap, 2 * layer.q), order)


def _backward(weight_variance: Sequence[float], slopes: Sequence[Moments]) -> tuple[Floats, Floats, Floats]:
    """q̃, q̃_st and their gap for l = 1..L. The weights between layers l and l + 1 have the variance of l + 1."""
    depth = len(weight_variance)
    same, other, gap = np.ones(depth), np.ones(depth), np.zeros(depth)
    for i in range(depth - 2, -1, -1):
        weight, slope = weight_variance[i + 1], slopes[i]
        same[i] = weight * same[i + 1] * slope.square
        other[i] = weight * other[i + 1] * slope.product
        gap[i] = weight * (gap[i + 1] * slope.square + other[i + 1] * slope.gap)
    return same, other, gap


def _error(network: Network, layers: Sequence[Layer], features: Sequence[Moments], slopes: Sequence[Moments]) -> float:
    """The quadratures' errors carried through the layers to first order, relative to the variances.

    An error of q^l is handed on by d log q̂/d log q (Stein), one of q_st^l by E[φ'φ'] (Price), and the relative errors
    of a backward product add up; there an error of q^l counts once.
    """
    variance = covariance = backward = 0.0
    for i, (activation, slope) in enumerate(zip(network.activation, slopes, strict=True)):
        layer, after, h = layers[i], layers[i + 1], features[i + 1]
        if after.q == 0 or not math.isfinite(after.q + slope.square):
            return 0.0 if after.q == 0 else math.inf
        weight, own = network.weight_variance[i + 1], max(h.square_error, h.product_error)
        elasticity = abs(variance_slope(activation, layer.q)[0]) * layer.q
        inherited = elasticity * variance
        backward += max(slope.square_error, slope.product_error) / (slope.square or 1.0) + variance + covariance
        variance = weight * (own + inherited) / after.q
        covariance = weight * (own + inherited + abs(slope.product) * covariance * layer.q) / after.q
    return max(variance, covariance, backward)
