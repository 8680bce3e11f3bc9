"""One record for what every theory is asked: a metric of a network, at which sizes, from which order parameters."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from meanfield.kernels.exchangeable import ExchangeableKernel, exchangeable_kernel
from meanfield.propagation.inputs import GAUSSIAN, Inputs
from meanfield.spec import Metric, Network, OrderParameters

__all__ = ["Setting"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Setting:
    """A metric of a network at one or several sizes.

    Attributes
    ----------
    network, metric
        What is asked.
    parameters
        The network's order parameters, for inputs as in ``inputs``.
    widths
        M_0..M_L on the first axis; the other axes are those of the sizes asked for.
    samples
        N, of the shape of the other axes.
    inputs
        What is known of the inputs.
    """

    network: Network
    metric: Metric
    parameters: OrderParameters
    widths: Floats
    samples: Floats
    inputs: Inputs = GAUSSIAN

    @classmethod
    def of(
        cls,
        network: Network,
        metric: Metric,
        parameters: OrderParameters,
        width: Integers | int,
        samples: Integers | int,
        inputs: Inputs = GAUSSIAN,
    ) -> Setting:
        """At widths M and sample numbers N of one shape."""
        different, which = np.unique(width, return_inverse=True)
        rows = np.array([network.widths(int(m)) for m in different], dtype=np.float64)
        widths = rows.T[:, which.reshape(np.shape(width))]
        return cls(network, metric, parameters, widths, np.asarray(samples, dtype=np.float64), inputs)

    @functools.cached_property
    def kernel(self) -> ExchangeableKernel:
        """The two-value kernel, projected where the metric is centred."""
        kernel = exchangeable_kernel(self.network, self.metric, self.parameters, self.widths, self.samples)
        return kernel.centered() if self.metric.centered else kernel

    def at(self, widths: Floats, samples: Floats) -> Setting:
        """The same at other sizes: layer widths (L + 1, ...) and samples (...)."""
        return replace(self, widths=widths, samples=samples)

    def cells(self) -> Iterator[Setting]:
        """Each width and sample number alone, in C order, with 0-dimensional arrays."""
        for index in np.ndindex(self.samples.shape):
            yield self.at(self.widths[(slice(None), *index)], self.samples[index])
