"""Which quadrature rule serves an activation: decided here, for integrals over one preactivation and over two.

* analytic φ: the trapezoidal rule on a lattice (:mod:`meanfield.gaussian.lattice`);
* φ with breakpoints, or an analytic one at very large variance, where it bends near 0 only: Gauss-Legendre panels
  graded towards the breakpoints, or towards 0 (:mod:`meanfield.gaussian.panels`).

Every rule comes at two resolutions, the fine one first: their difference is the error estimate. A ``level`` of
refinement halves all steps that many times.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from meanfield.gaussian.lattice import lattice_grid, lattice_lines, lattice_step, lattice_sums
from meanfield.gaussian.panels import Cuts, panel_deviations, panel_grid, panel_lines, panel_sums, unequal_panels
from meanfield.spec.activations import Activation
from meanfield.spec.elementwise import Elementwise

__all__ = [
    "decays", "deviation_rules", "grid_rules", "hermite_rules", "line_rules", "of_nodes", "pair_rule",
    "reach_of", "unequal_rules",
]  # fmt: skip

Floats = NDArray[np.float64]

_FINEST = 1e-10  # of the panels at a broken power
_WIDE = 1e3  # variance above which the lattice, whose size grows with it, is given up
_REACH = 9.0  # standard deviations: exp(-40.5) = 3e-18
_FARTHEST = (_REACH, 13.0, 18.0, 25.0, 35.0)  # beyond, the density itself underflows


def _cuts(activation: Activation, variance: float) -> Cuts | None:
    """Where panels are graded towards, far below the scale of 1 where φ is a broken power; none: the lattice serves."""
    if activation.breakpoints:
        return Cuts(activation.breakpoints, _FINEST if activation.powers else 1.0)
    return Cuts((0.0,)) if variance > _WIDE and not _oscillates(activation) else None


@functools.cache
def _oscillates(activation: Activation) -> bool:
    """Whether φ bends to and fro far from 0, as sin does, where panels around 0 don't look."""
    u = np.linspace(50.0, 60.0, 20001)
    with np.errstate(all="ignore"):
        values = activation.function()(u)
        bends = np.diff(values, 2)
        large = np.abs(bends) > 1e-11 * np.max(np.abs(values))  # rounding is far less
    return int(np.sum(np.diff(np.sign(bends[large])) != 0)) > 2


def of_nodes(activation: Activation, order: int) -> Elementwise:
    """φ^(order) as a function of nodes: a broken power, infinite where a node rounds to its place, is taken beside."""
    function = activation.function(order=order)
    if not activation.powers:
        return function
    points = np.asarray(activation.powers)

    def beside(u: Floats) -> Floats:
        return np.asarray(function(np.where(np.isin(u, points), u + 1e-15 * np.maximum(1.0, np.abs(u)), u)))

    return beside


def line_rules(activation: Activation, q: float, level: int) -> list[tuple[Floats, Floats]]:
    """Nodes and weights for E[g(u)], u ~ N(0, q)."""
    reach, cuts = reach_of(activation, math.sqrt(q)), _cuts(activation, q)
    return panel_lines(cuts, q, reach, level) if cuts else lattice_lines(math.sqrt(q), reach, level)


def unequal_rules(
    activation: Activation, order: int, q: float, slope: float, inner: float, level: int, largest: float
) -> list[tuple[Floats, Floats, Floats, Floats]] | None:
    """Nodes u ~ N(0, q) and weights, and for each of them a row of v ~ N(slope u, inner²), |slope| <= 1, and weights.
    ``None`` if more than ``largest`` nodes would do it."""
    reach, cuts = reach_of(activation, math.sqrt(q), order), _cuts(activation, q)
    if cuts:
        return unequal_panels(cuts, math.sqrt(q), slope, inner, reach, level, largest)
    outer, inside = lattice_lines(math.sqrt(q), reach, level), lattice_lines(inner, reach, level)
    if len(outer[0][0]) * len(inside[0][0]) > largest:
        return None
    return [(u, p, slope * u[:, None] + t, w[None, :]) for (u, p), (t, w) in zip(outer, inside, strict=True)]


def hermite_rules(activation: Activation, q: float, order: int, count: int, level: int) -> list[tuple[Floats, Floats]]:
    """Nodes and weights for E[φ^(order)(u) h_k(u/√q)], k < ``count``, for an activation seen at this ``level``.

    h_k turns √k times within a standard deviation or so, and falls off like the root of the density only.
    """
    deviation, turns = math.sqrt(q), math.sqrt(count)
    reach, cuts = math.sqrt(2) * reach_of(activation, deviation, order), _cuts(activation, q)
    if cuts:
        return panel_lines(cuts, q, reach, max(level, math.ceil(math.log2(1 + turns / 4))))
    steps = 1.25 / (turns + 10) * deviation, lattice_step(deviation) / 2**level
    return lattice_lines(deviation, reach, math.log2(lattice_step(deviation) / min(steps)))


def deviation_rules(
    activation: Activation, means: Floats, variance: float, level: int
) -> list[tuple[Floats, Floats, Floats]]:
    """Nodes for E[g(u)], u ~ N(mean, variance) at each of ``means``: u, its deviation from the mean in standard
    deviations, weights; (len(means), nodes) each."""
    deviation = math.sqrt(variance)
    reach = reach_of(activation, math.hypot(deviation, float(np.max(np.abs(means))) / _REACH))
    cuts = _cuts(activation, variance)
    if cuts:
        rules = panel_deviations(means, cuts, deviation, reach, level)
    else:
        rules = [(t[None, :], w[None, :]) for t, w in lattice_lines(deviation, reach, level)]
    scale = deviation or 1.0
    u, xi, weights = zip(*(np.broadcast_arrays(means[:, None] + t, t / scale, w) for t, w in rules), strict=True)
    return list(zip(u, xi, weights, strict=True))


def grid_rules(
    activation: Activation, q: float, gap: float, level: int, largest: float
) -> list[tuple[Floats, Floats, Floats, Floats]] | None:
    """Nodes x ~ N(0, q - gap) and weights, and for each of them a row of y ~ N(0, gap) and weights, for means of up to
    four factors φ(x + y). ``None`` if more than ``largest`` nodes would do it."""
    wide, narrow = math.sqrt(q - gap), math.sqrt(gap)
    reach, cuts = reach_of(activation, math.sqrt(q), power=4), _cuts(activation, q)
    if cuts:
        return panel_grid(cuts, wide, narrow, reach, level, largest)
    return lattice_grid(wide, narrow, reach, level, largest)


def pair_rule(
    activation: Activation, order: int, q: float, gap: float
) -> Callable[[int], tuple[Floats, Floats] | None]:
    """A function of the level: (square, product, gap, magnitude of the product's terms) of φ^(order) for two
    preactivations of variance q and covariance q - gap, by both rules; ``None`` where the grid would be too large."""
    function, reach, cuts = (
        of_nodes(activation, order),
        reach_of(activation, math.sqrt(q), order),
        _cuts(activation, q),
    )
    if cuts:
        return functools.partial(panel_sums, function, cuts, q, gap, reach)
    return functools.partial(lattice_sums, function, math.sqrt(q - gap / 2), math.sqrt(gap / 2), reach)


def decays(activation: Activation, order: int, q: float) -> bool:
    """Whether φ² (or φ'²) times the Gaussian density of variance q falls off within reach: E is infinite, or too large
    for any number, where it doesn't."""
    return _grows_linearly(activation, order) or _needed(activation, math.sqrt(q), order, 2) is not None


def reach_of(activation: Activation, deviation: float, order: int = 0, power: int = 2) -> float:
    """How many standard deviations count in E[φ^power]: more than 9 for a φ that grows faster than linearly."""
    if _grows_linearly(activation, order):
        return _REACH
    return _needed(activation, deviation, order, power) or _FARTHEST[-1]


def _needed(activation: Activation, deviation: float, order: int, power: int) -> float | None:
    """The first reach at whose ends nothing is left."""
    function = activation.function(order=order)
    for reach in _FARTHEST:
        z = np.linspace(-reach, reach, 65)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            terms = np.abs(function(deviation * z)) ** power * np.exp(-0.5 * z**2)
        if not max(terms[0], terms[-1]) > 1e-16 * terms.max():
            return reach
    return None


@functools.cache
def _grows_linearly(activation: Activation, order: int) -> bool:
    u = np.array([1e1, 1e2, 1e3])
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.abs(np.stack([activation.function(order=order)(x) for x in (u, -u)]))
    return bool(np.all(values <= 10 * (values[:, :1] + 1) * u / u[0]))
