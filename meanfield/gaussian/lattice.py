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

__all__ = ["lattice_grid", "lattice_lines", "lattice_step", "lattice_sums", "sees"]

Floats = NDArray[np.float64]
Function = Callable[[Floats], Floats]

_FINE = 0.4  # step in standard deviations; the coarse rule has 0.8, whose error exp(-2π²/0.8²) is 4e-14
_COARSEST = 0.25  # first step, in units of the activation's argument
_LARGEST_GRID = 6e7  # products; above, a convolution
_CENTRES = np.array([0.0, 0.31, -0.77, 1.9, -3.3, 6.1])  # where it is seen whether a lattice is fine enough
_SHIFTED = 1e-8  # by how much a shift may change a mean there; at larger variances that is far less
_LONGEST_LINE = 4_000_000  # nodes
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
    if s_on and t_on and len(s) * len(t) > _LARGEST_GRID:
        return convolved_sums(function, math.sqrt(max(wide**2 - narrow**2, 0.0)), math.sqrt(2) * narrow, reach, step)
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


def convolved_sums(
    function: Function, common: float, own: float, reach: float, step: float
) -> tuple[Floats, Floats] | None:
    """The same sums for u = z + ξ and v = z + ξ', with z of standard deviation ``common`` and ξ, ξ' of ``own``.

    However large the lattice, they cost convolutions of φ and φ² with the weights of ξ. ``None`` for opposite inputs or
    a line too long.
    """
    x, x_weights, x_on = _line(own, step, reach, two_sided=True)
    z, z_weights, z_on = _line(common, step, reach, two_sided=True)
    if common == 0 or not x_on or len(x) + len(z) > _LONGEST_LINE:
        return None
    sums = []
    for every in (1, 2):
        xs, zs = (slice(None, None, every) for _ in range(2))
        smooth = _smoothed(function, z[zs], x[xs], every * x_weights[xs], every * step if z_on else None)
        mean, square, size = smooth
        weights = (every if len(z) > 1 else 1) * z_weights[zs]
        terms = (square, mean**2, np.maximum(square - mean**2, 0.0), size**2)
        sums.append(np.array([float(weights @ x) for x in terms]))
    return sums[0], sums[1]


def _smoothed(
    function: Function, z: Floats, x: Floats, weights: Floats, step: float | None
) -> tuple[Floats, Floats, Floats]:
    """E[φ], E[φ²] and E|φ| over ξ at each z: by convolution where z lies on the lattice with that ``step``."""
    if step is None:
        rows = [function(one + x) for one in z]
        parts = [[float(weights @ r), float(weights @ r**2), float(weights @ np.abs(r))] for r in rows]
        mean, square, size = np.array(parts).T
        return mean, square, size
    from scipy.signal import fftconvolve

    half = len(z) // 2 + len(x) // 2
    line = function(step * np.arange(-half, half + 1, dtype=np.float64))
    mean, square, size = (fftconvolve(y, weights, mode="valid") for y in (line, line**2, np.abs(line)))
    return mean, square, size


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


def sees(function: Function, level: int) -> bool:
    """Whether φ and φ² have the same means on lattices of that level whatever their shift: under the narrowest
    Gaussians that have no step of their own, around several centres."""
    step = _COARSEST / 2**level
    t = step * (np.arange(-24, 25) + np.array([0.0, 0.37, 0.71])[:, None])
    weights = _FINE / math.sqrt(2 * math.pi) * np.exp(-0.5 * (_FINE * t / step) ** 2)
    with np.errstate(all="ignore"):
        values = function(_CENTRES[:, None, None] + t)
        means = np.stack([np.sum(weights * values, axis=-1), np.sum(weights * values**2, axis=-1)])
    scale = np.abs(means).max(axis=(1, 2), keepdims=True)
    apart = np.abs(means - means[..., :1])
    return bool(np.all(apart[np.isfinite(apart)] <= (_SHIFTED * scale + 0 * apart)[np.isfinite(apart)]))


def lattice_step(deviation: float) -> float:
    """Of level 0, for one preactivation."""
    return min(_FINE * deviation, _COARSEST)


def lattice_lines(deviation: float, reach: float, level: float) -> list[tuple[Floats, Floats]]:
    """Nodes and weights of the fine and of the coarse rule for one preactivation."""
    step = lattice_step(deviation) / 2**level
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
