"""The dual matrices of a network's metrics, layer by layer, without a Jacobian: theory.md §7.

A metric ``ν JᵀJ`` has the dual ``ν JJᵀ`` with the same non-zero eigenvalues. Each layer adds

    dual[k n, k' m] += (x_k(n) · x_k'(m)) B(n, m),     B = a h^{l-1}·h^{l-1} + b

where x is a backpropagated signal and B a kernel over samples. The families differ in the signal, a and b:

    FIM           x = δ^l = ∂f/∂u^l     a = 1/N               b = 1/N       (weights, biases)
    NTK           x = δ^l               a = σ_w² / M_{l-1}    b = σ_b²
    InputMetric   x = ∂f/∂h^l           a = 0                 b = 1/N

Axes of a dual: (C, N, C, N), so that as a CN × CN matrix row k·N + n is output k at sample n (output-major). A block of
it has the samples of ``rows`` on axis 1 and those of ``columns`` on axis 3.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from empirical.backends.base import Array, Backend
from empirical.networks.passes import ACTIVATION, PREACTIVATION, Forward, Signal, Sums, backward
from empirical.networks.sampling import Layer
from meanfield.spec import Metric, Network

__all__ = ["Drawn", "Dual", "coefficients", "dimension", "dual_blocks", "signals", "wanted"]

_SIGNALS = {"fim": PREACTIVATION, "ntk": PREACTIVATION, "input_metric": ACTIVATION}


@dataclass(frozen=True)
class Drawn:
    """One random network with its samples passed through."""

    network: Network
    layers: list[Layer]
    passed: Forward
    backend: Backend

    @property
    def size(self) -> int:
        """CN, the order of a dual matrix."""
        return int(math.prod(self.passed.logits.shape))


def blocks(metric: Metric, depth: int) -> Sequence[int]:
    """The layers whose blocks the metric sums."""
    return metric.layers(depth) if metric.layer is None else (metric.layer,)


def wanted(metric: Metric, signal: Signal, depth: int) -> bool:
    """Whether the metric contracts this signal."""
    return _SIGNALS[metric.family] == signal.kind and signal.layer in blocks(metric, depth)


def coefficients(metric: Metric, network: Network, l: int, units: int, samples: int) -> tuple[float, float]:
    """(a, b) of the kernel at layer l, with M_{l-1} = ``units``; the one place where the families' factors are."""
    if metric.family == "fim":
        return 1.0 / samples, 1.0 / samples
    if metric.family == "ntk":
        return network.weight_variance[l - 1] / units, network.bias_variance[l - 1]
    return 0.0, 1.0 / samples


def dimension(metric: Metric, drawn: Drawn) -> int:
    """P, counted from the arrays made: parameters (FIM), outputs × samples (NTK), features (InputMetric)."""
    if metric.family == "ntk":
        return drawn.size
    parameters = [0, *(layer.parameters for layer in drawn.layers)]
    features = [math.prod(h.shape[1:]) for h in drawn.passed.activations]
    count = parameters if metric.family == "fim" else features
    return sum(count[l] for l in blocks(metric, len(drawn.layers)))


class Dual:
    """A block of one metric's dual matrix, growing layer by layer.

    Attributes
    ----------
    matrix
        (C, I, C, J), of the bare outputs: neither centred nor in the sandwich.
    trace
        For a diagonal block its trace, summed from the squared norms of what is contracted: it never sees the products.
    """

    def __init__(self, metric: Metric, outputs: int, rows: int, columns: int, backend: Backend) -> None:
        self.metric = metric
        self.matrix = backend.zeros((outputs, rows, outputs, columns))
        self.trace = backend.zeros(())
        self._backend = backend

    def add(self, product: Array, kernel: Array) -> None:
        """Add one layer: ``product`` x·x (C, i, C, j) and B (I, J) or (1, 1); i is I or 1, j is J or 1."""
        xp, outputs = self._backend.xp, self.matrix.shape[0]
        # Side by side C times, and then output by output: long contiguous loops, and a temporary of one slab.
        wide = xp.reshape(xp.tile(kernel, (1, outputs)), (kernel.shape[0], outputs, kernel.shape[1]))
        for k in range(outputs):
            self.matrix[k, ...] += product[k, ...] * wide

    def add_trace(self, squares: Array, kernel: Array) -> None:
        """Add one layer's part of the trace: ``squares`` |x|² (C, i)."""
        terms = squares * self._backend.xp.linalg.diagonal(kernel)[None, :]
        self.trace += self._backend.xp.sum(terms) * (self.matrix.shape[1] / terms.shape[1])


def dual_blocks(
    metrics: Sequence[Metric], drawn: Drawn, rows: Forward, columns: Forward, sums: dict[int, Sums] | None = None
) -> list[Dual]:
    """The blocks (rows, columns) of the metrics' duals; products are made once for all metrics.

    Where ``rows is columns`` the block is on the diagonal: half of each product is computed, and δ^l is added to
    ``sums[l]``.
    """
    outputs = rows.logits.shape[1]
    duals = [Dual(m, outputs, rows.samples, columns.samples, drawn.backend) for m in metrics]
    left = signals(metrics, drawn, rows)
    right = signals(metrics, drawn, columns)
    for x, y in ((s, s) for s in left) if rows is columns else zip(left, right, strict=True):
        _add_signal(x, y, duals, drawn, rows, columns)
        if sums is not None and x.kind == PREACTIVATION:
            sums.setdefault(x.layer, Sums(drawn.backend)).add(x.value, rows.samples)
    return duals


def signals(
    metrics: Sequence[Metric], drawn: Drawn, passed: Forward, cotangents: Array | None = None
) -> Iterator[Signal]:
    """The backpropagated signals these metrics need: down to δ^1, and to ∂f/∂h^0 only for a metric that holds it.

    Those of the outputs themselves, or of the cotangents (B, N, C)."""
    depth = len(drawn.layers)
    start = drawn.backend.eye(passed.logits.shape[1])[:, None, :] if cotangents is None else cotangents
    inputs = any(wanted(m, Signal(ACTIVATION, 0, None), depth) for m in metrics)
    return itertools.islice(backward(drawn.layers, passed.slopes, start, drawn.backend), 2 * depth - 1 + inputs)


def _add_signal(x: Signal, y: Signal, duals: Sequence[Dual], drawn: Drawn, rows: Forward, columns: Forward) -> None:
    """Add what one signal gives to every dual that contracts it."""
    concerned = [d for d in duals if wanted(d.metric, x, drawn.network.depth)]
    if not concerned:
        return
    xp = drawn.backend.xp
    left = _flat(x.value, drawn.backend)
    product = _product(left, left if x is y else _flat(y.value, drawn.backend), drawn.backend)
    product = xp.reshape(product, (*x.value.shape[:2], *y.value.shape[:2]))
    l = x.layer - (x.kind == PREACTIVATION)
    h, g = rows.activations[l], columns.activations[l]
    overlap = functools.cache(lambda: _product(h, g, drawn.backend))
    for dual in concerned:
        a, b = coefficients(dual.metric, drawn.network, x.layer, h.shape[1], drawn.passed.samples)
        kernel = overlap() * a + b if a else drawn.backend.zeros((1, 1)) + b
        dual.add(product, kernel)
        if x is y:
            dual.add_trace(xp.linalg.vecdot(x.value, x.value), kernel)


def _flat(x: Array, backend: Backend) -> Array:
    outputs, samples, units = x.shape
    return backend.xp.reshape(x, (outputs * samples, units))


def _product(x: Array, y: Array, backend: Backend) -> Array:
    """``x yᵀ``, by the symmetric product where both are the same array."""
    return backend.gram(x) if x is y else x @ y.T
