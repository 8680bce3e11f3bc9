"""Edges of the bulk: critical points of z(p) on the real axis (Silverstein and Choi), and the atom at zero.

Above the upper edge p runs from 0⁻ and below the lower one from 0⁺; dz/dp > 0 ends at the edge. With an atom at zero
the branch from 0⁺ runs on to p = ∞ (z = 0) and comes back from -∞ between the atom and the lower edge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from meanfield.bulk.equations import Equations
from meanfield.bulk.features import BulkFeatures
from meanfield.bulk.fixed_point import at_p
from meanfield.bulk.paths import fold, start
from meanfield.gaussian.conditional import ConditionalMoments

__all__ = ["Support", "atom_at_zero", "support"]

_FIRST, _FACTOR, _FAR = 1e-4, 1.3, 1e13  # |p| where the walk starts, its steps, and what counts as p = ∞
_TURN, _TURNS = 1e6, 64  # where the walk goes round p = ∞, and its steps
_BACK = 0.3  # steps of the way back, in units of the relative distance between both edges' p
_NO_RIDGE = 1e-12


@dataclass(frozen=True)
class Support:
    """The bulk without its atom lies between ``lower`` and ``upper`` (NaN: not found); ``p_upper`` < 0 is p there."""

    lower: float
    upper: float
    p_upper: float


def support(law: Equations, atom: float) -> Support:
    """The outermost edges, in the law's units (K₁ - K₂ = 1)."""
    first = _FIRST * (1 - atom)  # the bulk without its atom lies at 1/(1 - atom)
    p_upper, upper, _ = fold(-first, start(law), _FACTOR, _FAR, law)
    if atom == 0:
        p, lower, _ = fold(_FIRST, start(law), _FACTOR, _FAR, law)
        if abs(p) > _FAR / 2:  # no end: the bulk reaches 0, or its own atom at the ridge
            lower = 0.0 if law.ridge.level < _NO_RIDGE else math.nan
        return Support(float(lower), float(upper), float(p_upper))
    lower = _above_atom(law, 1 - atom)
    return Support(lower if lower < upper else math.nan, float(upper), float(p_upper))


def _above_atom(law: Equations, rest: float) -> float:
    """The edge above an atom at zero: from 0⁺ to large p, round infinity to large -p, and on.

    With the mass ``rest`` the bulk is as narrow as √rest relative to its place, which the steps must not jump over.
    Where the bulk itself reaches 0, as that of a product of square matrices, nothing comes back real: 0.
    """
    p, _, y = fold(_FIRST, start(law), _FACTOR, _TURN, law)
    turned = y.copy()
    for angle in np.linspace(0, math.pi, _TURNS)[1:]:
        z, _, _, _ = at_p(p * np.exp(1j * angle), turned, law, 30)
    if not abs(z.imag) < 1e-6 * abs(z):
        return 0.0
    _, lower, _ = fold(-p, turned.real.astype(np.complex128), 1 / (1 + _BACK * math.sqrt(rest)), _FIRST * rest, law)
    return float(lower)


def atom_at_zero(x: BulkFeatures, layer: int | None) -> float:
    """The mass at zero: what is missing to the rank of K_b, which is full wherever there is a ridge.

    Without one K_b is made of features only: those of the block ``layer``, or of all layers of a linear network, which
    are combinations of the inputs.
    """
    if x.has_ridge:
        return 0.0
    top = 0 if layer is None else layer - 1
    ranks = np.array(x.widths)
    ranks[0] *= x.inputs.rank
    passed = [ranks[top]]
    for l in range(top, 0, -1):
        if not _linear(x.hidden(l)):
            break
        passed.append(ranks[l - 1])
    return max(0.0, 1 - float(min(passed)) / x.samples)


def _linear(f: ConditionalMoments) -> bool:
    """Whether φ is: its features then have no noise beside their linear part."""
    own = f.average(f.central[2, 0])
    return own - f.tau * f.average(f.slope**2) <= 1e-12 * own
