"""The bulk's law, solved: where its support ends, the density between, and whether all of it was found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meanfield.bulk.density import Component, solve_components
from meanfield.bulk.edges import Support, support
from meanfield.bulk.equations import Equations, equations
from meanfield.bulk.features import BulkFeatures
from meanfield.bulk.fixed_point import at_p
from meanfield.bulk.neurons import NeuronTable, neuron_table
from meanfield.bulk.paths import start
from meanfield.bulk.sample_noise import SampleNoise

__all__ = ["RAREST", "Solution", "solve"]

RAREST = 1e-3  # neurons rarer than this move the bulk's end and nothing else
_CONVERGED = 1e-7
_TINY = 1e-30  # of p: 0 to all digits, but with a finite 1/p²
_RESOLVED = 1e-8  # relative error of the averages over neurons


@dataclass(frozen=True)
class Solution:
    """A bulk in units of K₁ - K₂.

    Attributes
    ----------
    law
        The equations that were solved.
    ends
        Between which places their density lies.
    far
        The same with neurons as rare as one in the width: they move the upper end of a bulk that the limit leaves open.
    parts
        The intervals of the support, ascending; none where an end was not found.
    atom, first
        The mass at zero, and the first moment.
    status, residual, mass_error
        As in :class:`meanfield.SpectralDensity`.
    """

    law: Equations
    ends: Support
    far: Support
    parts: tuple[Component, ...]
    atom: float
    first: float
    status: str
    residual: float
    mass_error: float


def solve(
    x: BulkFeatures, neurons: NeuronTable, noise: SampleNoise | None, *, atom: float, mean_network: bool
) -> Solution:
    """The bulk of ``x``, in the limit or with the finite-size terms ``noise``.

    ``neurons``: the table of ``x`` without neurons rarer than ``RAREST``. ``mean_network``: whether the order
    parameters of ``x`` are theory's, so that the table's first moment is known.
    """
    law = equations(x, neurons, noise)
    ends = support(law, atom)
    all_seen = np.max(x.widths) * RAREST <= 1
    far = ends if all_seen else support(equations(x, neuron_table(x), noise), atom)
    first = _first_moment(law)
    unresolved = max((f.error for f in x.moments if f is not None), default=0.0)
    if mean_network:
        unresolved = max(unresolved, abs(first - 1))
    found = np.isfinite(ends.lower + ends.upper) and unresolved < _RESOLVED
    parts = solve_components(ends.lower, ends.upper, law) if found else ()
    residual = max((part.change for part in parts), default=float("nan"))
    mass_error = abs(sum(part.mass for part in parts) + atom - 1) if parts else float("nan")
    return Solution(
        law=law,
        ends=ends,
        far=far,
        parts=parts,
        atom=atom,
        first=first,
        status=_status(ends, residual, mass_error, unresolved),
        residual=residual,
        mass_error=mass_error,
    )


def _first_moment(law: Equations) -> float:
    """r + X at p = 0: 1 as far as the neurons' averages are those of the order parameters."""
    _, _, X, _ = at_p(complex(_TINY), start(law), law, 0)
    return float(law.ridge.level + X.real)


def _status(ends: Support, residual: float, mass_error: float, neurons: float) -> str:
    if not neurons < _RESOLVED:
        return f"the averages over the neurons are not resolved (relative error {neurons:.1g})"
    if not np.isfinite(ends.upper):
        return "the upper edge was not found"
    if not np.isfinite(ends.lower):
        return "the lower edge was not found (in the limit of many samples it is an atom at the ridge)"
    if not residual < _CONVERGED:
        return "the fixed point was not reached everywhere"
    return "ok" if mass_error < 1e-3 else "the density misses mass"
