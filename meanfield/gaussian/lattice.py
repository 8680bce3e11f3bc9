"""The trapezoidal rule for the Gaussian moments of an analytic activation.

It converges exponentially, with a rate set by the nearest pole of φ and not by q. s and t run over the same lattice
where both are wide enough: then u = s + t and v = s - t lie on it too, and φ is evaluated along one line only.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["lattice_grid", "lattice_lines", "lattice_sums"]

Floats = NDArray[np.float64]
Function = Callable[[Floats], Floats]

_FINE = 0.4  # step in standard deviations; the coarse rule has 0.8, whose error exp(-2π²/0.8²) is 4e-14
_COARSEST = 0.25  # first step, in units of the activation's argument
_LARGEST_GRID = 6e7  # products
_NOWHERE, _WHOLE = np.zeros(1), np.ones(1)  # the one node of a Gaussian without width, and its weight


def lattice_sums(
    function: Function, wide: float, narrow: float, reach: float, level: int
) -> tuple[Floats, Floats] | None:
    """Fine and coarse (square, product, gap, magnitude of the product's terms) for u = s + t and v = s - t, with s of
    standard deviation ``wide`` and t of ``narrow``, out to ``reach`` of them.

    ``level`` halves the step that many times. ``None`` if the grid would be too large.
    """
    step = min(_FINE * max(wide, narrow), _COARSEST) / 2**level
    s, s_weights, s_on = _line(wide, step, reach, two_sided=True)
    t, t_weights, t_on = _line(narrow, step, reach, two_sided=False)
    if len(s) * len(t) > _LARGEST_GRID:
        return None
    if s_on and t_on:
        # u and v lie on one lattice f: row i holds f[i], f[i+1], ... for u and f[i], f[i-1], ... for v.
        half = len(s) // 2 + len(t) - 1
        line = function(step * np.arange(-half, half + 1, dtype=np.float64))
        last = len(line) - len(t)
        return _kernel()(line[len(t) - 1 :], np.ascontiguousarray(line[::-1]), 1, last, -1, s_weights, t_weights)
    plus, minus = function(s[:, None] + t), function(s[:, None] - t)
    return _kernel()(plus.ravel(), minus.ravel(), len(t), 0, len(t), s_weights, t_weights)


@functools.lru_cache(maxsize=64)  # φ and φ' of one layer, the square and its slope, share their lines
def _line(deviation: float, step: float, reach: float, two_sided: bool) -> tuple[Floats, Floats, bool]:
    """Nodes, weights, and whether the nodes are multiples of ``step``, for a centred Gaussian.

    A Gaussian too narrow for the common step gets a step of its own; of width 0 it is one node. The one-sided line is
    t >= 0 with doubled weights. The number of nodes each side is even, so that every second node makes the coarse rule.
    """
    if deviation == 0:
        return _NOWHERE, _WHOLE, False
    on = step <= _FINE * deviation
    own = step if on else _FINE * deviation
    half = 2 * math.ceil(reach * deviation / (2 * own))
    indices = np.arange(-half if two_sided else 0, half + 1, dtype=np.float64)
    nodes: Floats = own * indices
    weights: Floats = own / (deviation * math.sqrt(2 * math.pi)) * np.exp(-0.5 * (nodes / deviation) ** 2)
    if not two_sided:
        weights[1:] *= 2
    return nodes, weights, on


def lattice_lines(deviation: float, reach: float, level: int) -> list[tuple[Floats, Floats]]:
    """Nodes and weights of the fine and of the coarse rule for one preactivation."""
    step = min(_FINE * deviation, _COARSEST) / 2**level
    nodes, weights, _ = _line(deviation, step, reach, two_sided=True)
    return [(nodes, weights), (nodes[::2], (2 if len(nodes) > 1 else 1) * weights[::2])]


def lattice_grid(
    wide: float, narrow: float, reach: float, level: int, largest: float
) -> list[tuple[Floats, Floats, Floats, Floats]] | None:
    """The fine and the coarse rule for u = x + y, independent x of deviation ``wide`` and y of ``narrow``: nodes x and
    their weights, and a row of y and weights, the same for all. ``None`` if more than ``largest`` nodes would do it."""
    outer, inner = lattice_lines(wide, reach, level), lattice_lines(narrow, reach, level)
    if len(outer[0][0]) * len(inner[0][0]) > largest:
        return None
    return [(x, p, y[None, :], w[None, :]) for (x, p), (y, w) in zip(outer, inner, strict=True)]


@functools.cache
def _kernel() -> Callable[..., tuple[Floats, Floats]]:
    """The numba kernel, loaded on first use."""
    from meanfield.gaussian import compiled

    kernel: Callable[..., tuple[Floats, Floats]] = compiled.pair_sums
    return kernel
