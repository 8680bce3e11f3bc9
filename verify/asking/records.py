"""What passes between the sweep, the store and the comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from meanfield.spec import Metric, Network, OrderParameters, digest
from verify.asking.inputs import Inputs

__all__ = ["Cell", "Law", "Sample", "Trial"]


@dataclass(frozen=True)
class Law:
    """What is drawn, whatever its size: networks and, where inputs are given, what these are called."""

    network: Network
    data: str = ""

    @property
    def digest(self) -> str:
        """The network's where no inputs are given."""
        return digest({"network": self.network.digest, "data": self.data}) if self.data else self.network.digest

    def fields(self) -> dict[str, str | float]:
        """The network's fields, and ``data``."""
        return {**self.network.fields(), "data": self.data}


@dataclass(frozen=True)
class Cell:
    """One point of a sweep: networks of one law, at one width and sample number, and the metrics measured on each.

    ``inputs``: the samples that each network is given; ``None`` where they are drawn anew with each.
    """

    network: Network
    width: int
    samples: int
    metrics: tuple[Metric, ...]
    inputs: Inputs | None = None

    @property
    def key(self) -> str:
        """Hash of what is drawn (network, width, samples, given inputs). The metrics aren't part of it: they only
        look."""
        given = {} if self.inputs is None else {"inputs": self.inputs.digest}
        return digest({"network": self.network.digest, "width": self.width, "samples": self.samples, **given})

    @property
    def law(self) -> Law:
        """What it has in common with cells of other sizes."""
        return Law(self.network, "" if self.inputs is None else self.inputs.label)

    @property
    def drawn(self) -> Network:
        """The network as it is drawn at this width: with as many input units as the given inputs have features.

        Raises ``ValueError`` where its own α_0 is another.
        """
        return self.network if self.inputs is None else self.network.with_features(self.inputs.features, self.width)


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
