"""Deep networks: fixed points, phases and depth scales (theory.md §2, Poole et al. 2016, Schoenholz et al.
2017).

The variance map q ↦ σ_w² E[φ²] + σ_b² settles at q*, the correlation of two inputs at c*. At q*, χ_1 = σ_w² E[φ'²] is
the slope of the correlation map at c = 1: below 1 the two inputs become one (ordered phase), above 1 they part
(chaotic). Because the correlation map is convex in c >= 0 (its Mehler coefficients are squares), it has one fixed point
below 1 if χ_1 > 1 and none otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.gaussian.interpolants import MomentTable, moment_table
from meanfield.propagation.expectations import table_status
from meanfield.propagation.fixed_points import EDGE, correlation_fixed_point, depth_scale, variance_fixed_point
from meanfield.propagation.recursion import variance_grid
from meanfield.spec import ActivationLike
from meanfield.spec.activations import Activation, as_activation
from meanfield.text import MOST_ROWS, Table, Tabled, column_table

__all__ = ["COLUMNS", "PhaseDiagram", "phase_diagram"]

Floats = NDArray[np.float64]

COLUMNS = {
    "weight_variance": "σ_w²", "bias_variance": "σ_b²", "phase": "phase", "variance": "q*", "correlation": "c*",
    "chi": "χ_1", "variance_depth": "ξ_q", "correlation_depth": "ξ_c",
}  # fmt: skip
"""The quantities of a diagram by attribute, as tables call them."""

_SMALLEST = 1e-24  # a variance that stands for the limit 0 of an expectation


@dataclass(frozen=True)
class PhaseDiagram(Tabled):
    """Fixed points of deep networks; arrays over the variances asked for.

    Parameters
    ----------
    activation
        φ.
    weight_variance, bias_variance
        σ_w² and σ_b².
    variance
        q*, reached from normalised inputs (q^1 = σ_w² + σ_b²); ``inf`` if the variance grows without bound, NaN if it
        settles above 1e6 or where φ overflows.
    correlation, decorrelation
        c* and 1 - c*, reached from uncorrelated inputs. NaN where q* is 0 or infinite: there the limit depends on more
        than the fixed point; and on a grid with more than 16 points where χ_1 > 1, at q* > 256.
    chi
        χ_1 = σ_w² E[φ'²] at q*. Above 1: chaotic.
    variance_depth, correlation_depth
        ξ_q and ξ_c, the numbers of layers over which deviations from q* and c* fall by e; ``inf`` at the edge of chaos.
    error
        Estimates the largest relative numerical error of q*, χ_1 and 1 - c*, off the very edge.
    status
        ``"ok"``, or ``"unresolved"`` if the goal for the error was missed; ``error`` says by how much.
    """

    activation: Activation
    weight_variance: Floats
    bias_variance: Floats
    variance: Floats
    correlation: Floats
    decorrelation: Floats
    chi: Floats
    variance_depth: Floats
    correlation_depth: Floats
    error: float = 0.0
    status: str = "ok"

    @property
    def phase(self) -> NDArray[np.str_]:
        """``"ordered"``, ``"chaotic"``, ``"edge"``, ``"unbounded"`` where there is no finite q*, or ``"unknown"``."""
        names = np.where(self.chi > 1, "chaotic", "ordered")
        names = np.where(np.abs(self.chi - 1) <= EDGE, "edge", names)
        names = np.where(np.isnan(self.variance), "unknown", names)
        return np.where(np.isinf(self.variance), "unbounded", names)

    def _tables(self) -> Iterable[Table]:
        caption = f"Deep networks of {self.activation}"
        if self.phase.size > MOST_ROWS:
            names, counts = np.unique(self.phase, return_counts=True)
            yield column_table(f"{caption}: {self.phase.size} points", {"phase": names, "points": counts})
        else:
            yield column_table(caption, {title: getattr(self, name) for name, title in COLUMNS.items()}, digits=6)

    def _notes(self) -> Iterable[str]:
        if np.any(self.phase == "unbounded"):
            yield "unbounded: the variance grows from layer to layer without end, so there is no fixed point"
        if np.any(self.phase == "unknown"):
            yield "unknown: the variance settles above 1e6, or where φ overflows: it is not followed there"
        if np.any((self.phase == "chaotic") & np.isnan(self.correlation)):
            yield "c*, ξ_c: on so large a grid not known where χ_1 > 1 at a q* beyond 256; ask for these points alone"
        if self.status != "ok":
            yield f"the table is {self.status}: relative error {self.error:.1g}"


def phase_diagram(activation: ActivationLike, weight_variance: ArrayLike, bias_variance: ArrayLike) -> PhaseDiagram:
    """Fixed points and depth scales for arrays of variances, which broadcast.

    Raises
    ------
    ValueError
        If a variance is negative or not finite, or the activation has a jump (E[φ'²] is infinite).
    """
    phi = as_activation(activation)
    table = moment_table(phi)
    weight, bias = variance_grid(weight_variance, bias_variance)
    q = variance_fixed_point(table, weight, bias)
    finite = np.isfinite(q)
    # Where q* is 0, its limit: the lowest panel reaches it continuously.
    at = np.clip(np.where(finite, q, 1.0), _SMALLEST, None)
    _, slope_square, rate = table.squares(at)
    chi = np.where(finite, weight * slope_square, np.nan)
    known = finite & (q > 0)
    decorrelation, slope = correlation_fixed_point(
        table, np.asarray(weight), np.where(known, at, 1.0), np.where(known, chi, 0.0)
    )
    return PhaseDiagram(
        activation=phi,
        weight_variance=weight,
        bias_variance=bias,
        variance=q[()],
        correlation=np.where(known, 1 - decorrelation, np.nan)[()],
        decorrelation=np.where(known, decorrelation, np.nan)[()],
        chi=chi[()],
        variance_depth=np.where(finite, depth_scale(weight * rate), np.nan)[()],
        correlation_depth=np.where(finite, depth_scale(np.where(known, slope, chi)), np.nan)[()],
        error=_error(table, np.where(finite, weight * rate, np.nan)),
        status=table_status(table),
    )


def _error(table: MomentTable, slope: Floats) -> float:
    """The table's error where it is worst amplified: a fixed point moves by 1/(1 - slope) of what its map does."""
    distance = np.maximum(np.abs(1 - slope[np.isfinite(slope)]), 1e-3)
    return table.error * float(np.max(1 / distance, initial=1.0))
