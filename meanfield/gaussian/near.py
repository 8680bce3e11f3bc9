"""E[F(u)F(v)] of nearly collinear pairs, where Mehler's expansion needs too many terms: a table in (q_s, q_t, θ).

With ρ = cos θ the expectation, in units of √(E[F(u)²] E[F(v)²]), is a smooth function of θ even where φ has a kink at
0, and of both variances' logarithms. The table spans those of one data set and the angles up to ``widest``; it is
filled by quadrature. Where no table is smooth enough, as at kinks beside 0, every pair is integrated by itself.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from meanfield.gaussian.chebyshev import chebyshev_nodes, coefficients, mapped
from meanfield.gaussian.compiled_pairs import near_values
from meanfield.gaussian.unequal import pairs_by_quadrature
from meanfield.gaussian.variance_grid import VarianceGrid
from meanfield.spec.activations import Activation

__all__ = ["Lone", "Near", "near_rule"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Value: TypeAlias = Callable[[Floats, Floats, Floats], tuple[Floats, Floats]]  # (q_s, q_t, θ) → value, error

_GOAL = 1e-11  # of the last coefficients, in units of the value at θ = 0
_MOST = 1e-10  # of a table's error
_VARIANCES, _ANGLES = (6, 9, 13, 18, 24, 32), (9, 13, 18, 24, 32, 48)  # nodes: the first that are enough
_STEEPEST = 1e6  # ratio of q


@dataclass(frozen=True)
class Lone:
    """Every pair by itself.

    ``variances`` and ``scales`` = √E[F²] are (N,); ``sign`` is that of the correlations.
    """

    activation: Activation
    order: int
    variances: Floats
    scales: Floats
    sign: int

    def integrals(self, q_s: Floats, q_t: Floats, theta: Floats) -> tuple[Floats, Floats]:
        """E[F(u)F(v)] of pairs at the angles θ from ρ = ``sign``, and its error."""
        cosines, sines = self.sign * np.cos(theta), np.sin(theta)
        largest = float(np.max(self.variances))
        return pairs_by_quadrature(self.activation, self.order, largest, q_s, q_t, cosines, sines)

    def products(self, rows: Integers, columns: Integers, theta: Floats) -> tuple[Floats, Floats]:
        """In units of √(E[F(u)²] E[F(v)²]), for pairs of inputs at the angles θ, and the error."""
        value, error = self.integrals(self.variances[rows], self.variances[columns], theta)
        unit = self.scales[rows] * self.scales[columns]
        return value / unit, error / unit


@dataclass(frozen=True)
class NearTable:
    """Chebyshev coefficients (variances, variances, angles), and how N variances interpolate: ``basis`` (N, nodes)."""

    basis: Floats
    table: Floats
    width: float
    widest: float
    error: float

    def products(self, rows: Integers, columns: Integers, theta: Floats) -> tuple[Floats, Floats]:
        """As of :class:`Lone`."""
        used, place = np.unique(rows, return_inverse=True)
        left = np.tensordot(self.basis[used], self.table, axes=(1, 0))
        x = 2 * np.arcsinh(theta / self.width) / math.asinh(self.widest / self.width) - 1
        out = np.empty(len(rows))
        near_values(place.astype(np.int64), columns, x, left, self.basis, out)
        return out, np.full(len(rows), self.error)


Near: TypeAlias = Lone | NearTable


def near_rule(lone: Lone, widest: float) -> Near:
    """A table up to the angle ``widest``, or none where it would not be smooth."""
    low, high = float(np.min(lone.variances)), float(np.max(lone.variances))
    if any(lone.activation.breakpoints or ()) or high > _STEEPEST * low:
        return lone
    width = min(1.0, 1 / math.sqrt(high))
    value = functools.partial(_in_units, lone)
    angles = _angles(value, (low, high), width, widest)
    grid = _grid(value, lone.variances, widest)
    if angles is None or grid is None:
        return lone
    i, j = np.tril_indices(len(grid.nodes))
    found, errors = value(grid.nodes[i, None], grid.nodes[j, None], angles)
    table = np.empty((len(grid.nodes), len(grid.nodes), len(angles)))
    table[i, j] = table[j, i] = found
    in_angles = coefficients(table, (2,))
    missed = max(_tail(in_angles, 2), 0.0 if grid.exact else _tail(coefficients(in_angles, (0, 1)), 0))
    error = float(np.max(errors)) + 4 * missed
    return lone if error > _MOST else NearTable(grid.spread(np.eye(len(grid.nodes))), in_angles, width, widest, error)


def _in_units(lone: Lone, q_s: Floats, q_t: Floats, theta: Floats) -> tuple[Floats, Floats]:
    """E[F(u)F(v)] in units of √(E[F(u)²] E[F(v)²]), and its error, for all that broadcast together."""
    pairs = [np.ascontiguousarray(x) for x in np.broadcast_arrays(q_s, q_t, theta)]
    different, which = np.unique(np.concatenate([pairs[0].ravel(), pairs[1].ravel()]), return_inverse=True)
    squares, _ = replace(lone, sign=1).integrals(different, different, np.zeros_like(different))
    units = np.sqrt(squares)[which].reshape(2, -1)
    value, error = lone.integrals(*(x.ravel() for x in pairs))
    return tuple((x / (units[0] * units[1])).reshape(pairs[0].shape) for x in (value, error))


def _theta_nodes(count: int, width: float, widest: float) -> Floats:
    return np.asarray(width * np.sinh(mapped(chebyshev_nodes(count), 0.0, math.asinh(widest / width))))


def _angles(value: Value, ends: tuple[float, float], width: float, widest: float) -> Floats | None:
    """Nodes of θ that are enough for pairs of the ends of the variances."""
    q_s, q_t = np.array([(ends[0], ends[0]), ends, (ends[1], ends[1])]).T[:, :, None]
    for count in _ANGLES:
        nodes = _theta_nodes(count, width, widest)
        rows, _ = value(q_s, q_t, nodes)
        if _tail(coefficients(rows, (1,)), 1) <= _GOAL:
            return nodes
    return None


def _grid(value: Value, variances: Floats, widest: float) -> VarianceGrid | None:
    """Nodes of the variance that are enough beside the smallest and the largest."""
    ends = float(np.min(variances)), float(np.max(variances))
    for count in _VARIANCES:
        grid = VarianceGrid(variances, count)
        found, _ = value(grid.nodes, np.array(ends)[:, None, None], np.array([[0.0], [widest]]))
        rows = found.reshape(4, -1)
        if grid.exact or _tail(coefficients(rows, (1,)), 1) <= _GOAL:
            return grid
    return None


def _tail(values: Floats, axis: int) -> float:
    """The largest of the last two coefficients along an axis."""
    return float(np.max(np.abs(np.take(values, [-1, -2], axis=axis))))
