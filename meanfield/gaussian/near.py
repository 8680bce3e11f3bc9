"""E[F(u)F(v)] of nearly collinear pairs, where Mehler's expansion needs too many terms: a table in (q_s, q_t, θ).

With ρ = cos θ the expectation, in units of √(E[F(u)²] E[F(v)²]), is a smooth function of θ even where φ has a kink at
0, and of both variances' logarithms. The table spans those of one data set and the angles up to ``widest``; it is
filled by quadrature. Where no table is smooth enough, as at kinks beside 0, every pair is integrated by itself.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from meanfield.gaussian.chebyshev import chebyshev_nodes, coefficients, mapped
from meanfield.gaussian.compiled_pairs import near_values
from meanfield.gaussian.unequal import pair_by_quadrature
from meanfield.gaussian.variance_grid import VarianceGrid
from meanfield.spec.activations import Activation

__all__ = ["Lone", "Near", "near_rule"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Value: TypeAlias = Callable[[float, float, float], tuple[float, float]]  # (q_s, q_t, θ) → value, error

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

    def one(self, q_s: float, q_t: float, theta: float) -> tuple[float, float]:
        """E[F(u)F(v)] at the angle θ from ρ = ``sign``, and its error."""
        return pair_by_quadrature(self.activation, self.order, q_s, q_t, self.sign * math.cos(theta), math.sin(theta))

    def products(self, rows: Integers, columns: Integers, theta: Floats) -> tuple[Floats, Floats]:
        """In units of √(E[F(u)²] E[F(v)²]), for pairs of inputs at the angles θ, and the error."""
        pairs = zip(self.variances[rows].tolist(), self.variances[columns].tolist(), theta.tolist(), strict=True)
        found = np.array([self.one(*pair) for pair in pairs]).reshape(-1, 2).T
        value, error = found / (self.scales[rows] * self.scales[columns])
        return value, error


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
    scale = functools.cache(lambda q: math.sqrt(pair_by_quadrature(lone.activation, lone.order, q, q, 1.0, 0.0)[0]))

    @functools.cache
    def value(q_s: float, q_t: float, theta: float) -> tuple[float, float]:
        found, error = lone.one(q_s, q_t, theta)
        unit = scale(q_s) * scale(q_t)
        return found / unit, error / unit

    angles = _angles(value, (low, high), width, widest)
    grid = _grid(value, lone.variances, widest)
    if angles is None or grid is None:
        return lone
    nodes, count = grid.nodes.tolist(), len(angles)
    table, error = np.empty((len(nodes), len(nodes), count)), 0.0
    for i, q_s in enumerate(nodes):
        for j, q_t in enumerate(nodes[: i + 1]):
            found = np.array([value(q_s, q_t, t) for t in angles])
            table[i, j] = table[j, i] = found[:, 0]
            error = max(error, float(found[:, 1].max()))
    in_angles = coefficients(table, (2,))
    missed = max(_tail(in_angles, 2), 0.0 if grid.exact else _tail(coefficients(in_angles, (0, 1)), 0))
    error += 4 * missed
    return lone if error > _MOST else NearTable(grid.spread(np.eye(len(nodes))), in_angles, width, widest, error)


def _theta_nodes(count: int, width: float, widest: float) -> Floats:
    return np.asarray(width * np.sinh(mapped(chebyshev_nodes(count), 0.0, math.asinh(widest / width))))


def _angles(value: Value, ends: tuple[float, float], width: float, widest: float) -> list[float] | None:
    """Nodes of θ that are enough for pairs of the ends of the variances."""
    pairs = {(ends[0], ends[0]), ends, (ends[1], ends[1])}
    for count in _ANGLES:
        nodes: list[float] = _theta_nodes(count, width, widest).tolist()
        rows = np.array([[value(*pair, t)[0] for t in nodes] for pair in pairs])
        if _tail(coefficients(rows, (1,)), 1) <= _GOAL:
            return nodes
    return None


def _grid(value: Value, variances: Floats, widest: float) -> VarianceGrid | None:
    """Nodes of the variance that are enough beside the smallest and the largest."""
    ends = float(np.min(variances)), float(np.max(variances))
    for count in _VARIANCES:
        grid = VarianceGrid(variances, count)
        nodes = grid.nodes.tolist()
        rows = np.array([[value(q, end, t)[0] for q in nodes] for end in ends for t in (0.0, widest)])
        if grid.exact or _tail(coefficients(rows, (1,)), 1) <= _GOAL:
            return grid
    return None


def _tail(values: Floats, axis: int) -> float:
    """The largest of the last two coefficients along an axis."""
    return float(np.max(np.abs(np.take(values, [-1, -2], axis=axis))))
