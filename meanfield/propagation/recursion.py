"""The order parameters of a network: forward and backward mean-field recursions (theory.md §2).

Beside a variance q and a covariance q_st this file carries their gap q - q_st as a quantity of its own: in the ordered
phase the two inputs become one, and 1 - c would be lost in the last digit of c.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.gaussian.moments import Moments, gaussian_moments, variance_slope
from meanfield.spec import ActivationLike, Network
from meanfield.spec.activations import Activation

__all__ = ["OrderParameters", "order_parameters", "order_parameters_grid", "variance_grid"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OrderParameters:
    """Order parameters of a wide network, theory.md §2, each an array over layers (and, on a grid, over its points).

    ==========================================  ==========  ====================================================
    ``q``, ``q_st``                             l = 1..L    q^l, variance of a preactivation, and its covariance
    ``forward``, ``forward_st``                 l = 0..L-1  q̂^l = |h^l|²/M_l, and h^l(s)·h^l(t)/M_l
    ``backward``, ``backward_st``               l = 1..L    q̃^l = |δ^l_k|², and δ^l_k(s)·δ^l_k(t)
    ==========================================  ==========  ====================================================

    s and t are two independent inputs. ``q_gap``, ``forward_gap`` and ``backward_gap`` are the differences
    ``q - q_st`` and so on, exact where the subtraction would lose them. ``error`` estimates the largest error of any
    of these, relative to the variance-like one of its layer; ``inf`` where a value is not usable. ``status`` is
    ``"ok"``, or ``"infinite"`` (q̃ of an activation with jumps), ``"overflow"``, or ``"unresolved"`` (the goal for the
    error was missed; ``error`` says by how much).
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


def order_parameters(network: Network, *, norm: float = 1.0, overlap: float = 0.0) -> OrderParameters:
    """Integrate the recursions of theory.md §2 through ``network``, every expectation by quadrature or closed form.

    ``norm`` and ``overlap`` are q̂^0 and q̂^0_st of the inputs: 1 and 0 for i.i.d. Gaussian ones.

    Raises
    ------
    TypeError
        If ``network`` is not a :class:`Network`.
    """
    if not isinstance(network, Network):
        raise TypeError(f"network: expected a Network, got {network!r}")
    source = _Direct()
    weight, bias = np.array(network.weight_variance), np.array(network.bias_variance)
    values = _integrate(network.activation, weight, bias, source, norm, overlap)
    return replace(values, error=_error(network, values.q, source.seen), status=source.status)


def order_parameters_grid(
    activation: ActivationLike, depth: int, weight_variance: ArrayLike, bias_variance: ArrayLike
) -> OrderParameters:
    """The order parameters of many networks at once: the same activation and depth, arrays of variances.

    The moments come from a table of interpolants (:mod:`meanfield.gaussian.interpolants`), which is made when first
    needed.

    Parameters
    ----------
    activation, depth
        As for :class:`Network`, the same in all layers.
    weight_variance, bias_variance
        σ_w² and σ_b², arrays that broadcast to the grid's shape.

    Returns
    -------
    OrderParameters
        Arrays of shape ``(L, *grid)``; NaN, and the status ``"overflow"``, where a variance leaves the table's range
        (q <= 2⁸): there ask for single networks.

    Raises
    ------
    ValueError, TypeError
        As for :class:`Network`, and for activations with jumps, whose q̃ is infinite.
    """
    weights, biases = variance_grid(weight_variance, bias_variance)
    activations = Network(depth, activation, 1.0).activation
    source = _Tabulated()
    per_layer = [np.broadcast_to(x, (depth, *weights.shape)) for x in (weights, biases)]
    values = _integrate(activations, per_layer[0], per_layer[1], source)
    finite = bool(np.all(np.isfinite(values.q)))
    return replace(values, error=depth * source.error, status="ok" if finite else "overflow")


def variance_grid(weight_variance: ArrayLike, bias_variance: ArrayLike) -> tuple[Floats, Floats]:
    """σ_w² and σ_b² as arrays of one shape. Raises ``ValueError`` unless they broadcast and are finite, at least 0 and
    at least one."""
    arrays = []
    for field, value in (("weight_variance", weight_variance), ("bias_variance", bias_variance)):
        try:
            array = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError):
            raise ValueError(f"{field}: expected numbers, got {value!r}") from None
        wrong = array[~(np.isfinite(array) & (array >= 0))]
        if array.size == 0 or wrong.size > 0:
            got = f"{wrong.flat[0]}" if wrong.size > 0 else "none"
            raise ValueError(f"{field}: expected finite numbers of at least 0, got {got}")
        arrays.append(array)
    try:
        weights, biases = np.broadcast_arrays(*arrays)
    except ValueError:
        shapes = f"{arrays[0].shape} and {arrays[1].shape}"
        raise ValueError(
            f"bias_variance: expected a shape that broadcasts with weight_variance, got {shapes}"
        ) from None
    return weights, biases


class _Source(Protocol):
    """Where the Gaussian moments come from."""

    def __call__(self, activation: Activation, q: Floats, gap: Floats) -> tuple[Floats, Floats, Floats]:
        """square, product and gap, each of shape ``(2, *q.shape)``: of φ, then of φ'."""


class _Direct:
    """One network: quadrature, keeping the error estimates."""

    def __init__(self) -> None:
        self.seen: list[tuple[Moments, Moments]] = []

    def __call__(self, activation: Activation, q: Floats, gap: Floats) -> tuple[Floats, Floats, Floats]:
        both = (self._moments(activation, float(q), float(gap), 0), self._moments(activation, float(q), float(gap), 1))
        self.seen.append(both)
        columns = zip(*((m.square, m.product, m.gap) for m in both), strict=True)
        square, product, difference = (np.array(x) for x in columns)
        return square, product, difference

    @staticmethod
    def _moments(activation: Activation, q: float, gap: float, order: int) -> Moments:
        if not math.isfinite(q + gap):
            return Moments(*(math.nan,) * 3, *(math.inf,) * 3, "overflow")
        return gaussian_moments(activation, q, min(gap, 2 * q), order)

    @property
    def status(self) -> str:
        return next((m.status for both in self.seen for m in both if m.status != "ok"), "ok")


class _Tabulated:
    """Many networks: interpolants."""

    def __init__(self) -> None:
        self.error = 0.0

    def __call__(self, activation: Activation, q: Floats, gap: Floats) -> tuple[Floats, Floats, Floats]:
        from meanfield.gaussian.interpolants import moment_table

        table = moment_table(activation)
        values = table.moments(q, gap)
        self.error = max(self.error, table.error)
        return values


def _integrate(
    activations: Sequence[Activation],
    weight: Floats,
    bias: Floats,
    source: _Source,
    norm: float = 1.0,
    overlap: float = 0.0,
) -> OrderParameters:
    """Both recursions, from variances with the layers on the first axis; the error is still to be estimated."""
    q, q_st, q_gap, forward, forward_st, forward_gap = (np.zeros_like(weight) for _ in range(6))
    slopes = np.zeros((3, *weight.shape))
    forward[0], forward_st[0], forward_gap[0] = norm, overlap, norm - overlap
    with np.errstate(over="ignore", invalid="ignore"):
        for i in range(len(weight)):
            q[i] = weight[i] * forward[i] + bias[i]
            q_st[i] = weight[i] * forward_st[i] + bias[i]
            q_gap[i] = weight[i] * forward_gap[i]
            if i + 1 < len(weight):
                square, product, gap = source(activations[i], q[i], q_gap[i])
                forward[i + 1], forward_st[i + 1], forward_gap[i + 1] = square[0], product[0], gap[0]
                slopes[:, i] = square[1], product[1], gap[1]
        backward = _backward(weight, *slopes)
    return OrderParameters(q, q_st, q_gap, forward, forward_st, forward_gap, *backward, error=math.nan)


def _backward(weight: Floats, square: Floats, product: Floats, gap: Floats) -> tuple[Floats, Floats, Floats]:
    """q̃, q̃_st and their gap for l = 1..L. The weights between layers l and l + 1 have the variance of l + 1."""
    same, other, difference = np.ones_like(weight), np.ones_like(weight), np.zeros_like(weight)
    for i in range(len(weight) - 2, -1, -1):
        same[i] = weight[i + 1] * same[i + 1] * square[i]
        other[i] = weight[i + 1] * other[i + 1] * product[i]
        difference[i] = weight[i + 1] * (difference[i + 1] * square[i] + other[i + 1] * gap[i])
    return same, other, difference


def _error(network: Network, q: Floats, seen: Sequence[tuple[Moments, Moments]]) -> float:
    """The quadratures' errors carried through the layers to first order, relative to the variances.

    An error of q^l is handed on by d log q̂/d log q (Stein), one of q_st^l by E[φ'φ'] (Price), and the relative errors
    of a backward product add up; there an error of q^l counts once.
    """
    variance = covariance = backward = 0.0
    for i, (activation, (feature, slope)) in enumerate(zip(network.activation, seen, strict=True)):
        if not math.isfinite(q[i + 1] + slope.square):
            return math.inf
        if q[i] == 0 or q[i + 1] == 0:
            continue
        scale = network.weight_variance[i + 1] / float(q[i + 1])
        inherited = abs(variance_slope(activation, float(q[i]))[0]) * float(q[i]) * variance
        own = max(feature.square_error, feature.product_error)
        backward += max(slope.square_error, slope.product_error) / (slope.square or 1.0) + variance + covariance
        variance = scale * (own + inherited)
        covariance = scale * (own + inherited + abs(slope.product) * covariance * float(q[i]))
    return max(variance, covariance, backward)
