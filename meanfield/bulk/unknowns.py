"""Where each order parameter of the bulk's law lies in the vector y = (s_0..s_{L-1}, S_0..S_{L-1}, t_1..t_{L-1},
T_1..T_{L-1}).

The places below serve compiled code and plain Python alike. numba's cache knows of the file that it compiles only:
who changes this one touches :mod:`meanfield.bulk.fixed_point`, too.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

__all__ = ["Unknowns", "at_S", "at_T", "at_s", "at_t", "count", "joined", "split"]

Floats = NDArray[np.float64]
Place = TypeVar("Place", int, NDArray[np.int64])


@register_jitable
def count(depth: int) -> int:
    """How many there are."""
    return 4 * depth - 2


@register_jitable
def at_s(l: Place, depth: int) -> Place:
    """Of s_l, l = 0..L-1."""
    return l


@register_jitable
def at_S(l: Place, depth: int) -> Place:
    """Of S_l, l = 0..L-1."""
    return depth + l


@register_jitable
def at_t(l: Place, depth: int) -> Place:
    """Of t_l, l = 1..L-1."""
    return 2 * depth + l - 1


@register_jitable
def at_T(l: Place, depth: int) -> Place:
    """Of T_l, l = 1..L-1."""
    return 3 * depth + l - 2


class Unknowns(NamedTuple):
    """Real s, S, t and T by layer: L numbers each, at index l; t_0 and T_0, which there are none of, are 0."""

    s: Floats
    S: Floats
    t: Floats
    T: Floats


def split(y: Floats) -> Unknowns:
    """The order parameters of y by layer."""
    depth = (len(y) + 2) // 4
    layers, hidden = np.arange(depth), np.arange(1, depth)
    t, T = np.zeros((2, depth))
    t[1:], T[1:] = y[at_t(hidden, depth)], y[at_T(hidden, depth)]
    return Unknowns(y[at_s(layers, depth)], y[at_S(layers, depth)], t, T)


def joined(unknowns: Unknowns) -> Floats:
    """:func:`split` back."""
    depth = len(unknowns.s)
    y = np.empty(count(depth))
    layers, hidden = np.arange(depth), np.arange(1, depth)
    y[at_s(layers, depth)], y[at_S(layers, depth)] = unknowns.s, unknowns.S
    y[at_t(hidden, depth)], y[at_T(hidden, depth)] = unknowns.t[1:], unknowns.T[1:]
    return y
