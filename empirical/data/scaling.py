"""How features are scaled, from the samples that are taken.

raw        one number for all, so that the mean of x² (of |x|²/d over the samples) is 1
standard   each feature less its mean, by its standard deviation; constant features are left out
none       as they are
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["SCALINGS", "Scaled", "scaled"]

Floats = NDArray[np.float64]

CONSTANT = 1e-12
"""A feature whose deviation is less than this much of its largest number is constant: the rest is rounding."""


class Scaled(NamedTuple):
    """Inputs (N, d), the columns left out, and what the others were divided by: a number, or (d,)."""

    inputs: Floats
    dropped: tuple[int, ...]
    scale: float | Floats


def scaled(x: Floats, scaling: str) -> Scaled:
    """The samples (N, d) by the scaling of this name.

    Raises
    ------
    ValueError
        For another name, or samples that have no such scale.
    """
    if scaling not in SCALINGS:
        raise ValueError(f"scaling: expected one of {', '.join(SCALINGS)}, got {scaling!r}")
    return SCALINGS[scaling](x)


def _raw(x: Floats) -> Scaled:
    scale = float(np.sqrt(np.mean(x**2)))
    if scale == 0:
        raise ValueError("scaling: expected samples that aren't all 0 for raw, got only zeros")
    return Scaled(x / scale, (), scale)


def _standard(x: Floats) -> Scaled:
    deviation = x.std(axis=0)
    varies = deviation > CONSTANT * np.abs(x).max(axis=0)
    if not varies.any():
        raise ValueError(f"scaling: expected a feature that varies for standard, got {len(x)} samples without one")
    kept = x[:, varies]
    dropped = tuple(int(i) for i in np.flatnonzero(~varies))
    return Scaled((kept - kept.mean(axis=0)) / deviation[varies], dropped, deviation[varies])


def _none(x: Floats) -> Scaled:
    return Scaled(x, (), 1.0)


SCALINGS: dict[str, Callable[[Floats], Scaled]] = {"raw": _raw, "standard": _standard, "none": _none}
