"""How sloppy a spectrum is: over how many decades its eigenvalues spread, how evenly, and how few of them are stiff.

Sees arrays only: of measured eigenvalues, of predicted ones, of anything. Eigenvalues of a multiplicity are repeated.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.information.elbow import Elbow, find_elbow
from meanfield.information.theil_sen import theil_sen
from meanfield.spec.checks import POSITIVE, integer, number
from meanfield.text import Table, Tabled, applying, column_table

__all__ = ["Sloppiness", "effective_dimension", "sloppiness"]

Floats = NDArray[np.float64]

_ROUNDING = 10 * float(np.finfo(np.float64).eps)  # of n λ_1: what no float64 eigensolver tells from 0
_FLAT = 1.0  # decades


@dataclass(frozen=True)
class Sloppiness(Tabled):
    """What a descending spectrum λ_1 >= … >= λ_n looks like on a logarithmic axis; n = ``resolved``.

    Attributes
    ----------
    given, resolved
        How many eigenvalues came, and how many stand above 10 n ε λ_1 and the floor: all else is of these alone.
    mid_slope
        The primary one: Theil–Sen slope of log10 λ_i over n/4 <= i <= 3n/4, in decades per index; negative.
    decades
        log10 λ_1/λ_n.
    elbow
        Head, linear tail and final drop: descriptive, and unsteady on real spectra.
    stiff_90, stiff_99
        The smallest number of eigenvalues that make 90 and 99 % of the trace, over n.
    participation, effective_rank, stable_rank
        (Σλ)²/Σλ², exp(-Σ p log p) with p = λ/Σλ (Roy and Vetterli), and Σλ/λ_1.
    status
        ``"sloppy"``; ``"flat"``, less than a decade; or ``"void"``, no eigenvalue above 0, where all else is NaN.
    warnings
        What to beware of.
    """

    given: int
    resolved: int
    mid_slope: float
    decades: float
    elbow: Elbow
    stiff_90: float
    stiff_99: float
    participation: float
    effective_rank: float
    stable_rank: float
    status: str
    warnings: tuple[str, ...]

    @property
    def mid_decades(self) -> float:
        """The primary slope in decades per spectrum: ``mid_slope`` times n."""
        return self.mid_slope * self.resolved

    @property
    def stiff_head(self) -> float:
        """The elbow's head over n; NaN if void."""
        return self.elbow.head / self.resolved if self.resolved else math.nan

    def _tables(self) -> Iterable[Table]:
        names = ("resolved", "decades", "mid_slope", "mid_decades", "participation", "effective_rank", "stable_rank")
        yield column_table(f"Spectrum of {self.given} eigenvalues: {self.status}", {n: getattr(self, n) for n in names})
        yield column_table("", {n: getattr(self, n) for n in ("stiff_90", "stiff_99", "stiff_head")})
        tail, (low, high) = self.elbow, self.elbow.slope_range
        columns = {"head": tail.head, "end": tail.end, "pieces": tail.pieces, "slope": tail.slope}
        yield column_table("elbow", {**columns, "from": low, "to": high, "R²": tail.r_squared})

    def _notes(self) -> Iterable[str]:
        return (f"warning: {w}" for w in self.warnings)


def sloppiness(eigenvalues: ArrayLike, *, floor: float = 0.0) -> Sloppiness:
    """The sloppiness of a spectrum.

    Parameters
    ----------
    eigenvalues
        Those of a positive semidefinite matrix, in any order and scale, repeated by multiplicity. For a FIM or kernel
        hand over the non-zero part (the dual's): n counts.
    floor
        Below it an eigenvalue can't be told from 0, whatever its sign: a measurement's ``floor``. The rounding of a
        float64 eigensolver, 10 n ε λ_1, counts in any case.

    Raises
    ------
    ValueError, TypeError
        For no eigenvalues, numbers that are not finite or more axes than one, one that is negative beyond the floor, or
        a negative ``floor``.
    """
    values = np.sort(_usable(eigenvalues))[::-1]
    lowest = max(number("floor", floor, 0.0), _ROUNDING * len(values) * float(np.abs(values).max()))
    if values[-1] < -lowest:
        raise ValueError(
            f"eigenvalues: expected none below -{lowest:.3g}, the rounding of a positive semidefinite matrix's, got "
            f"{values[-1]:.6g}"
        )
    return _described(values[values > lowest], len(values))


def effective_dimension(eigenvalues: ArrayLike, samples: int, epsilon: float) -> int:
    """p(n, ε): how many directions n samples determine better than a prior of precision ε does.

    The number of eigenvalues λ of the Hessian (or FIM) of the mean loss above ε/(2(n - 1)), where the precision
    2(n - 1)λ + ε of the PAC-Bayes posterior of data_geometry §F is made by data and prior alike.

    Raises
    ------
    ValueError, TypeError
        For eigenvalues that are none, not finite or of more axes than one, fewer than two samples, or an ε that is not
        positive.
    """
    values = _usable(eigenvalues)
    threshold = number("epsilon", epsilon, POSITIVE) / (2 * (integer("samples", samples, 2) - 1))
    return int(np.sum(values > threshold))


def _usable(eigenvalues: ArrayLike) -> Floats:
    try:
        values = np.asarray(eigenvalues, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"eigenvalues: expected an array of numbers, got {type(eigenvalues).__name__}") from None
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"eigenvalues: expected one axis with at least one number, got the shape {values.shape}")
    if not np.all(np.isfinite(values)):
        raise ValueError(f"eigenvalues: expected finite numbers, got {values[~np.isfinite(values)][0]}")
    return values


def _described(values: Floats, given: int) -> Sloppiness:
    """``values``: those resolved, descending."""
    if len(values) == 0:
        void = Elbow(0, 0, 0, math.nan, math.nan, (math.nan, math.nan))
        reason = "no eigenvalue stands above the floor, so that there is no spectrum to describe"
        return Sloppiness(given, 0, math.nan, math.nan, void, *(math.nan,) * 5, "void", (reason,))
    n, y, relative = len(values), np.log10(values), values / values[0]
    share = relative / relative.sum()
    middle = np.arange(math.ceil(n / 4) - 1, 3 * n // 4)
    elbow, decades = find_elbow(y), float(y[0] - y[-1])
    return Sloppiness(
        given=given,
        resolved=n,
        mid_slope=theil_sen(middle.astype(np.float64), y[middle]),
        decades=decades,
        elbow=elbow,
        stiff_90=_count_making(0.90, share) / n,
        stiff_99=_count_making(0.99, share) / n,
        participation=float(1 / np.sum(share**2)),
        effective_rank=float(np.exp(-np.sum(share * np.log(share)))),
        stable_rank=float(relative.sum()),
        status="sloppy" if decades >= _FLAT else "flat",
        warnings=_warnings(given, n, len(middle), decades, elbow),
    )


def _count_making(part: float, share: Floats) -> int:
    """The smallest number of the first shares that make ``part`` of all."""
    return int(np.searchsorted(np.cumsum(share), part * (1 - 1e-12))) + 1


def _warnings(given: int, n: int, middle: int, decades: float, elbow: Elbow) -> tuple[str, ...]:
    low, high = elbow.slope_range
    return applying(
        {
            f"{given - n} of {given} eigenvalues lie below the floor, are not resolved and left out": given > n,
            f"{middle} of {n} eigenvalues make the middle half: mid_slope says little or nothing": middle < 3,
            f"the spectrum is flat, {decades:.2g} decades: its slopes are those of its edges": decades < _FLAT,
            f"the elbow is unsteady: breaks that fit nearly as well have slopes from {low:.2g} to {high:.2g}; rely on "
            "mid_slope": decades >= _FLAT and not elbow.steady,
        }
    )
