"""A kernel as a power series in the overlap of two inputs of equal norm: ``K(ρ) = Σ_k g_k ρ^k`` with all g_k >= 0.

Every step of theory.md §2 keeps such series: a weight layer scales one and adds to its constant, an activation puts it
into Mehler's series, a gradient multiplies two. Nothing is ever subtracted, so the g_k keep their digits.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.information.hermite import hermite_squares
from meanfield.kernels.exchangeable import coefficients
from meanfield.propagation.recursion import numerical_warnings, order_parameters, usable
from meanfield.spec import MetricLike, Network, OrderParameters, as_metric
from meanfield.spec.activations import Activation
from meanfield.spec.checks import POSITIVE, integer, number

__all__ = ["KernelSeries", "kernel_series"]

Floats = NDArray[np.float64]

_COUNTS = (128, 512, 2048, 8192)  # Hermite degrees, until no more are missed
_GOAL = 1e-13  # of what a layer's series may miss, relative to its value at ρ = 1
_NOTICEABLE = 1e-8  # relative error of a series that a reader must know of


@dataclass(frozen=True)
class KernelSeries:
    """``K(s,t) = Σ_k g_k ρ^k`` of two inputs with |x|²/M_0 = ``norm`` and overlap ρ, in the units of K₁ and K₂.

    Attributes
    ----------
    coefficients
        g_0..g_K.
    total
        K₁ = Σ of all g_k, so that ``total - sum(coefficients)`` is what the degrees beyond K make.
    norm
        |x|²/M_0.
    error
        Estimates the largest error of any sum of g_k, relative to ``total``.
    warnings
        Where that is worth a word.
    """

    coefficients: Floats
    total: float
    norm: float = 1.0
    error: float = 0.0
    warnings: tuple[str, ...] = ()

    def __call__(self, overlap: ArrayLike) -> Floats:
        """Σ_{k<=K} g_k ρ^k; what is left out is at most |ρ|^(K+1) times what the degrees beyond K make."""
        return np.asarray(np.polynomial.polynomial.polyval(np.asarray(overlap, dtype=np.float64), self.coefficients))


class _Layer(NamedTuple):
    """E φφ and E φ'φ' of an activation, and what they miss relative to their values at ρ = 1."""

    feature: Floats
    slope: Floats
    missed: float


def kernel_series(
    network: Network, metric: MetricLike, *, width: int, degree: int = 40, norm: float = 1.0
) -> KernelSeries:
    """The power series up to ρ^``degree`` of the kernel of ``metric`` (before ν) for inputs with |x|²/M_0 = ``norm``.

    Raises
    ------
    ValueError, TypeError
        For a network that is not fully connected, has a weight variance of 0 or an activation with jumps; a metric
        with softmax or mean subtraction, whose kernel is no function of ρ; sizes that are none.
    """
    metric = as_metric(metric)
    network.check_dense("a kernel's power series")
    if metric.loss != "mse" or metric.centered:
        raise ValueError(f"metric: expected one of the squared error, not centred, got {metric}")
    if min(network.weight_variance) == 0:
        raise ValueError("weight_variance: expected positive numbers, got 0.0")
    terms, norm = integer("degree", degree, 0) + 1, number("norm", norm, POSITIVE)
    parameters = usable(order_parameters(network, norm=norm))
    rows = coefficients(network, metric, np.array(network.widths(width), dtype=np.float64))
    entering, layers = _forward(network, parameters, norm, terms)
    leaving = _backward(network, [layer.slope for layer in layers], terms)
    parts = [
        _times(of_outputs, float(row.weight) * of_inputs + float(row.bias) * _power(0, terms))
        for of_outputs, of_inputs, row in zip(leaving, entering, rows, strict=True)
    ]
    states = zip(parameters.backward, parameters.forward, rows, strict=True)
    total = float(sum(back * (row.weight * ahead + row.bias) for back, ahead, row in states))
    error = parameters.error + sum(layer.missed for layer in layers)
    return KernelSeries(np.sum(parts, axis=0), total, norm, error, _warnings(parameters, error))


def _warnings(parameters: OrderParameters, error: float) -> tuple[str, ...]:
    rough = f"the coefficients' relative error is about {error:.1g}: two layers' correlation is too near 1 for a series"
    return (*numerical_warnings(parameters), *([rough] if error > _NOTICEABLE else []))


def _forward(
    network: Network, parameters: OrderParameters, norm: float, terms: int
) -> tuple[list[Floats], list[_Layer]]:
    """q̂^0..q̂^{L-1} as series, and the layers that made them."""
    features, layers = [norm * _power(1, terms)], []
    states = zip(network.activation, network.linear, parameters.q, strict=False)
    for l, (activation, linear, q) in enumerate(states):
        inner = (linear.weight_variance * features[-1] + linear.bias_variance * _power(0, terms)) / q
        square = parameters.forward[l + 1]
        rate = parameters.backward[l] / (network.weight_variance[l + 1] * parameters.backward[l + 1])
        layers.append(_activated(activation, float(q), inner, float(square), float(rate)))
        features.append(layers[-1].feature)
    return features, layers


def _backward(network: Network, slopes: list[Floats], terms: int) -> list[Floats]:
    """q̃^1..q̃^L as series."""
    gradients = [_power(0, terms)]
    for weight, slope in zip(network.weight_variance[:0:-1], slopes[::-1], strict=True):
        gradients.insert(0, weight * _times(gradients[0], slope))
    return gradients


def _activated(activation: Activation, q: float, inner: Floats, square: float, rate: float) -> _Layer:
    """Mehler's series of φ at a correlation that is a series; that of φ' has the coefficients (k + 1) a_{k+1}/q.

    A power of ``inner`` beyond the last one taken has no larger sum of coefficients than that one, since inner(1) = 1:
    times what Mehler's coefficients lack of E φ² (``square``) or E φ'² (``rate``), it bounds what is missed.
    """
    for count in _COUNTS:
        found = hermite_squares(activation, q, count)
        slopes = np.arange(1, count) * found.squares[1:] / q
        beyond = float(np.sum(_raised(inner, count - 1)))
        lacking = max(1 - found.squares.sum() / square, 1 - slopes.sum() / rate, 0.0)
        if beyond * lacking <= _GOAL:
            break
    return _Layer(_composed(found.squares, inner), _composed(slopes, inner), beyond * lacking + 2 * found.error)


def _power(k: int, terms: int) -> Floats:
    """ρ^k."""
    series = np.zeros(terms)
    series[k : k + 1] = 1.0
    return series


def _times(a: Floats, b: Floats) -> Floats:
    return np.convolve(a, b)[: len(a)]


def _composed(outer: Floats, inner: Floats) -> Floats:
    """Σ_k outer_k inner^k: rows of √n terms from the first √n powers, and Horner over the rows."""
    size = math.isqrt(len(outer) - 1) + 1
    *powers, step = itertools.accumulate([inner] * size, _times, initial=_power(0, len(inner)))
    rows = np.append(outer, np.zeros(size * size - len(outer))).reshape(size, size) @ np.array(powers)
    series: Floats = functools.reduce(lambda sum_, row: _times(sum_, step) + row, rows[::-1], 0 * inner)
    return series


def _raised(series: Floats, exponent: int) -> Floats:
    """series^exponent, by squaring."""
    result, square = _power(0, len(series)), series
    while exponent:
        result = _times(result, square) if exponent % 2 else result
        square, exponent = _times(square, square), exponent // 2
    return result
