"""Paths of solutions: from p = 0 along the real axis to an edge, and through the upper half-plane to a given z."""

from __future__ import annotations

import cmath
import math

import numpy as np
from numpy.typing import NDArray

from meanfield.bulk.equations import Equations
from meanfield.bulk.fixed_point import CONVERGED, at_p, at_z, regular
from meanfield.bulk.unknowns import Unknowns, joined

__all__ = ["descend", "fold", "solve_between", "start", "trace"]

Complexes = NDArray[np.complex128]

_ROUGH = 1e-7  # of a Newton step next to an edge, where rounding counts
_REAL = 1e-6  # of |p|: a guess with a smaller imaginary part has no memory of the half-plane it came from
_FAR_ABOVE = 100.0  # Im z where the solution is that of a point mass at 1, nearly


def start(law: Equations) -> Complexes:
    """y at p = 0, where s = t = 0, and S and T follow from the top layer down and from the bottom layer up."""
    depth = len(law.ratio)
    S, T = law.features.copy(), law.gradients.copy()
    hidden = [law.neurons(l) for l in range(1, depth)]
    for l, n in enumerate(hidden[:-1], 1):
        T[l + 1] += T[l] * (n.weight @ n.Gt)
    for l, n in zip(range(depth - 1, 0, -1), reversed(hidden), strict=True):
        S[l - 1] += S[l] * (n.weight @ n.As) + T[l] * (n.weight @ n.Gs) / law.outputs
    zeros = np.zeros(depth)
    return joined(Unknowns(s=zeros, S=S, t=zeros, T=T)).astype(np.complex128)


def fold(p: float, y: Complexes, factor: float, limit: float, law: Equations) -> tuple[float, float, Complexes]:
    """Walk on the real axis from p by powers of ``factor`` until dz/dp > 0 ends, then find where: (p, z, y).

    Without such a place: (p, z, y) at |p| = ``limit``; NaN for z where Newton's method no longer arrives.
    """

    def slope_at(p: float, y: Complexes) -> tuple[float, float, float]:
        """z, dz/d(-1/p), and the last step."""
        z, slope, _, change = at_p(complex(p), y, law, 20)
        return z.real, slope.real * p * p, change

    inside = y.copy()
    z, inside_slope, _ = slope_at(p, inside)
    while True:
        if (abs(p * factor) > limit) == (factor > 1):
            return p, z, inside
        outside = inside.copy()
        z_there, slope, change = slope_at(p * factor, outside)
        # On the way out from p = 0 no logarithm may have become singular; from infinity there is no such guide.
        if not change < _ROUGH or (factor > 1 and not regular(p * factor, outside, law)):
            factor = math.sqrt(factor)
            if abs(factor - 1) < 1e-6:
                return p, math.nan, inside
        elif slope > 0:
            p, z, inside, inside_slope = p * factor, z_there, outside, slope
        else:
            break
    beyond, beyond_slope = p * factor, slope
    for turn in range(60):  # bisection and the secant method in turns
        share = 0.5 if turn % 3 == 2 else inside_slope / (inside_slope - beyond_slope)
        middle, trial = p + share * (beyond - p), inside.copy()
        z, slope, _ = slope_at(middle, trial)
        if slope > 0:
            p, inside, inside_slope = middle, trial, slope
        else:
            beyond, beyond_slope = middle, slope
        if abs(beyond - p) < 1e-10 * abs(p) or abs(slope) < 1e-10:
            break
    return middle, z, trial


def descend(z: complex, law: Equations) -> tuple[complex, Complexes, float]:
    """The solution at z, Im z > 0, reached from far above: p, y, and the last relative step (inf: not reached)."""
    y = start(law)
    here = complex(z.real, max(_FAR_ABOVE, 10 * abs(z)))
    p, tangent, change = at_z(here, 1 / (1 - here), y, law, 40)
    while here.imag > z.imag and math.isfinite(change):
        goal = complex(z.real, max(z.imag, here.imag / 2))
        p, tangent, change = _follow(here, p, y, tangent, goal, law)
        here = goal
    return p, y, change


def _follow(
    z: complex, p: complex, y: Complexes, tangent: Complexes, goal: complex, law: Equations
) -> tuple[complex, Complexes, float]:
    """Walk from a solution at z to one at ``goal`` on a straight line, in steps as long as Newton's method bears.

    ``y`` in place: p, the tangent there, and the last relative step (inf: it did not arrive).
    """
    done, length = 0.0, 1.0
    while length > 1e-7:
        length = min(length, 1 - done)
        step = (goal - z) * length
        trial = y + step * tangent[:-1]
        found, slope, change = at_z(z + (goal - z) * (done + length), p + step * tangent[-1], trial, law, 8)
        if change < CONVERGED and found.imag > 0:
            done += length
            p, tangent = found, slope
            y[:] = trial
            if done > 1 - 1e-14:
                return p, tangent, change
            length *= 2
        else:
            length /= 4
    return p, tangent, math.inf


def trace(zs: Complexes, law: Equations) -> tuple[Complexes, Complexes, NDArray[np.float64]]:
    """Solutions at each of ``zs``, neighbours near each other: p, y, and the last relative steps.

    The first is reached from afar, the others from their two predecessors (from afar where that fails).
    """
    ps, ys, changes = np.empty(len(zs), complex), np.empty((len(zs), len(start(law))), complex), np.empty(len(zs))
    ps[0], ys[0], changes[0] = descend(complex(zs[0]), law)
    for i in range(1, len(zs)):
        before = max(i - 2, 0)
        p, y = 2 * ps[i - 1] - ps[before], 2 * ys[i - 1] - ys[before]
        if p.imag <= 0:
            p, y = ps[i - 1], ys[i - 1].copy()
        ps[i], ys[i], changes[i] = _solved(complex(zs[i]), p, y, law)
    return ps, ys, changes


def solve_between(
    zs: Complexes, left: NDArray[np.int64], share: NDArray[np.float64], ps: Complexes, ys: Complexes, law: Equations
) -> tuple[Complexes, NDArray[np.float64]]:
    """p at each of ``zs`` and the last relative steps, from known solutions: the first guess takes (1 - share) of
    ``left`` and share of its neighbour."""
    found, changes = np.empty(len(zs), complex), np.empty(len(zs))
    for i, (z, j, x) in enumerate(zip(zs, left, share, strict=True)):
        p, y = (1 - x) * ps[j] + x * ps[j + 1], (1 - x) * ys[j] + x * ys[j + 1]
        found[i], _, changes[i] = _solved(complex(z), p, y, law)
    return found, changes


def _solved(z: complex, p: complex, y: Complexes, law: Equations) -> tuple[complex, Complexes, float]:
    """The solution at z from a guess, or from afar: where that fails, or where the guess is (nearly) real.

    Newton's method stays on the real axis, and beyond an end of a gap the real solution is the wrong one.
    """
    if p.imag > _REAL * abs(p):
        found, _, change = at_z(z, complex(p), y, law, 12)
        if change < CONVERGED and found.imag > 0 and cmath.isfinite(found) and abs(found - p) <= 0.5 * abs(p):
            return found, y, change
    return descend(z, law)
