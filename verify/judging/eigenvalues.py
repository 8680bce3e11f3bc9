"""All eigenvalues at given inputs, one by one: predicted, and those of each network, on a logarithmic scale.

With C outputs and the squared error a predicted eigenvalue is C-fold, and stands against the geometric mean of the C
measured ones that have its place. An eigenvalue counts where it is resolved: predicted, where theory says so; measured,
above 10 n ε λ_1 of its own n eigenvalues.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from meanfield.prediction.intervals import central
from meanfield.spec import Metric
from verify.asking.records import Cell
from verify.judging.pairing import LEVEL, Pair

if TYPE_CHECKING:
    from meanfield.prediction.answer import Prediction

__all__ = ["Decade", "Eigenvalues", "all_eigenvalues"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Decade:
    """The ``count`` predicted eigenvalues from ``first`` to ``first + 1`` decades below λ_1, over all networks.

    ``shift`` is the median of log10(measured/predicted), ``distance`` that of its absolute value.
    """

    first: int
    count: int
    shift: float
    distance: float


@dataclass(frozen=True)
class Eigenvalues:
    """One metric at one cell with given inputs.

    ``predicted`` (n,) are those that theory resolves, descending, each ``multiplicity``-fold, of the ``total`` that it
    names. ``measured`` (networks, n) is NaN where a network's own is not resolved. ``band`` (2, n): where the refined
    theory expects ``LEVEL`` of all networks; ``None`` where it has no law of all. ``order`` is that of the theory,
    ``remarks`` what it says of itself.
    """

    cell: Cell
    metric: Metric
    predicted: Floats
    measured: Floats
    multiplicity: int
    total: int
    order: str
    remarks: str
    band: Floats | None = None

    @functools.cached_property
    def differences(self) -> Floats:
        """log10(measured/predicted), (networks, n)."""
        return np.asarray(np.log10(self.measured / self.predicted))

    @property
    def distance(self) -> float:
        """The median of |log10(measured/predicted)| over eigenvalues and networks; NaN without any."""
        return _median(np.abs(self.differences))

    @property
    def inside(self) -> float:
        """The share of measured eigenvalues inside the band; NaN without one."""
        known = np.isfinite(self.measured)
        if self.band is None or not known.any():
            return float("nan")
        low, high = self.band
        return float(np.mean(((self.measured >= low) & (self.measured <= high))[known]))

    @property
    def decades(self) -> tuple[Decade, ...]:
        """By decade of the prediction below λ_1, those without an eigenvalue left out."""
        places = np.floor(np.log10(self.predicted[0] / self.predicted)).astype(int) if self.predicted.size else ()
        return tuple(self._decade(int(first), places == first) for first in np.unique(places))

    def _decade(self, first: int, chosen: NDArray[np.bool_]) -> Decade:
        inside = self.differences[:, chosen]
        return Decade(first, int(chosen.sum()), _median(inside), _median(np.abs(inside)))


def all_eigenvalues(pairs: Iterable[Pair], precision: str = "float64") -> tuple[Eigenvalues, ...]:
    """Those of each cell and metric where theory has all eigenvalues and the sweep stored spectra, measured in numbers
    of this ``precision``."""
    rounding = 10 * float(np.finfo(precision).eps)
    return tuple(found for p in pairs for found in _of(p, rounding))


def _of(pair: Pair, rounding: float) -> Iterable[Eigenvalues]:
    theory = pair.prediction
    spectra = [s.eigenvalues for s in pair.samples if s.eigenvalues is not None]
    if theory is None or theory.eigenvalues is None or not spectra:
        return
    predicted, fold = np.asarray(theory.eigenvalues, np.float64), int(theory.multiplicity)
    resolved = len(predicted) if theory.resolved is None else int(theory.resolved)
    positive = int(np.sum(np.cumprod(np.nan_to_num(predicted) > 0)))
    count = min(resolved, positive, *(len(s) // fold for s in spectra))
    yield Eigenvalues(
        cell=pair.cell,
        metric=pair.metric,
        predicted=predicted[:count],
        measured=np.array([_grouped(s, fold, rounding)[:count] for s in spectra]),
        multiplicity=fold,
        total=len(predicted),
        order=pair.order,
        remarks=pair.remarks,
        band=_band(theory, count),
    )


def _band(theory: Prediction, count: int) -> Floats | None:
    law = (theory.networks or {}).get("eigenvalues")
    if law is None or not np.isfinite(law[:, :count]).all():
        return None
    return central(law[:, :count], LEVEL).T


def _grouped(spectrum: Floats, fold: int, rounding: float) -> Floats:
    """Geometric means of ``fold`` eigenvalues each; NaN where one is not resolved."""
    known = np.where(spectrum > rounding * len(spectrum) * spectrum[0], spectrum, np.nan)
    groups = len(spectrum) // fold
    return np.asarray(np.exp(np.mean(np.log(known[: groups * fold].reshape(groups, fold)), axis=1)))


def _median(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else float("nan")
