"""What each route would cost, and so which one is taken.

    dense      forms the dual, CN × CN: any spectrum
    blocks     forms it block by block and keeps none: exact moments; extremes by implicit products
    probes     never forms it: extremes by implicit products, the rest of the moments from random probes, with an error

Flops (a multiplication and an addition are two), S = Σ_l M_l M_{l-1}, n = CN, w = Σ widths of the signals contracted:

    passes     2 N S + 2 n S'            forward; backward for every output: S' has l = 2..L-1 alone (layer L's signal
                                         is the identity), and l = 1 for the input metric's h^0
    Gram       n² w                      half of each product: it is symmetric
    Lanczos    v = 25 (k + 2) vectors    2 n² a vector with the matrix, 8 N S without (k = C + 1 eigenvalues sought);
                                         4 n v² to keep them orthogonal, 56 v³ for their own eigenvalues at every step
    LAPACK     3 n³                      "full", and extremes where n ≤ 100 (k + 2)

Exactness is worth ``EXACTNESS`` times the flops: probes are taken only where they save more than that, or where nothing
else fits into memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from empirical.dual.eigen import lanczos_is_cheaper
from empirical.dual.families import family_of
from empirical.dual.lanczos import STEPS, basis_size
from empirical.networks.layers.base import ACTIVATION, PREACTIVATION
from empirical.record import Extent
from meanfield.spec import Metric, Network

__all__ = ["EXACTNESS", "PROBES", "Plan", "Size", "TooLarge", "choose", "gibibytes"]

Route = Literal["dense", "blocks", "probes"]
EXACTNESS = 10.0
PROBES = 64


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
    spectrum: Extent
    itemsize: int

    @classmethod
    def of(
        cls, network: Network, metrics: Sequence[Metric], width: int, samples: int, spectrum: Extent, itemsize: int
    ) -> Size:
        """The size of a measurement."""
        contracted = {family_of(m).signal for m in metrics}
        of = (PREACTIVATION in contracted, ACTIVATION in contracted)
        return cls(network.widths(width), samples, len(metrics), *of, spectrum, itemsize)

    @property
    def order(self) -> int:
        """n = CN."""
        return self.widths[-1] * self.samples

    @property
    def sought(self) -> int:
        """C + 1 eigenvalues: the outliers, and the bulk's largest."""
        return min(self.widths[-1] + 1, self.order)

    @property
    def edges(self) -> int:
        """S = Σ_l M_l M_{l-1}."""
        return sum(a * b for a, b in zip(self.widths[1:], self.widths[:-1], strict=True))

    @property
    def work(self) -> float:
        """Flops of the dual matrices: both passes and the Gram products."""
        return _forward(self) + _backward(self) + _gram(self)


def choose(size: Size, budget: int, *, implicit: bool = True) -> Plan:
    """The cheapest route that fits into ``budget`` bytes; without ``implicit``, of those that need no Lanczos without a
    matrix to fall back on.

    Raises
    ------
    TooLarge
        If none fits; it says what the smallest would need.
    """
    dense = [_dense(size, together) for together in range(size.metrics, 0, -1)]
    options = [p for p in dense if p.bytes <= budget][:1]
    if size.spectrum != "full" and implicit:
        options += [p for p in (_blocks(size, budget), _probes(size)) if p.bytes <= budget]
    if not options:
        only_dense = size.spectrum == "full" or not implicit
        smallest = dense[-1] if only_dense else min(_blocks(size, budget), _probes(size), key=_bytes)
        raise TooLarge(
            f"memory: expected a measurement that fits into {gibibytes(budget)}, got width {max(size.widths)}, "
            f"samples {size.samples}, outputs {size.widths[-1]}, spectrum {size.spectrum}, which needs "
            f"{gibibytes(smallest.bytes)}"
        )
    return min(options, key=lambda p: p.flops / (EXACTNESS if p.route != "probes" else 1.0))


def _dense(size: Size, together: int) -> Plan:
    n, passes = size.order, -(-size.metrics // together)
    matrices = (together + 1) * n * n + 2 * n * size.samples  # and two slabs of one
    lapack = size.spectrum == "full" or not lanczos_is_cheaper(n, size.sought)
    vectors = 0 if size.spectrum == "moments" else n if lapack else basis_size(size.sought, n) + 4 * (size.sought + 2)
    basis = vectors * n
    lanczos = 2.0 * n * n * STEPS * (size.sought + 2) + _orthogonal(size)
    eigen = 0.0 if size.spectrum == "moments" else 3.0 * n**3 if lapack else lanczos
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
    extremes = _lanczos(size) if size.spectrum != "moments" else 0.0
    flops = _forward(size) + (count + 1) * _backward(size) + _gram(size) + extremes
    # A mean over samples costs a centred metric one product for each output.
    return Plan("blocks", rows, size.metrics, _block_bytes(size, rows), flops + _implicit(size, outputs))


def _probes(size: Size) -> Plan:
    """With Lanczos whatever the spectrum: the probes are of what the outliers leave."""
    flops = _forward(size) + _backward(size) + _lanczos(size) + _implicit(size, PROBES)
    numbers = max(
        _deltas(size, size.order), _lanczos_numbers(size), 2 * size.sought * size.order + _probe_numbers(size)
    )
    return Plan("probes", size.samples, size.metrics, _base(size) + size.itemsize * numbers, flops)


def _block_bytes(size: Size, rows: int) -> int:
    order = rows * size.widths[-1]
    signals = 2 * _deltas(size, order) + (size.metrics + 2) * order * order
    implicit = _lanczos_numbers(size) if size.spectrum != "moments" else _product_numbers(size, size.widths[-1])
    return _base(size) + size.itemsize * max(signals, implicit)


def _base(size: Size) -> int:
    """Weights (one layer twice while it is drawn), activations and slopes."""
    largest = max(a * b for a, b in zip(size.widths[1:], size.widths[:-1], strict=True))
    return size.itemsize * (size.edges + 2 * size.samples * sum(size.widths)) + 8 * largest


def _deltas(size: Size, order: int) -> int:
    """Three signals at once: δ^l, ∂f/∂h^{l-1} and δ^{l-1}."""
    return 3 * order * max(size.widths)


def _lanczos_numbers(size: Size) -> int:
    """Basis, and what a product with a block takes."""
    return basis_size(size.sought, size.order) * size.order + _product_numbers(size, size.sought + 2)


def _probe_numbers(size: Size) -> int:
    return _product_numbers(size, PROBES)


def _product_numbers(size: Size, vectors: int) -> int:
    """The vectors, their images and two temporaries of each, and the tangents of one of them."""
    return 4 * vectors * size.order + 4 * size.samples * sum(size.widths) + 2 * max(size.widths) ** 2


def _lanczos(size: Size) -> float:
    """Lanczos without the matrix."""
    return _implicit(size, STEPS * (size.sought + 2)) + size.metrics * _orthogonal(size)


def _orthogonal(size: Size) -> float:
    vectors = STEPS * (size.sought + 2.0)
    return 4 * size.order * vectors**2 + 56 * vectors**3


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
