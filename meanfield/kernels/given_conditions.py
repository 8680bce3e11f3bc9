"""Where the kernel of given inputs doesn't say what a network of width M does (data_geometry §A)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from meanfield.spec import Metric, Network
from meanfield.text import applying

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
    narrowest, deep = min(widths[1:-1], default=width), network.depth > 1
    seen = widths[1] * float(np.median(nearest)) / np.pi
    of_inputs = metric.family == "input_metric" and metric.layer in (None, 0)
    return applying(
        {
            f"eigenvalues: N/M = {count / narrowest:.2g} is not small, so that the small ones lie lower in a network, "
            "the more the smaller they are; order='refined' gives them": deep and count > _MANY * narrowest,
            f"eigenvalues: only about {seen:.2g} neurons of the first layer have their kink between a sample and its "
            f"nearest neighbour (M_1 θ/π, at the median; below {_FEW_NEURONS:g}): small eigenvalues are far off": deep
            and count > 1
            and bool(network.activation[0].kinks)
            and seen < _FEW_NEURONS,
            f"eigenvalues: the {features} input units are fewer than {_AVERAGED} N, so that W^1 does not average: "
            "the part of layer 0 has rank d and misses its tail; the layers from 1 on do not": of_inputs
            and features is not None
            and features < _AVERAGED * count,
            "eigenvalues: with as many outputs as a hidden layer has units the gradients of different outputs are no "
            "longer orthogonal; measure it instead": deep and network.outputs >= narrowest,
        }
    )
