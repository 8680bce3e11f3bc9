"""Where the refinement holds: a verdict with the numbers behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.cells import Numbers
from meanfield.kernels.exchangeable import ExchangeableKernel
from meanfield.leading.conditions import CENTERED, outlier_margin
from meanfield.leading.spectra import Spectrum

__all__ = ["MERGED", "Validity", "judge_refined", "judge_softmax"]

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

MERGED = 0.8  # edge/λ_C above which outliers and bulk merge: λ_max missed by up to 20 %
_CROWDED = 0.5  # outputs for each independent unit above which the lowest outliers leave the Wishart law
_EXPANSION = 0.06  # above which s was seen to miss by more than 5 %
_FEW = 5  # samples below which, and below C, λ_C was seen to miss by 5 - 40 %
_DIGITS = 1e-3  # relative numerical error of the moments above which nothing is given


@dataclass(frozen=True)
class Validity:
    """Whether finite-width theory holds; arrays over the widths and samples asked for.

    ``moments`` and ``outliers`` are the verdicts: on mean and second moment, on largest and outliers. Behind them:
    ``edge``, the bulk's upper edge over the mean of the smallest outlier (1: merged; NaN where there is none) - for
    "cross_entropy", whose outliers are judged one by one, of the largest;
    ``crowding``, the outputs for each independent unit that the outliers' law sees; ``expansion``, the largest relative
    correction of order 1/M to the kernel, whose square is the order of what is neglected.
    """

    moments: Booleans
    outliers: Booleans
    edge: Floats
    crowding: Floats
    expansion: Floats


def judge_refined(
    kernel: ExchangeableKernel, spectrum: Spectrum, numbers: Numbers
) -> tuple[Spectrum, Validity, tuple[str, ...]]:
    """``spectrum`` with NaN for outliers that don't hold, which then count as bulk; the verdict and its reasons. Mean
    and second moment stay unless ``error``, of the layers' moments, takes their digits."""
    edge, crowding, expansion, error = map(np.asarray, numbers)
    merged = ~(edge <= MERGED) | (outlier_margin(kernel) <= 1)
    few = (kernel.samples < min(_FEW, kernel.outputs)) | (merged & (kernel.samples == 1))
    crowded, wide, lost = crowding > _CROWDED, expansion > _EXPANSION, ~(error <= _DIGITS)
    validity = Validity(~(wide | lost), ~(merged | few | crowded | wide | lost), edge, crowding, expansion)
    reasons = {
        CENTERED: np.array(kernel.projected),
        _MERGES: merged & ~(few | lost) & (not kernel.projected),
        _FEW_SAMPLES: few & ~lost & (not kernel.projected),
        _CROWDS: crowded,
        _WIDE: wide,
        _LOST: lost,
    }
    found = _without_digits(_as_bulk(spectrum, kernel, ~validity.outliers), lost)
    return found, validity, tuple(reason for reason, applies in reasons.items() if np.any(applies))


def _as_bulk(spectrum: Spectrum, kernel: ExchangeableKernel, void: Booleans) -> Spectrum:
    """NaN for the outliers of the cells that are ``void``, which go to the bulk, so that it makes up the trace."""
    multiplicity = spectrum.multiplicity + np.where(void, spectrum.outliers.shape[-1], 0)
    trace = spectrum.mean * kernel.dimension
    whole = np.divide(trace, multiplicity, out=np.full(trace.shape, np.nan), where=multiplicity > 0)
    return replace(
        spectrum,
        outliers=np.where(void[..., None], np.nan, spectrum.outliers),
        bulk=np.where(void, whole, spectrum.bulk),
        multiplicity=multiplicity,
    )


def _without_digits(spectrum: Spectrum, lost: Booleans) -> Spectrum:
    mean, second_moment, bulk = (
        np.where(lost, np.nan, x) for x in (spectrum.mean, spectrum.second_moment, spectrum.bulk)
    )
    outliers = np.where(lost[..., None], np.nan, spectrum.outliers)
    return replace(spectrum, mean=mean, second_moment=second_moment, bulk=bulk, outliers=outliers)


def judge_softmax(spectrum: Spectrum, numbers: Numbers) -> tuple[Spectrum, Validity, tuple[str, ...]]:
    """:func:`judge_refined` for "cross_entropy": outliers that are not clear of the bulk are NaN
    already, and beyond the expansion so is the second moment."""
    edge, crowding, expansion, error = map(np.asarray, numbers)
    merged, crowded, wide, lost = ~(edge <= MERGED), crowding > _CROWDED, expansion > _EXPANSION, ~(error <= _DIGITS)
    validity = Validity(~(wide | lost), ~(merged | crowded | wide | lost), edge, crowding, expansion)
    second_moment = np.where(wide, np.nan, spectrum.second_moment)
    reasons = {_LOW: np.isnan(spectrum.outliers) & ~lost[..., None], _CROWDS: crowded, _WIDE: wide, _LOST: lost}
    outliers = np.where(validity.outliers[..., None], spectrum.outliers, np.nan)
    warnings = tuple(reason for reason, applies in reasons.items() if np.any(applies))
    found = _without_digits(replace(spectrum, second_moment=second_moment, outliers=outliers), lost)
    return found, validity, warnings


_LOW = (
    f"outliers: NaN for those that are not clear of the bulk, whose edge is above {MERGED:g} of their height (softmax "
    "probabilities leave them too little variance, or the width is small)"
)
_MERGES = (
    f"largest, outliers: outliers merge with the bulk, whose edge is above {MERGED:g} of the lowest or whose noise "
    "swallows what samples share: mean and second moment hold, outliers do not; a larger width separates them, or more "
    "samples, if samples share anything (K₂ = 0 in centred networks); spectrum gives the bulk and its edge"
)
_FEW_SAMPLES = (
    f"largest, outliers: void for fewer samples than outputs and than {_FEW}, or for one that shares nothing: the "
    "lowest outliers leave the law of what samples share; mean and second moment hold"
)
_CROWDS = (
    f"largest, outliers: void for more than {_CROWDED:g} outputs for each independent unit of the hidden layers: mean "
    "and second moment hold, outliers do not; a larger width helps"
)
_WIDE = (
    f"second_moment, largest, outliers: corrections of order 1/M reach {_EXPANSION:.0%} of the kernel, so that those "
    "of order 1/M² count; take a larger width or less depth"
)
_LOST = (
    "mean, second_moment, largest, outliers: two samples are nearly one in some layer: the moments lost their digits "
    f"(relative error above {_DIGITS:g}); less depth helps"
)
