"""What each route would cost, and so which one is taken.

    dense      forms the dual, CN × CN: any spectrum
    blocks     forms it block by block and keeps none: exact moments; extremes by implicit products
    probes     never forms it: extremes by implicit products, the rest of the moments from random probes, with an error

Flops (a multiplication and an addition are two), S = Σ_l M_l M_{l-1}, n = CN, w = Σ widths of the signals contracted:

    passes     2 N S + 2 n S'            forward; backward for every output: S' has l = 2..L-1 alone (layer L's signal
                                         is the identity), and l = 1 for the input metric's h^0
    Gram       n² w                      half of each product: it is symmetric
    Lanczos    25 (k + 2) vectors        2 n² a vector with the matrix, 8 N S without (k eigenvalues sought)
    LAPACK     3 n³                      "full"

Exactness is worth ``EXACTNESS`` times the flops: probes are taken only where they save more than that, or where nothing
else fits into memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from empirical.record import Spectrum
from meanfield.spec import Metric, Network

__all__ = ["EXACTNESS", "PROBES", "Plan", "Size", "TooLarge", "choose", "gibibytes"]

Route = Literal["dense", "blocks", "probes"]
EXACTNESS = 10.0
PROBES = 64
LANCZOS_STEPS = 25
BASIS = 400


class TooLarge(ValueError):
    """The measurement can't fit into memory whatever the route."""


@dataclass(frozen=True)
class Plan:
    """A route with what it takes.

    Attributes
    ----------
    rows
        Samples in a block of the route "blocks"; N for the others.
    together
        Metrics measured in one pass.
    bytes, flops
        Its peak memory and its work, estimated.
    """

    route: Route
    rows: int
    together: int
    bytes: int
    flops: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True)
class Size:
    """The numbers a cost depends on. ``widths`` are M_0..M_L; ``parameters`` and ``features`` tell which signals are
    contracted, ∂f/∂u or ∂f/∂h."""

    widths: tuple[int, ...]
    samples: int
    metrics: int
    parameters: bool
    features: bool
    spectrum: Spectrum
    itemsize: int

    @classmethod
    def of(
        cls, network: Network, metrics: Sequence[Metric], width: int, samples: int, spectrum: Spectrum, itemsize: int
    ) -> Size:
        """The size of a measurement."""
        features = any(m.family == "input_metric" for m in metrics)
        parameters = any(m.family != "input_metric" for m in metrics)
        return cls(network.widths(width), samples, len(metrics), parameters, features, spectrum, itemsize)

    @property
    def order(self) -> int:
        """n = CN."""
        return self.widths[-1] * self.samples

    @property
    def edges(self) -> int:
        """S = Σ_l M_l M_{l-1}."""
        return sum(a * b for a, b in zip(self.widths[1:], self.widths[:-1], strict=True))

    @property
    def work(self) -> float:
        """Flops of the dual matrices: both passes and the Gram products."""
        return _forward(self) + _backward(self) + _gram(self)


def choose(size: Size, budget: int) -> Plan:
    """The cheapest route that fits into ``budget`` bytes.

    Raises
    ------
    TooLarge
        If none fits; it says what the smallest would need.
    """
    dense = [_dense(size, together) for together in range(size.metrics, 0, -1)]
    options = [p for p in dense if p.bytes <= budget][:1]
    if size.spectrum != "full":
        options += [p for p in (_blocks(size, budget), _probes(size)) if p.bytes <= budget]
    if not options:
        smallest = dense[-1] if size.spectrum == "full" else min(_blocks(size, budget), _probes(size), key=_bytes)
        raise TooLarge(
            f"memory: expected a measurement that fits into {gibibytes(budget)}, got width {max(size.widths)}, "
            f"samples {size.samples}, outputs {size.widths[-1]}, spectrum {size.spectrum}, which needs "
            f"{gibibytes(smallest.bytes)}"
        )
    return min(options, key=lambda p: p.flops / (EXACTNESS if p.route != "probes" else 1.0))


def _dense(size: Size, together: int) -> Plan:
    n, passes = size.order, -(-size.metrics // together)
    matrices = (together + 1 + (size.spectrum == "full")) * n * n + 2 * n * size.samples  # and two slabs of one
    basis = min(BASIS, n) * n * (size.spectrum != "moments")
    eigen = {"moments": 0.0, "extremes": 2.0 * n * n * _sought(size), "full": 3.0 * n**3}[size.spectrum]
    flops = _forward(size) + passes * _backward(size) + passes * _gram(size) + size.metrics * eigen
    return Plan(
        "dense", size.samples, together, _base(size) + size.itemsize * (matrices + basis + _deltas(size, n)), flops
    )


def _blocks(size: Size, budget: int) -> Plan:
    """Blocks as large as fit: their signals are made again for every pair of blocks."""
    outputs = size.widths[-1]
    rows = size.samples
    while rows > 1 and _block_bytes(size, rows) > budget:
        rows = -(-rows // 2)
    count = -(-size.samples // rows)
    flops = _forward(size) + (count + 1) * _backward(size) + _gram(size) + _implicit(size, _sought(size))
    # A mean over samples costs a centred metric one product for each output.
    return Plan("blocks", rows, size.metrics, _block_bytes(size, rows), flops + _implicit(size, outputs))


def _probes(size: Size) -> Plan:
    flops = _forward(size) + _backward(size) + _implicit(size, _sought(size, always=True) + PROBES)
    return Plan("probes", size.samples, size.metrics, _base(size) + _implicit_bytes(size), flops)


def _block_bytes(size: Size, rows: int) -> int:
    order = rows * size.widths[-1]
    signals = 2 * _deltas(size, order) + (size.metrics + 2) * order * order
    return _base(size) + max(size.itemsize * signals, _implicit_bytes(size))


def _base(size: Size) -> int:
    """Weights (one layer twice while it is drawn), activations and slopes."""
    largest = max(a * b for a, b in zip(size.widths[1:], size.widths[:-1], strict=True))
    return size.itemsize * (size.edges + 2 * size.samples * sum(size.widths)) + 8 * largest


def _deltas(size: Size, order: int) -> int:
    """Three signals at once: δ^l, ∂f/∂h^{l-1} and δ^{l-1}."""
    return 3 * order * max(size.widths)


def _implicit_bytes(size: Size) -> int:
    vectors = (BASIS + 4 * (size.widths[-1] + 3)) * size.order * (size.spectrum != "moments")
    return size.itemsize * (vectors + 4 * size.samples * sum(size.widths) + 2 * max(size.widths) ** 2)


def _sought(size: Size, always: bool = False) -> float:
    """Products with a vector that the extremes take."""
    wanted = always or size.spectrum != "moments"
    return wanted * LANCZOS_STEPS * (size.widths[-1] + 3)


def _forward(size: Size) -> float:
    return 2.0 * size.samples * size.edges


def _backward(size: Size) -> float:
    inner = size.widths[0 if size.features else 1 : -1]
    return 2.0 * size.order * sum(a * b for a, b in zip(inner[1:], inner[:-1], strict=True))


def _gram(size: Size) -> float:
    signals = size.widths[1:-1] * size.parameters + size.widths[:-2] * size.features
    return float(size.order) ** 2 * sum(signals)


def _implicit(size: Size, vectors: float) -> float:
    return 8.0 * size.samples * size.edges * vectors * size.metrics


def _bytes(plan: Plan) -> int:
    return plan.bytes


def gibibytes(count: int) -> str:
    """As people read it."""
    return f"{count / 2**30:.3g} GiB"
