"""Where the refinement holds: a verdict with the numbers behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from meanfield.conditions import CENTERED
from meanfield.kernels import ExchangeableKernel
from meanfield.spectra import Spectrum

__all__ = ["MERGED", "Validity", "judge_refined", "judge_softmax"]

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

MERGED = 0.8  # edge/λ_C above which outliers and bulk merge: λ_max missed by up to 20 %
_CROWDED = 0.5  # outputs for each independent unit above which the lowest outliers leave the Wishart law
_EXPANSION = 0.06  # above which s was seen to miss by more than 5 %


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
    kernel: ExchangeableKernel, spectrum: Spectrum, edge: Floats, crowding: Floats, expansion: Floats
) -> tuple[Spectrum, Validity, tuple[str, ...]]:
    """``spectrum`` with NaN for outliers that don't hold, the verdict and its reasons. Mean and second moment stay."""
    merged, crowded, wide = ~(edge <= MERGED), crowding > _CROWDED, expansion > _EXPANSION
    validity = Validity(~wide, ~(merged | crowded | wide), edge, crowding, expansion)
    reasons = {
        CENTERED: np.array(kernel.projected),
        _MERGES: merged & (not kernel.projected),
        _CROWDS: crowded,
        _WIDE: wide,
    }
    outliers = np.where(validity.outliers[..., None], spectrum.outliers, np.nan)
    warnings = tuple(reason for reason, applies in reasons.items() if np.any(applies))
    return replace(spectrum, outliers=outliers), validity, warnings


def judge_softmax(
    spectrum: Spectrum, edge: Floats, crowding: Floats, expansion: Floats
) -> tuple[Spectrum, Validity, tuple[str, ...]]:
    """:func:`judge_refined` for "cross_entropy": outliers that are not clear of the bulk are NaN
    already, and beyond the expansion so is the second moment."""
    merged, crowded, wide = ~(edge <= MERGED), crowding > _CROWDED, expansion > _EXPANSION
    validity = Validity(~wide, ~(merged | crowded | wide), edge, crowding, expansion)
    second_moment = np.where(wide, np.nan, spectrum.second_moment)
    reasons = {_LOW: np.isnan(spectrum.outliers), _CROWDS: crowded, _WIDE: wide}
    outliers = np.where(validity.outliers[..., None], spectrum.outliers, np.nan)
    warnings = tuple(reason for reason, applies in reasons.items() if np.any(applies))
    return replace(spectrum, second_moment=second_moment, outliers=outliers), validity, warnings


_LOW = (
    f"outliers: NaN for those that are not clear of the bulk, whose edge is above {MERGED:g} of their height (softmax "
    "probabilities leave them too little variance, or the width is small)"
)
_MERGES = (
    f"largest, outliers: outliers merge with the bulk, whose edge is above {MERGED:g} of the lowest: mean and second "
    "moment hold, outliers do not; a larger width separates them, or more samples"
)
_CROWDS = (
    f"largest, outliers: void for more than {_CROWDED:g} outputs for each independent unit of the hidden layers: mean "
    "and second moment hold, outliers do not; a larger width helps"
)
_WIDE = (
    f"second_moment, largest, outliers: corrections of order 1/M reach {_EXPANSION:.0%} of the kernel, so that those "
    "of order 1/M² count; take a larger width or less depth"
)
