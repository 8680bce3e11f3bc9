"""Moments of φ and φ' at a neuron whose part common to all samples is given.

A preactivation is u = √q_st z + √τ ξ with τ = q - q_st: z ~ N(0, 1) belongs to the neuron and is the same for every
sample, ξ ~ N(0, 1) is a sample's own. Here stand the expectations over ξ as functions of z, on nodes of z that
integrate them. A second derivative of φ is never formed: E[φ''] = E[φ' ξ]/√τ by Stein's lemma, which holds at kinks.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from meanfield.gaussian.rules import deviation_rules
from meanfield.spec.activations import Activation

__all__ = ["ConditionalMoments", "conditional_moments"]

Floats = NDArray[np.float64]

_GOAL = 1e-11  # of two rules' difference in z and in ξ, relative to the moment itself
_STEPS = (0.6, 0.45, 0.33, 0.25, 0.18, 0.13, 0.09, 0.065, 0.045)  # between nodes of z, until one is fine enough
_LEAST_WEIGHT = 1e-16  # of a node of z
_SHARP = 0.1  # width in z of what happens at a breakpoint, below which the nodes crowd there
_ROUNDING = 1e-8  # of E[φ²] and E[φ'²]: a smaller m² or ζ², as the 0 of an odd φ, has no relative error of its own
_FINEST = 8  # halvings of ξ's step


@dataclass(frozen=True)
class ConditionalMoments:
    """Expectations over ξ, arrays over the nodes of z.

    Attributes
    ----------
    z, weights
        Nodes and weights that sum to 1.
    common, tau
        √q_st, and τ, the variance of a sample's own part.
    mean, slope, bend
        m = E[φ], ζ = E[φ'], ζ₂ = E[φ''].
    central
        ``central[a, b]`` = E[(φ - m)^a (φ' - ζ)^b], a + b <= 4.
    by_tau, by_shift
        Derivatives of (E[φ²], E[φ], E[φ'²], E[φ']) with respect to τ and to the preactivation's common part √q_st z.
    error
        Of the moments' averages over z, relative: what both rules, over ξ and over z, change when refined.
    """

    z: Floats
    weights: Floats
    common: float
    tau: float
    mean: Floats
    slope: Floats
    bend: Floats
    central: dict[tuple[int, int], Floats]
    by_tau: Floats
    by_shift: Floats
    error: float

    def average(self, values: Floats) -> float:
        """E_z of ``values`` at the nodes."""
        return float(self.weights @ values)

    @property
    def square(self) -> Floats:
        """E[φ²]."""
        return self.central[2, 0] + self.mean**2

    @property
    def slope_square(self) -> Floats:
        """E[φ'²]."""
        return self.central[0, 2] + self.slope**2


@functools.lru_cache(maxsize=256)
def conditional_moments(activation: Activation, q: float, gap: float) -> ConditionalMoments:
    """The moments of ``activation`` at variance ``q`` and covariance ``q - gap`` of two samples, ``0 < gap <= q``.

    z is integrated by the trapezoidal rule at the first step whose refinement changes nothing, ξ by the rules of
    :mod:`meanfield.gaussian.rules`.
    """
    covariance, level = max(q - gap, 0.0), 0
    if covariance <= 1e-14 * q:
        return _moments(activation, np.zeros(1), np.ones(1), 0.0, gap)
    common = math.sqrt(covariance)
    # An analytic φ bends within 1 of u = 0.
    width = math.sqrt(gap) / common if activation.breakpoints else math.sqrt(gap + 1) / common
    centres = tuple(b / common for b in activation.breakpoints or (0.0,)) if width < _SHARP else ()
    for step in _STEPS:
        fine = _moments(activation, *_nodes(step / 2, centres, width), common, gap, level)
        coarse = _moments(activation, *_nodes(step, centres, width), common, gap, level)
        error = _difference(fine, coarse)
        if error <= _GOAL:
            break
    kept = coarse if error <= _GOAL else fine
    return replace(kept, error=max(kept.error, error))


def _nodes(step: float, centres: tuple[float, ...], width: float) -> tuple[Floats, Floats]:
    """Equidistant nodes and their weights; with ``centres`` equidistant in v = z + Σ asinh((z - centre)/width), which
    has ``width`` for its scale there: the rule stays exponentially accurate however narrow that is."""
    reach = math.sqrt(-2 * math.log(_LEAST_WEIGHT))

    def place(z: Floats) -> Floats:
        return np.asarray(z + sum(np.arcsinh((z - c) / width) for c in centres))

    def density(z: Floats) -> Floats:
        return np.asarray(1 + sum(1 / np.hypot(z - c, width) for c in centres))

    low, high = (np.floor(float(np.abs(place(np.array(end)))) / step) for end in (-reach, reach))
    v: Floats = step * np.arange(-low, high + 1, dtype=np.float64)
    below, above = np.full(len(v), -reach - 1.0), np.full(len(v), reach + 1.0)
    z = v
    for _ in range(60 if centres else 0):  # bisection: place grows with z
        z = (below + above) / 2
        low_enough = place(z) <= v
        below, above = np.where(low_enough, z, below), np.where(low_enough, above, z)
    weights = np.exp(-0.5 * z * z) / density(z)
    return z, np.asarray(weights / weights.sum())


def _difference(fine: ConditionalMoments, coarse: ConditionalMoments) -> float:
    a, b = (_averages(x) for x in (fine, coarse))
    size = np.maximum(np.abs(a), _ROUNDING * np.repeat(np.abs(a[[0, 3]]), 3))
    return float(np.max(np.abs(a - b) / np.maximum(size, 1e-300), where=a != b, initial=0.0))


def _averages(x: ConditionalMoments) -> Floats:
    values = (x.square, x.mean**2, x.central[2, 0], x.slope_square, x.slope**2, x.central[0, 2])
    return np.array([x.average(v) for v in values])


def _moments(
    activation: Activation, z: Floats, weights: Floats, common: float, gap: float, level: int = 0
) -> ConditionalMoments:
    """At the first level of refinement in ξ that two rules agree on."""
    for refinement in range(level, _FINEST):
        with np.errstate(under="ignore"):
            rules = deviation_rules(activation, common * z, gap, refinement)
            fine, coarse = (_by_rule(activation, z, weights, common, gap, *rule) for rule in rules)
        error = _difference(fine, coarse)
        if error <= _GOAL:
            break
    return replace(fine, error=error)


def _by_rule(
    activation: Activation,
    z: Floats,
    weights: Floats,
    common: float,
    gap: float,
    u: Floats,
    xi: Floats,
    probability: Floats,
) -> ConditionalMoments:
    phi, slope = activation.function()(u), activation.function(order=1)(u)

    def over(values: Floats) -> Floats:
        return np.asarray(np.einsum("ij,ij->i", values, probability))

    m, zeta = over(phi), over(slope)
    h, e = phi - m[:, None], slope - zeta[:, None]
    powers = [(a, b) for a, b in itertools.product(range(5), repeat=2) if 2 <= a + b <= 4]
    quantities = (phi**2, phi, slope**2, slope)
    root = math.sqrt(gap)
    return ConditionalMoments(
        z=z,
        weights=weights,
        common=common,
        tau=gap,
        mean=m,
        slope=zeta,
        bend=over(slope * xi) / root,
        central={(a, b): over(h**a * e**b) for a, b in powers},
        by_tau=np.array([over(x * (xi**2 - 1)) / (2 * gap) for x in quantities]),
        by_shift=np.array([over(x * xi) / root for x in quantities]),
        error=math.nan,
    )
