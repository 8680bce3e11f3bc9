"""Fixed points of the variance and of the correlation map, from a table of moments (theory.md §2)."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from meanfield.gaussian.interpolants import MomentTable
from meanfield.gaussian.moments import gaussian_moments
from meanfield.spec.activations import Activation

__all__ = [
    "EDGE",
    "ESCAPED",
    "VANISHED",
    "correlation_fixed_point",
    "depth_scale",
    "slope_at_infinity",
    "variance_fixed_point",
]

Floats = NDArray[np.float64]
PairMoments: TypeAlias = Callable[[Floats, Floats], tuple[Floats, Floats, Floats]]

EDGE = 1e-9  # |χ_1 - 1| that counts as the edge of chaos
ESCAPED = 1e6  # a variance beyond which the map is taken to diverge
VANISHED = 1e-200  # and one that is taken to be 0
_STEPS = 400
_ZOOM, _ZOOMS = 400, 6  # parts into which a range of q is cut, times over
_FEW = 16  # points for which no table of pairs is made
_APART = 1e-6  # relative distance of two fixed points; rounding is far less
_CONVERGED = 1e-13  # relative step of a fixed point


def variance_fixed_point(table: MomentTable, weight: Floats, bias: Floats) -> Floats:
    """The fixed point that the iteration from q^1 runs into: the iteration itself, sped up by a Newton step wherever
    that lands closer to a stable fixed point. ``inf`` where it grows without end, NaN where it leaves the table."""
    q = np.asarray(weight + bias, dtype=np.float64)

    def mapped(q: Floats) -> tuple[Floats, Floats]:
        square, _, rate = table.squares(np.clip(q, VANISHED, ESCAPED))
        return weight * square + bias - q, weight * rate

    change, slope = mapped(q)
    settled, fell = np.zeros(q.shape, dtype=bool), slope < 0
    for _ in range(_STEPS):
        newton = q + change / np.where(slope < 1 - 1e-12, 1 - slope, 1.0)
        newton = np.clip(newton, q / 4, 4 * q)
        better, slope_there = mapped(newton)
        use = (slope < 1) & (np.abs(better) <= np.abs(change) / 2)
        plain, slope_plain = mapped(q + change)
        q_next = np.where(use, newton, q + change)
        done = np.abs(q_next - q) <= _CONVERGED * q_next
        q, change, slope = q_next, np.where(use, better, plain), np.where(use, slope_there, slope_plain)
        settled, fell = done | ~(q <= ESCAPED) | (q < VANISHED), fell | (slope < 0)
        if np.all(settled):
            break
    for i in np.flatnonzero(~settled & (change > 0)):
        q.flat[i] = _next_above(table, float(np.ravel(weight)[i]), float(np.ravel(bias)[i]), float(q.flat[i]))
    if np.any(fell):  # a map that rises everywhere has no basin to jump to
        q = np.where(fell, _as_iterated(table, weight, bias, q), q)
    limit = slope_at_infinity(table.activation)
    grown = (q >= ESCAPED) | (np.isnan(q) & (not math.isfinite(limit)))  # the table of an exp ends where its squares do
    known = np.where(grown, np.inf, np.where(q < VANISHED, 0.0, q))
    # What settles beyond, as of 2000 tanh(u), is not followed there.
    return np.where(np.isinf(known) & (weight * limit < 1), np.nan, known)


def _as_iterated(table: MomentTable, weight: Floats, bias: Floats, found: Floats) -> Floats:
    """Where the plain iteration settles or escapes within ``_STEPS`` layers, what it says: a Newton step may land in
    another fixed point's basin where the map isn't monotone, as of 5 exp(-u²) + u³/30."""
    q = np.asarray(weight + bias, dtype=np.float64)
    settled = np.zeros(q.shape, dtype=bool)
    for _ in range(_STEPS):
        made = weight * table.squares(np.clip(q, VANISHED, ESCAPED))[0] + bias
        still = ~settled
        settled |= (np.abs(made - q) <= _CONVERGED * np.abs(made)) | ~(made < ESCAPED)
        q = np.where(still, made, q)
        if np.all(settled):
            break
    elsewhere = settled & ~(np.abs(q - found) <= _APART * np.abs(found))
    return np.where(elsewhere, q, found)


def _next_above(table: MomentTable, weight: float, bias: float, q: float) -> float:
    """The first fixed point above ``q``, to which a variance that grows creeps however slowly; ``inf`` if none, NaN
    where the table ends before."""
    low, high = q, ESCAPED
    for _ in range(_ZOOMS):
        grid = np.geomspace(low, high, _ZOOM + 1)
        made = weight * table.squares(grid)[0] + bias
        falling = np.flatnonzero(~(made > grid))
        if len(falling) and np.isnan(made[falling[0]]):
            return float("nan")
        if len(falling) == 0 or falling[0] == 0:
            return float("inf") if len(falling) == 0 else low
        low, high = float(grid[falling[0] - 1]), float(grid[falling[0]])
    return (low + high) / 2


def correlation_fixed_point(table: MomentTable, weight: Floats, q: Floats, chi: Floats) -> tuple[Floats, Floats]:
    """1 - c*, and the slope of the correlation map there. Newton's method from c = 0 on a convex function: monotone.

    Only chaotic networks have a c* below 1, and only for them moments of pairs are taken: from the table, which costs
    as much as some hundred of them, or, for a few points and where it ends, one by one.
    """
    chaotic = chi > 1 + EDGE
    decorrelation, slopes = np.zeros(chi.shape), np.array(chi, dtype=np.float64)
    if np.count_nonzero(chaotic) > _FEW:
        decorrelation[chaotic], slopes[chaotic] = _below_one(table.moments, weight[chaotic], q[chaotic])
        chaotic &= np.isnan(decorrelation)
    if 0 < np.count_nonzero(chaotic) <= _FEW:
        directly = functools.partial(_moments_of_each, table.activation)
        decorrelation[chaotic], slopes[chaotic] = _below_one(directly, weight[chaotic], q[chaotic])
    return decorrelation, slopes


def _moments_of_each(activation: Activation, q: Floats, gap: Floats) -> tuple[Floats, Floats, Floats]:
    """As :meth:`MomentTable.moments`, by quadrature."""
    found = np.full((3, 2, *q.shape), np.nan)
    for i in np.flatnonzero(np.isfinite(gap)):
        for order in (0, 1):
            moments = gaussian_moments(activation, float(q.flat[i]), float(gap.flat[i]), order)
            found[:, order].reshape(3, -1)[:, i] = moments.square, moments.product, moments.gap
    return found[0], found[1], found[2]


def _below_one(moments: PairMoments, weight: Floats, q: Floats) -> tuple[Floats, Floats]:
    distance, slope = np.ones(q.shape), np.zeros(q.shape)
    for _ in range(_STEPS):
        _, product, gap = moments(q, q * distance)
        slope = weight * product[1]
        excess = weight * gap[0] / q - distance
        step = np.where(slope < 1, excess / np.where(slope < 1, 1 - slope, 1.0), 0.0)
        distance = np.where(np.isnan(slope), np.nan, np.clip(distance + step, 0.0, 1.0))
        if not np.any(np.abs(step) > _CONVERGED * distance):
            break
    return distance, slope


def depth_scale(slope: Floats) -> Floats:
    """-1/log|slope|: layers in which a deviation falls by e."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = -np.log(np.abs(slope))
        return np.where(np.abs(rate) < EDGE, np.inf, np.where(rate > 0, 1 / rate, np.nan))


@functools.cache
def slope_at_infinity(activation: Activation) -> float:
    """E[φ'²] for q → ∞, where only the two asymptotic slopes of φ count; NaN if φ has none."""
    slope = activation.function(order=1)
    with np.errstate(all="ignore"):
        near, far = slope(np.array([-1e3, 1e3])), slope(np.array([-1e4, 1e4]))
    settled = np.allclose(near, far, rtol=1e-6, atol=1e-12)
    return float(np.mean(far**2)) if settled else math.nan
