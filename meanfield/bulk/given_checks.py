"""Where the law for given inputs is known to fail."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from meanfield.kernels.given_conditions import kinks_between, nearest_angles
from meanfield.spec import Network
from meanfield.text import applying

__all__ = ["given_warnings"]

Floats = NDArray[np.float64]

_FEW = 50  # neurons whose kink lies between a sample and its nearest


def given_warnings(network: Network, width: int, rows: Floats) -> tuple[str, ...]:
    """The reasons to be careful, in sentences."""
    kinked = any(a.kinks for a in network.activation)
    between = _between(network, width, rows) if kinked else math.inf
    return applying({_NEAR.format(between): between < _FEW})


def _between(network: Network, width: int, rows: Floats) -> float:
    """M_1 θ/π for the median angle θ between a sample and its nearest in the first layer's preactivations."""
    q = network.weight_variance[0] * rows @ rows.T / rows.shape[1] + network.bias_variance[0]
    return float(np.median(kinks_between(nearest_angles(q), network.widths(width)[1])))


_NEAR = (
    "inputs: near-duplicates, which only the neurons tell apart whose kink lies between them, about {:.2g} of them for "
    "half of the samples: small eigenvalues fluctuate more than the law says"
)
