"""A random network as the source of a kernel. Its parts are the signals that its metric contracts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from numpy.random import SeedSequence
from numpy.typing import NDArray

from empirical.backends import make_backend
from empirical.backends.base import Array, Backend
from empirical.dual.families import family_of
from empirical.dual.gram import Drawn, blocks, coefficients, signals, wanted
from empirical.kernels.layouts import Layout
from empirical.kernels.source import Part, Source
from empirical.measurement import check_options
from empirical.networks import streams
from empirical.networks.layers.base import PREACTIVATION, DrawnLayer, PassedWeights
from empirical.networks.passes import draw_network, forward
from empirical.provenance import code_hash
from meanfield.spec import Metric, Network, positive_integer

__all__ = ["NetworkSource", "network_source"]


@dataclass(frozen=True)
class SignalPart(Part):
    """A signal (C, I or 1, M) at its weight layer, and (a, b) of the metric there."""

    value: Array
    at: PassedWeights
    a: float
    b: float
    backend: Backend

    def add_to(self, block: Array, other: SignalPart) -> None:
        self.at.contract(self.value, other.at, other.value, self.backend).add_to(block, self.a, self.b)

    def add_alike_to(self, block: Array, other: SignalPart) -> None:
        self.at.contract(self.value, other.at, other.value, self.backend).add_alike_to(block, self.a, self.b)

    def diagonal(self) -> Array:
        return self.at.diagonal(self.value, self.a, self.b, self.backend)


@dataclass(frozen=True)
class NetworkSource(Source):
    """One network of the law, drawn."""

    network: Network
    width: int
    seed: SeedSequence
    rng: streams.Rng
    layers: Sequence[DrawnLayer]

    @property
    def outputs(self) -> int:
        return self.network.outputs

    def parts(self, samples: NDArray[Any], together: int) -> list[Part]:
        backend = self.backend
        drawn = Drawn(forward(self.layers, backend.asarray(samples), backend), backend)
        found: list[Part] = []
        for signal in signals([self.metric], drawn, drawn.passed):
            if wanted(self.metric, signal.kind, signal.layer, drawn.depth):
                a, b = coefficients(self.metric, signal, len(self.samples))
                value = _folded(signal.value, backend) if self.layout.is_summed else signal.value
                found.append(SignalPart(value, signal.at, a, b, backend))
        return found

    def numbers(self, together: int) -> tuple[int, int]:
        widths, outputs = self.network.widths(self.width), self.outputs
        at_inputs = family_of(self.metric).signal != PREACTIVATION
        held = sum(widths[l - (not at_inputs)] + outputs * widths[l] for l in blocks(self.metric, self.network.depth))
        return together * held, together * (2 * sum(widths) + 3 * outputs * max(widths))

    def resident(self) -> int:
        widths = self.network.widths(self.width)
        entering = [leaving * before for leaving, before in zip(widths[1:], widths[:-1], strict=True)]
        given = [int(x.size) for x in (self.samples, self.others) if x is not None]
        return self.backend.dtype_bytes * sum(entering) + 8 * (max(entering) + sum(given))

    def question(self) -> dict[str, Any]:
        units = self.network.widths(self.width)[0]
        return {
            "network": self.network.to_dict(), "width": self.width, "seed": streams.describe_seed(self.seed),
            "rng": self.rng, "backend": self.backend.name, "dtype": self.backend.precision,
            "metric": self.metric.to_dict(), "outputs": self.layout.name,
            "inputs": streams.describe_inputs(self.samples, (len(self.samples), units)),
            "others": None if self.others is None else streams.describe_inputs(self.others, ()),
            "code": code_hash([self.network], [self.metric], self.backend.name, rooms=("kernels",)),
        }  # fmt: skip

    def working(self) -> AbstractContextManager[Any]:
        return self.backend.strict()


def network_source(
    network: Network,
    x: Any,
    x2: Any,
    metric: Metric,
    layout: Layout,
    *,
    width: int | None = None,
    seed: streams.Seed = 0,
    backend: str = "numpy",
    dtype: str = "float64",
    rng: streams.Rng = "host",
) -> NetworkSource:
    """The network that :func:`empirical.measure` draws of this width and seed.

    Raises
    ------
    ValueError, TypeError
        For an argument that is not as expected.
    """
    metric.check(network)
    if width is None:
        raise ValueError("width: expected a number for a Network, got none")
    check_options("moments", False, rng)
    root, machine = streams.as_seed(seed), make_backend(backend, dtype)
    given = streams.given_inputs(x, None)
    network = network.with_features(given.shape[1], positive_integer("width", width))
    others = None if x2 is None else streams.given_inputs(x2, None)
    if others is not None and others.shape[1] != given.shape[1]:
        raise ValueError(f"X2: expected {given.shape[1]} features, those of X, got {others.shape[1]}")
    with machine.strict():
        layers = draw_network(network, width, streams.Source(root, machine, rng))
    return NetworkSource(metric, layout, given, others, machine, network, width, root, rng, layers)


def _folded(value: Array, backend: Backend) -> Array:
    """A signal (C, n, M) as that of one output, (1, n, CM)."""
    outputs, samples, units = value.shape
    turned = backend.xp.permute_dims(value, (1, 0, 2))
    return backend.xp.reshape(turned, (1, samples, outputs * units))
