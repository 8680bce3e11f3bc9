"""Deep networks: fixed points, the edge of chaos and depth scales (theory.md §2, Poole et al. 2016, Schoenholz et al.
2017).

The variance map q ↦ σ_w² E[φ²] + σ_b² settles at q*, the correlation of two inputs at c*. At q*, χ_1 = σ_w² E[φ'²] is
the slope of the correlation map at c = 1: below 1 the two inputs become one (ordered phase), above 1 they part
(chaotic). Because the correlation map is convex in c >= 0 (its Mehler coefficients are squares), it has one fixed point
below 1 if χ_1 > 1 and none otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.gaussian.interpolants import MomentTable, moment_table
from meanfield.gaussian.moments import gaussian_moments
from meanfield.propagation.recursion import variance_grid
from meanfield.spec import ActivationLike
from meanfield.spec.activations import as_activation

__all__ = ["INITIALISATIONS", "PhaseDiagram", "edge_of_chaos", "initialisation", "phase_diagram"]

Floats = NDArray[np.float64]

_STEPS = 400
_CONVERGED = 1e-13  # relative step of a fixed point
_ESCAPED = 1e6  # a variance beyond which the map is taken to diverge
_SMALLEST = 1e-24  # a variance that stands for the limit 0 of an expectation
_FLAT = 1e-9  # E[φ'²] of an activation that is flat at 0
_VANISHED = 1e-200  # and one that is taken to be 0
_EDGE = 1e-9  # |χ_1 - 1| that counts as the edge of chaos


@dataclass(frozen=True)
class PhaseDiagram:
    """Fixed points of deep networks; arrays over the variances asked for.

    Parameters
    ----------
    weight_variance, bias_variance
        σ_w² and σ_b².
    variance
        q*, reached from normalised inputs (q^1 = σ_w² + σ_b²); ``inf`` if the variance grows without bound.
    correlation, decorrelation
        c* and 1 - c*, reached from uncorrelated inputs. NaN where q* is 0 or infinite: there the limit depends on more
        than the fixed point.
    chi
        χ_1 = σ_w² E[φ'²] at q*. Above 1: chaotic.
    variance_depth, correlation_depth
        ξ_q and ξ_c, the numbers of layers over which deviations from q* and c* fall by e; ``inf`` at the edge of chaos.
    """

    weight_variance: Floats
    bias_variance: Floats
    variance: Floats
    correlation: Floats
    decorrelation: Floats
    chi: Floats
    variance_depth: Floats
    correlation_depth: Floats

    @property
    def phase(self) -> NDArray[np.str_]:
        """``"ordered"``, ``"chaotic"``, ``"edge"``, or ``"unbounded"`` where there is no finite q*."""
        names = np.where(self.chi > 1, "chaotic", "ordered")
        names = np.where(np.abs(self.chi - 1) <= _EDGE, "edge", names)
        return np.where(np.isfinite(self.variance), names, "unbounded")


def phase_diagram(activation: ActivationLike, weight_variance: ArrayLike, bias_variance: ArrayLike) -> PhaseDiagram:
    """Fixed points and depth scales for arrays of variances, which broadcast.

    Raises
    ------
    ValueError
        If a variance is negative or not finite, or the activation has a jump (E[φ'²] is infinite).
    """
    table = moment_table(as_activation(activation))
    weight, bias = variance_grid(weight_variance, bias_variance)
    q = _variance_fixed_point(table, weight, bias)
    finite = np.isfinite(q)
    # Where q* is 0, its limit: the lowest panel reaches it continuously.
    at = np.clip(np.where(finite, q, 1.0), _SMALLEST, None)
    _, slope_square, rate = table.squares(at)
    chi = np.where(finite, weight * slope_square, np.nan)
    known = finite & (q > 0)
    decorrelation, slope = _correlation_fixed_point(table, weight, np.where(known, at, 1.0), np.where(known, chi, 0.0))
    return PhaseDiagram(
        weight_variance=weight,
        bias_variance=bias,
        variance=q[()],
        correlation=np.where(known, 1 - decorrelation, np.nan)[()],
        decorrelation=np.where(known, decorrelation, np.nan)[()],
        chi=chi[()],
        variance_depth=np.where(finite, _depth(weight * rate), np.nan)[()],
        correlation_depth=np.where(finite, _depth(np.where(known, slope, chi)), np.nan)[()],
    )


def edge_of_chaos(activation: ActivationLike, bias_variance: ArrayLike) -> Floats:
    """The σ_w² at which χ_1 = 1, for an array of σ_b²; NaN where there is none.

    At the edge σ_w² = 1/E[φ'²] and σ_b² = q - E[φ²]/E[φ'²], both functions of q* = q: the equation is solved for q. For
    activations that are linear at large |u|, such as relu, q may have to go to infinity: then the limit is given.

    Raises
    ------
    ValueError
        As for :func:`phase_diagram`.
    """
    table = moment_table(as_activation(activation))
    _, bias = variance_grid(1.0, bias_variance)
    edges = [_edge(table, float(b)) for b in bias.ravel()]
    return np.array(edges).reshape(bias.shape)[()]


INITIALISATIONS = ("he", "lecun", "xavier", "critical")


def initialisation(name: str, activation: ActivationLike, bias_variance: float = 0.0) -> tuple[float, float]:
    """(σ_w², σ_b²) of an initialisation by its name.

    ``"he"``: 2 (He et al. 2015), divided by 1 + a² for leaky_relu(a), its published gain; ``"lecun"``: 1;
    ``"xavier"``: 1, its 2/(fan-in + fan-out) at equal widths; ``"critical"``: the edge of chaos at ``bias_variance``.

    Raises
    ------
    ValueError
        For another name, or if the activation has no edge of chaos at this bias variance.
    """
    activation = as_activation(activation)
    variance_grid(1.0, bias_variance)
    if name not in INITIALISATIONS:
        raise ValueError(f"initialisation: expected one of {', '.join(INITIALISATIONS)}, got {name!r}")
    if name == "he":
        left, right = np.abs(activation.function(order=1)(np.array([-1.0, 1.0])))
        leak = float(left / right) if activation.name.startswith("leaky_relu") else 0.0
        return 2.0 / (1 + leak**2), bias_variance
    if name in ("lecun", "xavier"):
        return 1.0, bias_variance
    weight = float(edge_of_chaos(activation, bias_variance))
    if math.isnan(weight):
        raise ValueError(f"activation: expected one with an edge of chaos at σ_b² = {bias_variance}, got {activation}")
    return weight, bias_variance


def _variance_fixed_point(table: MomentTable, weight: Floats, bias: Floats) -> Floats:
    """The fixed point that the iteration from q^1 runs into: the iteration itself, sped up by a Newton step wherever
    that lands closer to a stable fixed point."""
    q = np.asarray(weight + bias, dtype=np.float64)

    def mapped(q: Floats) -> tuple[Floats, Floats]:
        square, _, rate = table.squares(np.clip(q, _VANISHED, _ESCAPED))
        return weight * square + bias - q, weight * rate

    change, slope = mapped(q)
    settled = np.zeros(q.shape, dtype=bool)
    for _ in range(_STEPS):
        newton = q + change / np.where(slope < 1 - 1e-12, 1 - slope, 1.0)
        newton = np.clip(newton, q / 4, 4 * q)
        better, slope_there = mapped(newton)
        use = (slope < 1) & (np.abs(better) <= np.abs(change) / 2)
        plain, slope_plain = mapped(q + change)
        q_next = np.where(use, newton, q + change)
        done = np.abs(q_next - q) <= _CONVERGED * q_next
        q, change, slope = q_next, np.where(use, better, plain), np.where(use, slope_there, slope_plain)
        settled = done | ~(q <= _ESCAPED) | (q < _VANISHED)
        if np.all(settled):
            break
    # What still grows after so many steps, or has left the table, has no fixed point above it to settle at.
    unbounded = ~(q < _ESCAPED) | (~settled & (change > 0))
    return np.where(unbounded, np.inf, np.where(q < _VANISHED, 0.0, q))


def _correlation_fixed_point(table: MomentTable, weight: Floats, q: Floats, chi: Floats) -> tuple[Floats, Floats]:
    """1 - c*, and the slope of the correlation map there. Newton's method from c = 0 on a convex function: monotone."""
    chaotic = chi > 1 + _EDGE
    distance = np.where(chaotic, 1.0, 0.0)
    slope = np.where(chaotic, 0.0, chi)
    for _ in range(_STEPS):
        _, product, gap = table.moments(q, q * distance)
        slope = weight * product[1]
        excess = weight * gap[0] / q - distance
        step = np.where(chaotic & (slope < 1), excess / np.where(slope < 1, 1 - slope, 1.0), 0.0)
        distance = np.clip(distance + step, 0.0, 1.0)
        if np.all(np.abs(step) <= _CONVERGED * distance):
            break
    return distance, np.where(chaotic, slope, chi)


def _depth(slope: Floats) -> Floats:
    """-1/log|slope|: layers in which a deviation falls by e."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = -np.log(np.abs(slope))
        return np.where(np.abs(rate) < _EDGE, np.inf, np.where(rate > 0, 1 / rate, np.nan))


def _edge(table: MomentTable, bias: float) -> float:
    from scipy.optimize import brentq

    def moments(q: float) -> tuple[float, float]:
        square, slope_square, _ = table.squares(np.array(q))
        return float(square), float(slope_square)

    def missing(log_q: float) -> float:
        square, slope = moments(math.exp(log_q))
        return math.exp(log_q) - square / slope - bias

    grid = np.linspace(math.log(_SMALLEST), math.log(_ESCAPED), 73)
    values = np.array([missing(x) for x in grid])
    # Scale-free activations have q = E[φ²]/E[φ'²] for all q: what is left of the difference is rounding.
    scale_free = bool(np.all(np.abs(values + bias) <= 1e-11 * np.exp(grid)))
    if bias == 0 and (scale_free or values[0] >= -1e-11 * _SMALLEST):
        slope_square = moments(_SMALLEST)[1]
        return 1 / slope_square if slope_square > _FLAT else math.inf
    crossings = np.array([]) if scale_free else np.flatnonzero((values[:-1] < 0) & (values[1:] >= 0))
    if len(crossings) == 0:
        return _edge_at_infinity(table)
    # The table finds the bracket, quadrature the root: an interpolant of a steep φ, such as exp, is good to 1e-6 only.
    i = int(crossings[0])
    ends = grid[max(i - 1, 0)], grid[min(i + 2, len(grid) - 1)]
    root = brentq(lambda log_q: _missing(table, log_q) - bias, *ends, xtol=1e-14, rtol=1e-14)
    return 1 / gaussian_moments(table.activation, math.exp(root), 0.0, 1).square


def _missing(table: MomentTable, log_q: float) -> float:
    q = math.exp(log_q)
    square, slope_square = (gaussian_moments(table.activation, q, 0.0, order).square for order in (0, 1))
    return q - square / slope_square


def _edge_at_infinity(table: MomentTable) -> float:
    """1/E[φ'²] for q → ∞, where only the two asymptotic slopes of φ count; NaN if φ has none or both are 0."""
    slope = table.activation.function(order=1)
    near, far = slope(np.array([-1e3, 1e3])), slope(np.array([-1e4, 1e4]))
    square = float(np.mean(far**2))
    return 1 / square if square > 0 and np.allclose(near, far, rtol=1e-6, atol=1e-12) else math.nan
