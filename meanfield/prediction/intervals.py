"""Intervals from a law over networks that is known by a sample of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from meanfield.spec import positive_integer

__all__ = ["central", "interval"]

Floats = NDArray[np.float64]

_MIDWAY: Literal["hazen"] = "hazen"  # the k-th of n networks stands for the share (k - 1/2)/n


def interval(law: Mapping[str, Floats], level: float, networks: int) -> dict[str, Floats]:
    """Lower and upper end (last axis) of the interval that holds the mean of so many networks.

    Quantiles of the law for one network; for more the mean's normal approximation, mean ± z std/√networks. ``law`` has
    the networks on the first axis.
    """
    count = positive_integer("networks", networks)
    if isinstance(level, str | bool) or not 0 < float(level) < 1:
        raise ValueError(f"level: expected a number between 0 and 1, got {level!r}")
    tail = (1 - float(level)) / 2
    if count == 1:
        return {name: central(x, float(level)) for name, x in law.items()}
    from scipy.special import ndtri

    ends = -ndtri(tail) / math.sqrt(count) * np.array([-1.0, 1.0])
    return {name: x.mean(axis=0)[..., None] + x.std(axis=0, ddof=1)[..., None] * ends for name, x in law.items()}


def central(values: Floats, level: float) -> Floats:
    """The ends (last axis) between which the share ``level`` of ``values`` lies, as much below as above."""
    tail = (1 - level) / 2
    ends: Floats = np.quantile(values, [tail, 1 - tail], axis=0, method=_MIDWAY)
    return np.moveaxis(ends, 0, -1)
