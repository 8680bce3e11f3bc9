"""Where each order parameter of the bulk's law lies in the vector y = (s_0..s_{L-1}, S_0..S_{L-1}, t_1..t_{L-1},
T_1..T_{L-1}).

The places below serve compiled code and plain Python alike. numba's cache knows of the file that it compiles only:
who changes this one touches :mod:`meanfield.bulk.fixed_point`, too.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

__all__ = ["Unknowns", "at_S", "at_T", "at_s", "at_t", "count", "joined", "split"]

Floats = NDArray[np.float64]


@register_jitable
def count(depth: int) -> int:
    """How many there are."""
    return 4 * depth - 2


@register_jitable
def at_s(l: int, depth: int) -> int:
    """Of s_l, l = 0..L-1."""
    return l


@register_jitable
def at_S(l: int, depth: int) -> int:
    """Of S_l, l = 0..L-1."""
    return depth + l


@register_jitable
def at_t(l: int, depth: int) -> int:
    """Of t_l, l = 1..L-1."""
    return 2 * depth + l - 1


@register_jitable
def at_T(l: int, depth: int) -> int:
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
    t, T = np.zeros((2, depth))
    t[1:], T[1:] = y[at_t(1, depth) : at_t(depth, depth)], y[at_T(1, depth) : at_T(depth, depth)]
    return Unknowns(y[at_s(0, depth) : at_s(depth, depth)], y[at_S(0, depth) : at_S(depth, depth)], t, T)


def joined(unknowns: Unknowns) -> Floats:
    """:func:`split` back."""
    depth = len(unknowns.s)
    y = np.empty(count(depth))
    y[at_s(0, depth) : at_s(depth, depth)] = unknowns.s
    y[at_S(0, depth) : at_S(depth, depth)] = unknowns.S
    y[at_t(1, depth) : at_t(depth, depth)] = unknowns.t[1:]
    y[at_T(1, depth) : at_T(depth, depth)] = unknowns.T[1:]
    return y
