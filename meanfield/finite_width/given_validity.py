"""Where the refinement at given inputs holds: the numbers behind its warnings."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.given_layers import Chain
from meanfield.finite_width.given_spectrum import Basis
from meanfield.kernels.given_conditions import kinks_between, nearest_angles

__all__ = ["GivenValidity", "given_validity", "reasons"]

Floats = NDArray[np.float64]

_CROWDED = 0.75  # N/M above which λ_N was seen to miss by 7 - 14 %
_OUTPUTS_CROWDED = 2.0  # C N/M; at 5 λ_N was seen to miss by 10 %
_APART = 20.0  # M θ/π, kinks between a sample and its nearest neighbour: at 8 λ_N was right, at 3 off by 15 - 50 %
_FEW_INPUTS = 10.0  # M_0/N below which the inputs' weights don't average in the metric's block of layer 0
_EXPANSION = 0.06  # as for inputs without structure
_BENT = 0.1  # relative shift of an eigenvalue above which second order counts


@dataclass(frozen=True)
class GivenValidity:
    """The numbers that the verdict rests on.

    ``crowding`` is N over the smallest hidden width, and ``outputs_crowding`` C N over it. ``separation`` is M θ/π, how
    many neurons of the first layer have their kink between a sample and its nearest neighbour: the median over samples,
    and ``closest`` the least (∞ where no activation has kinks). ``input_units`` is M_0/N where the metric counts the
    inputs' layer, else ∞. ``expansion`` is the largest relative correction of order 1/M: of K in Frobenius norm, and of
    the variance of the trace. ``bending`` is the largest relative shift of an eigenvalue. ``resolved`` says how many of
    the leading eigenvalues are known.
    """

    crowding: float
    outputs_crowding: float
    separation: float
    closest: float
    input_units: float
    expansion: float
    bending: float
    resolved: int

    @property
    def moments(self) -> bool:
        """Whether the first order in 1/M is enough for mean and second moment, at all widths in the record."""
        return bool(np.all(np.asarray(self.expansion) <= _EXPANSION))


def given_validity(chain: Chain, shift: Floats, basis: Basis, outputs: int, relative_variance: float) -> GivenValidity:
    """The numbers of one question; ``relative_variance`` is that of the trace."""
    separation, closest = _separation(chain)
    narrowest = min((layer.width for layer in chain.layers), default=math.inf)
    samples = len(chain.kernel)
    counted = chain.terms[0].epsilon > 0
    return GivenValidity(
        crowding=samples / narrowest,
        outputs_crowding=outputs * samples / narrowest,
        separation=separation,
        closest=closest,
        input_units=chain.units / samples if counted else math.inf,
        expansion=max(float(np.linalg.norm(shift) / np.linalg.norm(chain.kernel)), relative_variance),
        bending=float(np.max(np.abs(np.diagonal(basis.shift)))),
        resolved=len(basis.values),
    )


def _separation(chain: Chain) -> tuple[float, float]:
    """The first layer with kinks decides: angles shrink no further from there on for the samples that are close."""
    kinked = [layer for layer in chain.layers if layer.activation.kinks]
    if not kinked or len(chain.kernel) < 2:
        return math.inf, math.inf
    crossings = kinks_between(nearest_angles(kinked[0].q), kinked[0].width)
    return float(np.median(crossings)), float(np.min(crossings))


def reasons(validity: GivenValidity, samples: int) -> list[str]:
    """What speaks against the numbers, a sentence each."""
    found = {
        _crowds(validity): validity.crowding > _CROWDED,
        _outputs_crowd(validity): validity.outputs_crowding > _OUTPUTS_CROWDED,
        _duplicates(validity): validity.separation < _APART,
        _one_pair(validity): validity.closest < _APART <= validity.separation,
        _few_inputs(validity): validity.input_units < _FEW_INPUTS,
        _wide(validity): validity.expansion > _EXPANSION,
        _bent(validity): validity.bending > _BENT,
        _unresolved(validity): validity.resolved < samples,
    }
    return [reason for reason, applies in found.items() if applies]


def _crowds(v: GivenValidity) -> str:
    return (
        f"law: N/M = {v.crowding:.2g}, above {_CROWDED:g}: the smallest eigenvalues are higher than "
        "given, by orders beyond 1/M; a larger width helps"
    )


def _outputs_crowd(v: GivenValidity) -> str:
    return (
        f"law: C N/M = {v.outputs_crowding:.2g}, above {_OUTPUTS_CROWDED:g}: gradients of all outputs crowd the "
        "layers, and the smallest eigenvalues are lower than given; a larger width helps"
    )


def _duplicates(v: GivenValidity) -> str:
    return (
        f"law: near-duplicate samples for an activation with kinks: M θ/π = {v.separation:.3g} in the median, below "
        f"{_APART:g}; only so many neurons tell neighbours apart, and the small eigenvalues do not hold"
    )


def _one_pair(v: GivenValidity) -> str:
    return (
        f"law: two samples are near-duplicates for an activation with kinks (M θ/π = {v.closest:.3g}, below "
        f"{_APART:g}): the smallest eigenvalues, which tell them apart, do not hold"
    )


def _few_inputs(v: GivenValidity) -> str:
    return (
        f"law: M_0/N = {v.input_units:.2g}, below {_FEW_INPUTS:g}: the first weights do not average in the block of "
        "the inputs, and the tail does not hold; ask for the layers from 1 on"
    )


def _wide(v: GivenValidity) -> str:
    return (
        f"law: corrections of order 1/M reach {v.expansion:.0%} of the kernel, above {_EXPANSION:.0%}, so that those "
        "of order 1/M² count; take a larger width or less depth"
    )


def _bent(v: GivenValidity) -> str:
    return (
        f"law: the mean shift of an eigenvalue reaches {v.bending:.0%} of it, above {_BENT:.0%}, so that its terms of "
        "order 1/M² count; a larger width helps"
    )


def _unresolved(v: GivenValidity) -> str:
    return (
        f"law: eigenvalues from index {v.resolved + 1} on are NaN: rounding is too much of them, or a mean "
        "shift as large as half of them"
    )
