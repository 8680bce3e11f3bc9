"""Gaussian expectations of an activation, each with an error estimate and a status.

For one preactivation u and for a pair (u, v), both with variance q and with covariance q - gap, this file computes

    square  = E[φ(u)²],    product = E[φ(u) φ(v)],    gap = ½ E[(φ(u) - φ(v))²] = square - product

for φ or for its derivative φ' (``order=1``). The gap is a quantity of its own, because in the ordered phase it is many
orders of magnitude below the square and would drown in the rounding of a difference.

Coordinates: u = s + t and v = s - t with independent s ~ N(0, q - gap/2) and t ~ N(0, gap/2). Two rules, each applied
at two resolutions; their difference is the error estimate of the finer one, which is the value:

* analytic φ: the trapezoidal rule, which converges exponentially with a rate set by the nearest pole of φ and not by q.
  s and t run over the same lattice where both are wide enough, so that φ is evaluated along one line only;
* φ with breakpoints: Gauss-Legendre panels between the images of the breakpoints (:mod:`meanfield.panels`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.activations import Activation
from meanfield.panels import panel_sums

__all__ = ["Moments", "gaussian_moments"]

Floats = NDArray[np.float64]
Function = Callable[[Floats], Floats]

_TOLERANCE = 1e-11  # of two resolutions' difference, relative to the square: the finer one is then far better
_FINEST = 12  # halvings of the step before giving up
_LARGEST_GRID = 6e7  # products
_ROUNDING = 4 * np.finfo(np.float64).eps
_REACH = 9.0  # standard deviations: exp(-40.5) = 3e-18
_FINE = 0.4  # step in standard deviations; the coarse rule has 0.8, whose error exp(-2π²/0.8²) is 4e-14


@dataclass(frozen=True)
class Moments:
    """E[φ(u)²], E[φ(u)φ(v)] and half their mean square difference, with absolute error estimates.

    ``status`` is ``"ok"``, or says why the values are not to be used: ``"infinite"`` (a jump's derivative),
    ``"overflow"``, or ``"unresolved"`` (the error estimate is above the goal, and stated).
    """

    square: float
    product: float
    gap: float
    square_error: float
    product_error: float
    gap_error: float
    status: str = "ok"


def gaussian_moments(activation: Activation, q: float, gap: float, order: int = 0) -> Moments:
    """The moments of φ (``order=0``) or φ' (``order=1``) for two preactivations of variance ``q``.

    Parameters
    ----------
    activation
        φ.
    q
        Variance of u and of v, ``q >= 0``.
    gap
        ``q`` minus their covariance, ``0 <= gap <= 2 q`` (0: equal, ``q``: independent, ``2 q``: opposite).
    order
        0 for φ, 1 for φ'.

    Raises
    ------
    ValueError
        If ``q`` or ``gap`` lies outside its range.
    """
    if not 0 <= q < math.inf:
        raise ValueError(f"q: expected a finite variance of at least 0, got {q!r}")
    if not 0 <= gap <= 2 * q * (1 + 1e-15):
        raise ValueError(f"gap: expected 0..2 q = {2 * q!r}, got {gap!r}")
    if order > 0 and activation.jumps:
        return Moments(math.inf, math.nan, math.nan, math.nan, math.nan, math.nan, "infinite")
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        square = _sums(activation, order, q, 0.0)
        pair = square if gap == 0 else _sums(activation, order, q, min(gap, 2 * q))
    status = next((s.status for s in (square, pair) if s.status != "ok"), "ok")
    return Moments(
        square.square, pair.product, pair.gap, square.square_error, pair.product_error, pair.gap_error, status
    )


def _sums(activation: Activation, order: int, q: float, gap: float) -> Moments:
    function = activation.function(order=order)
    wide, narrow = math.sqrt(q - gap / 2), math.sqrt(gap / 2)
    rule: Callable[[int], tuple[Floats, Floats] | None]
    if activation.breakpoints:
        rule = functools.partial(panel_sums, function, activation.breakpoints, wide, narrow)
    else:
        rule = functools.partial(_lattice_sums, function, wide, narrow)
    moments = None
    for level in range(_FINEST):
        sums = rule(level)
        if sums is None:
            break
        moments = _moments(*sums)
        if moments.status != "unresolved":
            break
    return moments or Moments(*(math.nan,) * 3, *(math.inf,) * 3, "unresolved")


def _moments(fine: Floats, coarse: Floats) -> Moments:
    """``fine`` and ``coarse``: (square, product, gap, mean magnitude of the product's terms) by the two rules."""
    square, product, gap, _ = (float(x) for x in fine)
    if not np.all(np.isfinite(fine)):
        return Moments(square, product, gap, math.inf, math.inf, math.inf, "overflow")
    difference = np.abs(fine - coarse)
    scale = max(square, np.finfo(np.float64).tiny)
    rounding = np.array([square, fine[3], gap + math.sqrt(max(gap * square, 0.0))])
    errors = [float(e) for e in difference[:3] + _ROUNDING * rounding]
    status = "ok" if difference[:2].max() <= _TOLERANCE * scale and difference[2] <= _TOLERANCE * gap else "unresolved"
    return Moments(square, product, gap, errors[0], errors[1], errors[2], status)


# --------------------------------------------------------------------------------------------------------------
# Trapezoidal rule


def _lattice_sums(function: Function, wide: float, narrow: float, level: int) -> tuple[Floats, Floats] | None:
    """Fine and coarse sums over s (standard deviation ``wide``) and t (``narrow``)."""
    step = min(_FINE * max(wide, narrow), 0.25) / 2**level
    reach = _reach(function, wide + narrow)
    s, s_weights, s_on = _line(wide, step, reach, two_sided=True)
    t, t_weights, t_on = _line(narrow, step, reach, two_sided=False)
    if len(s) * len(t) > _LARGEST_GRID:
        return None
    if s_on and t_on and len(t) > 1:
        # u and v lie on one lattice: row i of the Hankel matrix is f[i + j], of the Toeplitz matrix f[i - j].
        line = function(step * np.arange(-(len(s) // 2) - len(t) + 1, len(s) // 2 + len(t), dtype=np.float64))
        windows = np.lib.stride_tricks.sliding_window_view(line, len(t))
        plus, minus = windows[len(t) - 1 :], windows[: len(s), ::-1]
    else:
        plus, minus = function(s[:, None] + t), function(s[:, None] - t)
    return _pair_kernel()(plus, minus, s_weights, t_weights)


def _line(deviation: float, step: float, reach: float, two_sided: bool) -> tuple[Floats, Floats, bool]:
    """Nodes, weights, and whether the nodes are multiples of ``step``, for a centred Gaussian.

    A Gaussian too narrow for the common step gets a step of its own; of width 0 it is one node. The one-sided line is
    t >= 0 with doubled weights. The number of nodes each side is even, so that every second node makes the coarse rule.
    """
    if deviation == 0:
        return np.zeros(1), np.ones(1), False
    on = step <= _FINE * deviation
    own = step if on else _FINE * deviation
    half = 2 * math.ceil(reach * deviation / (2 * own))
    indices = np.arange(-half if two_sided else 0, half + 1, dtype=np.float64)
    nodes: Floats = own * indices
    weights: Floats = own / (deviation * math.sqrt(2 * math.pi)) * np.exp(-0.5 * (nodes / deviation) ** 2)
    if not two_sided:
        weights[1:] *= 2
    return nodes, weights, on


def _reach(function: Function, deviation: float) -> float:
    """How many standard deviations count: more than ``_REACH`` for a φ that grows exponentially."""
    for reach in (_REACH, 13.0, 18.0, 25.0, 35.0):
        z = np.linspace(-reach, reach, 65)
        terms = function(deviation * z) ** 2 * np.exp(-0.5 * z**2)
        if not max(terms[0], terms[-1]) > 1e-16 * terms.max():
            return reach
    return reach


@functools.cache
def _pair_kernel() -> Callable[..., tuple[Floats, Floats]]:
    from meanfield.compiled import pair_sums

    kernel: Callable[..., tuple[Floats, Floats]] = pair_sums
    return kernel
