"""Where the kernel of given inputs doesn't say what a network of width M does (data_geometry §A)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from meanfield.spec import Metric, Network
from meanfield.text import applying

__all__ = ["given_warnings", "kinks_between", "nearest_angles"]

Floats = NDArray[np.float64]

_MANY = 0.5  # C N/M, from which the small eigenvalues lie visibly lower than the kernel's
_FEW_NEURONS = 50.0  # that see the difference of a sample and its nearest neighbour
_AVERAGED = 10  # units a sample, up to which the weights above them don't average


def given_warnings(
    network: Network, metric: Metric | None, width: int | None, nearest: Floats, features: int | None
) -> tuple[str, ...]:
    """The sentences that apply; none where no width is asked, since the kernel is then the limit itself."""
    if width is None or metric is None or network.depth == 1:
        return ()
    count, widths = len(nearest), (features or network.widths(width)[0], *network.widths(width)[1:])
    narrowest, kinked = min(widths[1:-1]), bool(network.activation[0].kinks) and count > 1
    seen = float(np.median(kinks_between(nearest, widths[1])))
    layer, units = _thinnest(metric, widths)
    crowding = network.outputs * count / narrowest
    return applying(
        {
            _CROWDED.format(crowding): crowding > _MANY,
            _NEAR.format(seen): kinked and seen < _FEW_NEURONS,
            _THIN.format(units, layer): units <= _AVERAGED * count,
            _OUTPUTS: network.outputs >= narrowest,
        }
    )


def nearest_angles(covariance: Floats) -> Floats:
    """The angle of each preactivation to the nearest other, from their covariance (N, N): (N,), in radians."""
    root = np.sqrt(np.diagonal(covariance))
    cosine = np.clip(covariance / np.outer(root, root), -1.0, 1.0)
    np.fill_diagonal(cosine, -1.0)
    angles: Floats = np.arccos(cosine.max(axis=1))
    return angles


def kinks_between(nearest: Floats, width: float) -> Floats:
    """M θ/π: how many of M neurons have their kink between each sample and its nearest."""
    return width * nearest / math.pi


def _thinnest(metric: Metric, widths: Sequence[int]) -> tuple[int, float]:
    """Of the input metric's blocks asked for, but the last, whose kernel is exact: the layer with the fewest units, and
    these. Each averages over its own weights alone."""
    if metric.family != "input_metric":
        return 0, math.inf
    asked = range(len(widths) - 2) if metric.layer is None else [metric.layer]
    found = [(float(widths[l]), l) for l in asked if l < len(widths) - 2]
    units, layer = min(found, default=(math.inf, 0))
    return layer, units


_CROWDED = (
    "eigenvalues: C N/M = {:.2g} is not small, so that the small ones lie lower in a network, the more the smaller "
    "they are; order='refined' gives them"
)
_NEAR = (
    "eigenvalues: only about {:.2g} neurons of the first layer have their kink between a sample and its nearest "
    "neighbour (M_1 θ/π, at the median; below 50): small eigenvalues are far off"
)
_THIN = (
    "eigenvalues: the {:g} units of layer {} are no more than 10 N, so that the weights above them do not average: the "
    "input metric's part of that layer misses its tail"
)
_OUTPUTS = (
    "eigenvalues: with as many outputs as a hidden layer has units the gradients of different outputs are no longer "
    "orthogonal; measure it instead"
)
