"""The order parameters of one network, layer by layer: the record that theory, measurement and the store exchange."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.text import Table, Tabled, column_table

__all__ = ["LayerState", "Number", "OrderParameters"]

Floats = NDArray[np.float64]
Number: TypeAlias = "np.float64 | Floats"
"""One network's, or an array over a grid of networks."""


@dataclass(frozen=True, eq=False)
class LayerState:
    """What theory.md §2 knows of one weight layer l: numbers, or on a grid of networks arrays over its points.

    ``forward`` is q̂^{l-1} = |h^{l-1}|²/M_{l-1} of what enters, ``q`` the variance q^l of what leaves, and ``backward``
    q̃^l = |∂f_k/∂u^l|²; each with ``_st``, its covariance for two samples, and with ``_gap``, the difference of both.
    A layer type with more to say extends it.
    """

    q: Number
    q_st: Number
    q_gap: Number
    forward: Number
    forward_st: Number
    forward_gap: Number
    backward: Number
    backward_st: Number
    backward_gap: Number


def _over_layers(meaning: str) -> functools.cached_property[Floats]:
    """The attribute of :class:`OrderParameters` that stacks its namesake in the layers' states."""

    def stack(parameters: OrderParameters) -> Floats:
        values = [getattr(layer, str(made.attrname)) for layer in parameters.layers]
        stacked = np.array(values, dtype=np.float64)
        stacked.flags.writeable = False  # several predictions share one record
        return stacked

    made = functools.cached_property(stack)
    made.__doc__ = meaning
    return made


@dataclass(frozen=True, eq=False)
class OrderParameters(Tabled):
    """Order parameters of a network, theory.md §2: predicted for wide ones, or measured in one.

    Attributes
    ----------
    layers
        The states of the weight layers l = 1..L. Each of their quantities is here, too, as an array over layers (and,
        on a grid, over its points):

        ==========================================  ==========  ================================================
        ``q``, ``q_st``                             l = 1..L    q^l, variance of a preactivation, and covariance
        ``forward``, ``forward_st``                 l = 0..L-1  q̂^l = |h^l|²/M_l, and h^l(s)·h^l(t)/M_l
        ``backward``, ``backward_st``               l = 1..L    q̃^l = |δ^l_k|², and δ^l_k(s)·δ^l_k(t)
        ==========================================  ==========  ================================================

        s and t are two samples. Theory's are independent inputs; measured ones are means over samples (over pairs of
        different ones for ``_st``; NaN if N = 1), over units, and over outputs for the backward ones. ``q_gap``,
        ``forward_gap`` and ``backward_gap`` are the differences ``q - q_st`` and so on: theory has them exactly where
        the subtraction would lose them.
    error
        Estimates the largest error of any of these, relative to the variance-like one of its layer; ``inf`` where a
        value is not usable. 0 for a measurement.
    status
        ``"ok"``, or ``"infinite"`` (q̃ of an activation with jumps), ``"overflow"``, or ``"unresolved"`` (the goal for
        the error was missed; ``error`` says by how much).
    """

    layers: tuple[LayerState, ...]
    error: float = 0.0
    status: str = "ok"

    NAMES: ClassVar[tuple[str, ...]] = ("q", "q_st", "forward", "forward_st", "backward", "backward_st")
    """What plain data and stores hold, in this order."""

    @classmethod
    def of(cls, quantities: Mapping[str, ArrayLike], error: float = 0.0, status: str = "ok") -> OrderParameters:
        """From one array for each of ``NAMES``, layers on the first axis; gaps are differences unless they are given.

        Raises
        ------
        ValueError, TypeError
            If one is missing, is unknown, has no numbers, or is not of the others' shape.
        """
        known = {f.name for f in fields(LayerState)}
        wrong = sorted({*cls.NAMES} - {*quantities}) or sorted({*quantities} - known)
        if wrong:
            raise ValueError(f"order_parameters: expected {', '.join(cls.NAMES)}, got {wrong[0]!r} missing or unknown")
        arrays = {name: _numbers(name, values) for name, values in quantities.items()}
        shape = arrays["q"].shape
        for name, values in arrays.items():
            if values.ndim == 0 or values.shape != shape:
                raise ValueError(f"order_parameters.{name}: expected the shape of q, {shape}, got {values.shape}")
        for name in ("q", "forward", "backward"):
            arrays.setdefault(f"{name}_gap", arrays[name] - arrays[f"{name}_st"])
        layers = [LayerState(**{name: values[l] for name, values in arrays.items()}) for l in range(shape[0])]
        return cls(tuple(layers), error, status)

    def _tables(self) -> Iterable[Table]:
        shape, given = self.q.shape[1:], self.q_st.ndim > self.q.ndim
        words = f", on a grid of {' × '.join(map(str, shape))}: the first point" if shape else ""
        words = f", of {shape[0]} given inputs and their pairs: means" if given else words
        rows = {name: getattr(self, name).reshape(len(self.layers), -1) for name in self.NAMES}
        values = {name: x.mean(axis=1) if given else x[:, 0] for name, x in rows.items()}
        numbers = np.arange(1, len(self.layers) + 1)
        yield column_table(f"Order parameters (forward: of layer - 1){words}", {"layer": numbers, **values})

    def _notes(self) -> Iterable[str]:
        return [f"error {self.error:.1g}, {self.status}"]

    def to_dict(self) -> dict[str, list[float]]:
        """``NAMES`` → one number a layer, NaN among them where N = 1; ``OrderParameters.of(plain)`` reads it back."""
        return {name: getattr(self, name).tolist() for name in self.NAMES}

    q = _over_layers("q^l.")
    q_st = _over_layers("q_st^l.")
    q_gap = _over_layers("q^l - q_st^l.")
    forward = _over_layers("q̂^{l-1}.")
    forward_st = _over_layers("q̂_st^{l-1}.")
    forward_gap = _over_layers("q̂^{l-1} - q̂_st^{l-1}.")
    backward = _over_layers("q̃^l.")
    backward_st = _over_layers("q̃_st^l.")
    backward_gap = _over_layers("q̃^l - q̃_st^l.")

    def __eq__(self, other: object) -> bool:
        """Equal numbers in every layer; NaN equals NaN."""
        if not isinstance(other, OrderParameters):
            return NotImplemented
        same = (self.error, self.status, len(self.layers)) == (other.error, other.status, len(other.layers))
        return same and all(map(_alike, self.layers, other.layers))

    __hash__ = None  # type: ignore[assignment]


def _alike(one: LayerState, other: LayerState) -> bool:
    """Whether they are of one type and have equal numbers."""
    pairs = ((getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    return type(one) is type(other) and all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)


def _numbers(name: str, values: ArrayLike) -> Floats:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"order_parameters.{name}: expected numbers, got {values!r:.60}") from None
