"""Where the kernel of given inputs doesn't say what a network of width M does (data_geometry §A)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from meanfield.spec import Metric, Network

__all__ = ["given_warnings"]

Floats = NDArray[np.float64]

_MANY = 0.5  # N/M, from which the small eigenvalues lie visibly lower than the kernel's
_FEW_NEURONS = 50.0  # that see the difference of a sample and its nearest neighbour
_AVERAGED = 10  # input units a sample, below which W^1 doesn't average


def given_warnings(
    network: Network, metric: Metric | None, width: int | None, nearest: Floats, features: int | None
) -> tuple[str, ...]:
    """The sentences that apply; none where no width is asked, since the kernel is then the limit itself."""
    if width is None or metric is None:
        return ()
    count, widths = len(nearest), network.widths(width)
    narrowest = min(widths[1:-1], default=width)
    found = []
    if network.depth > 1 and count > _MANY * narrowest:
        found.append(
            f"eigenvalues: N/M = {count / narrowest:.2g} is not small, so that the small ones lie lower in a network, "
            "the more the smaller they are; order='refined' gives them"
        )
    seen = widths[1] * float(np.median(nearest)) / np.pi
    if count > 1 and network.depth > 1 and network.activation[0].kinks and seen < _FEW_NEURONS:
        found.append(
            f"eigenvalues: only about {seen:.2g} neurons of the first layer have their kink between a sample and its "
            f"nearest neighbour (M_1 θ/π, at the median; below {_FEW_NEURONS:g}): small eigenvalues are far off"
        )
    if metric.family == "input_metric" and metric.layer in (None, 0) and features is not None:
        if features < _AVERAGED * count:
            found.append(
                f"eigenvalues: the {features} input units are fewer than {_AVERAGED} N, so that W^1 does not average: "
                "the part of layer 0 has rank d and misses its tail; the layers from 1 on do not"
            )
    if network.outputs >= narrowest and network.depth > 1:
        found.append(
            "eigenvalues: with as many outputs as a hidden layer has units the gradients of different outputs are no "
            "longer orthogonal; measure it instead"
        )
    return tuple(found)
