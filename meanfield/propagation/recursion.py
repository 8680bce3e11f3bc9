"""The order parameters of a network: forward and backward mean-field recursions (theory.md §2).

A network is a sequence of layers, and each has a map (:data:`MAPS`): its covariance goes forward, the gradients' comes
back, and the weight layers tell what they have seen. Nothing here knows of a layer type.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.propagation.activate import ActivateMap
from meanfield.propagation.expectations import Expectations, Quadrature, Table
from meanfield.propagation.linear import LinearMap, Seen
from meanfield.propagation.samples import Gram, given_samples
from meanfield.propagation.state import Covariance, SecondMoments, State
from meanfield.spec import Activate, ActivationLike, Layer, LayerState, Linear, Network, OrderParameters
from meanfield.spec.states import Number

__all__ = [
    "MAPS", "Map", "map_of", "numerical_warnings", "order_parameters", "order_parameters_grid", "up_and_down", "usable",
    "variance_grid",
]  # fmt: skip

Floats = NDArray[np.float64]

_NOTICEABLE = 1e-6  # relative error of order parameters that a reader must know of
_LARGEST = 1e70  # order parameter of which a second moment, times any number of samples, is still a number


class Map(Protocol):
    """One layer on the way: it remembers from ``forward`` what ``backward`` and ``seen`` need."""

    error: Number
    """The relative error that it adds to a backward product."""

    def forward(self, given: State) -> State: ...
    def backward(self, gradient: SecondMoments) -> SecondMoments: ...
    def seen(self) -> Iterator[Seen]: ...


MAPS: Mapping[type[Layer], Callable[[Any, Expectations], Map]] = {
    Linear: lambda layer, _: LinearMap(np.float64(layer.weight_variance), np.float64(layer.bias_variance)),
    Activate: lambda layer, expectations: ActivateMap(layer.activation, expectations),
}


def map_of(layer: Layer, expectations: Expectations) -> Map:
    if type(layer) not in MAPS:
        known = ", ".join(kind.kind for kind in MAPS)
        raise ValueError(f"layers: expected those that theory has a map for ({known}), got {type(layer).__name__}")
    return MAPS[type(layer)](layer, expectations)


def order_parameters(
    network: Network,
    *,
    norm: float = 1.0,
    overlap: float = 0.0,
    gaussian: bool = True,
    inputs: ArrayLike | Gram | None = None,
) -> OrderParameters:
    """Integrate the recursions of theory.md §2 through ``network``, every expectation by quadrature or closed form.

    ``norm`` and ``overlap`` are q̂^0 and q̂^0_st of the inputs: 1 and 0 for i.i.d. Gaussian ones; ``gaussian``: whether
    they are jointly Gaussian, which matters where an activation meets them first. With ``inputs``, an array X (N, d) or
    a :class:`Gram` matrix, the order parameters are those of each sample and pair: ``q``, ``forward`` and ``backward``
    (L, N), those with ``_st`` (L, N, N), and as the gaps half the mean squared differences (q_s + q_t)/2 - q_st.

    Raises
    ------
    TypeError
        If ``network`` is not a :class:`Network`.
    ValueError
        If an activation is applied to units that are not Gaussian, or a layer type has no row in ``MAPS``.
    """
    if not isinstance(network, Network):
        raise TypeError(f"network: expected a Network, got {network!r}")
    if inputs is not None:
        from meanfield.propagation.given import given_order_parameters

        return given_order_parameters(network, given_samples("inputs", inputs))
    return _integrated(network, float(norm), float(overlap), bool(gaussian))


@functools.lru_cache(maxsize=512)
def _integrated(network: Network, norm: float, overlap: float, gaussian: bool) -> OrderParameters:
    """Kept, since a sweep asks for the same network at many widths, with many metrics."""
    expectations = Quadrature()
    maps = [map_of(layer, expectations) for layer in network.layers]
    inputs = Covariance(np.float64(norm), np.float64(overlap), np.float64(norm - overlap))
    states, error = _through(maps, State(inputs, gaussian))
    return OrderParameters(states, error, expectations.status)


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
        (q <= 2⁸): there ask for single networks. ``error`` is that of the table; above 1e-8 of a moment the status is
        ``"unresolved"``.

    Raises
    ------
    ValueError, TypeError
        As for :class:`Network`, and for activations with jumps, whose q̃ is infinite.
    """
    weights, biases = variance_grid(weight_variance, bias_variance)
    table = Table()
    maps: list[Map] = []
    for layer in Network(depth, activation, 1.0).layers:
        maps.append(LinearMap(weights, biases) if isinstance(layer, Linear) else map_of(layer, table))
    one = np.ones(weights.shape)
    states, _ = _through(maps, State(Covariance(one, 0 * one, one), True))
    finite = all(bool(np.all(np.isfinite(state.q))) for state in states)
    return OrderParameters(states, depth * table.error, table.status if finite else "overflow")


def _through(maps: Sequence[Map], state: State) -> tuple[tuple[LayerState, ...], float]:
    """Up and down a sequence of layers: the states of its weight layers, and the error carried to first order.

    The relative errors of a backward product add up.
    """
    one = np.ones_like(np.asarray(state.covariance[0]))
    state = up_and_down(maps, state, Covariance(one, one, 0 * one))
    forward = state.covariance.relative(np.maximum(state.same_error, state.other_error))
    error = max(forward, sum(float(np.max(layer.error)) for layer in maps))
    return tuple(seen.state() for layer in maps for seen in layer.seen()), error if math.isfinite(error) else math.inf


def up_and_down(maps: Sequence[Map], state: State, gradient: SecondMoments) -> State:
    """Through a sequence of layers, which then know what they have seen; the state at the top."""
    with np.errstate(over="ignore", invalid="ignore"):
        for layer in maps:
            state = layer.forward(state)
        for layer in reversed(maps):
            gradient = layer.backward(gradient)
    return state


def usable(parameters: OrderParameters) -> OrderParameters:
    """Refuse order parameters that are not finite, or so large that a spectrum's moments aren't: a prediction from them
    would mean nothing."""
    reasons = {
        "infinite": "activation: expected one without jumps and cusps, since E[φ'²] is infinite and with it every "
        "gradient",
        "overflow": "weight_variance: expected order parameters below 1e308, got an overflow: E[φ²] or E[φ'²] is "
        "infinite or too large at a layer's variance",
    }
    if parameters.status in reasons:
        raise ValueError(reasons[parameters.status])
    largest = max(float(np.max(x, initial=0.0)) for x in (parameters.q, parameters.forward, parameters.backward))
    if largest > _LARGEST:
        raise ValueError(
            f"weight_variance: expected order parameters below {_LARGEST:g}, since spectra take the squares of their "
            f"products, got {largest:.1e}: less depth, or variances at which they don't grow from layer to layer"
        )
    return parameters


def numerical_warnings(parameters: OrderParameters) -> tuple[str, ...]:
    """What an answer must say of the order parameters that it rests on: nothing where they are resolved."""
    if parameters.status == "ok" and not parameters.error > _NOTICEABLE:
        return ()
    return (
        f"the order parameters are {parameters.status if parameters.status != 'ok' else 'rough'}: their relative "
        f"numerical error is about {parameters.error:.1g}, and that of what follows from them is no smaller",
    )


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
