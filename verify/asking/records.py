"""What passes between the sweep, the store and the comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from meanfield.spec import Metric, Network, OrderParameters, digest

__all__ = ["Cell", "Sample", "Trial"]


@dataclass(frozen=True)
class Cell:
    """One point of a sweep: networks of one law, at one width and sample number, and the metrics measured on each."""

    network: Network
    width: int
    samples: int
    metrics: tuple[Metric, ...]

    @property
    def key(self) -> str:
        """Hash of what is drawn (network, width, samples). The metrics aren't part of it: they only look."""
        return digest({"network": self.network.digest, "width": self.width, "samples": self.samples})


@dataclass(frozen=True)
class Sample:
    """The statistics of one metric of one random network: what `empirical.measure` gave, in plain numbers.

    ``eigenvalues`` is the non-zero spectrum, descending, if the sweep asked for ``spectrum = "full"``.
    """

    mean: float
    second_moment: float
    largest: float
    outliers: tuple[float, ...]
    dimension: int
    eigenvalues: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Trial:
    """One random network of a cell: number ``index``, with a sample for each metric (keyed by ``Metric.label``).

    ``order_parameters`` are those of this network; ``None`` where none were measured.
    """

    cell: str
    index: int
    status: Literal["done", "failed"]
    reason: str = ""
    seconds: float = 0.0
    samples: Mapping[str, Sample] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    order_parameters: OrderParameters | None = None
