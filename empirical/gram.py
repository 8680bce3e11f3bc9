"""The dual matrices of a network's metrics, layer by layer, without a Jacobian: theory.md §7.

A metric ``ν JᵀJ`` has the dual ``ν JJᵀ`` with the same non-zero eigenvalues. Each layer adds

    dual[k n, k' m] += (x_k(n) · x_k'(m)) B(n, m)

where x is a backpropagated signal and B a kernel over samples. The families differ in which signal and which B:

    FIM           x = δ^l = ∂f/∂u^l     B = (h^{l-1}·h^{l-1} + 1) / N                       (weights, biases)
    NTK           x = δ^l               B = σ_w² h^{l-1}·h^{l-1} / M_{l-1} + σ_b²
    InputMetric   x = ∂f/∂h^l           B = 1 / N

Axes of a dual: (C, N, C, N), so that as a CN × CN matrix row k·N + n is output k at sample n (output-major).
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence

from empirical.backends.base import Array, Backend
from empirical.network import ACTIVATION, PREACTIVATION, Forward, Signal, backward
from empirical.sampling import Layer
from meanfield.spec import Metric, Network

__all__ = ["Dual", "add_signal", "dimension", "signals"]

# B of layer l, from h^{l-1} (N, M_{l-1}) and a function that gives its product h^{l-1} h^{l-1}ᵀ (N, N).
Kernel = Callable[[Network, int, Array, Callable[[], Array]], Array]


def _fisher_kernel(network: Network, l: int, h: Array, product: Callable[[], Array]) -> Array:
    return (product() + 1.0) / h.shape[0]


def _tangent_kernel(network: Network, l: int, h: Array, product: Callable[[], Array]) -> Array:
    return product() * (network.weight_variance[l - 1] / h.shape[1]) + network.bias_variance[l - 1]


def _feature_kernel(network: Network, l: int, h: Array, product: Callable[[], Array]) -> Array:
    # One number for all pairs of samples, as an array that broadcasts over them.
    return h[:1, :1] * 0.0 + 1.0 / h.shape[0]


_SIGNALS = {"fim": PREACTIVATION, "ntk": PREACTIVATION, "input_metric": ACTIVATION}
_KERNELS: dict[str, Kernel] = {"fim": _fisher_kernel, "ntk": _tangent_kernel, "input_metric": _feature_kernel}


def blocks(metric: Metric, depth: int) -> Sequence[int]:
    """The layers whose blocks the metric sums."""
    return metric.layers(depth) if metric.layer is None else (metric.layer,)


def dimension(metric: Metric, layers: Sequence[Layer], passed: Forward) -> int:
    """P, counted from the arrays made: parameters (FIM), outputs × samples (NTK), features (InputMetric)."""
    if metric.family == "ntk":
        return math.prod(passed.logits.shape)
    parameters = [0, *(layer.parameters for layer in layers)]
    features = [math.prod(h.shape[1:]) for h in passed.activations]
    count = parameters if metric.family == "fim" else features
    return sum(count[l] for l in blocks(metric, len(layers)))


class Dual:
    """The dual matrix of one metric, growing layer by layer.

    Attributes
    ----------
    matrix
        (C, N, C, N).
    trace
        Its trace, summed from the squared norms of what is contracted: it never sees the matrix products.
    """

    def __init__(self, metric: Metric, outputs: int, samples: int, backend: Backend) -> None:
        self.metric = metric
        self.matrix = backend.zeros((outputs, samples, outputs, samples))
        self.trace = backend.zeros(())
        self._backend = backend

    def add(self, product: Array, squares: Array, kernel: Array) -> None:
        """Add one layer: ``product`` x·x (C, n, C, n), ``squares`` |x|² (C, n), B (N, N) or (1, 1); n is 1 or N."""
        xp, (outputs, samples, _, _) = self._backend.xp, self.matrix.shape
        for k in range(outputs):  # output by output: the temporary is one N × CN slab
            self.matrix[k, ...] += product[k, ...] * kernel[:, None, :]
        terms = squares * xp.linalg.diagonal(kernel)[None, :]
        self.trace += xp.sum(terms) * (samples / terms.shape[1])


def signals(metrics: Sequence[Metric], layers: Sequence[Layer], passed: Forward, backend: Backend) -> Iterator[Signal]:
    """The backpropagated signals these metrics need: down to δ^1, and to ∂f/∂h^0 only for a metric that holds it."""
    depth = len(layers)
    inputs = any(_SIGNALS[m.family] == ACTIVATION and 0 in blocks(m, depth) for m in metrics)
    return itertools.islice(backward(layers, passed.slopes, backend), 2 * depth - 1 + inputs)


def add_signal(signal: Signal, duals: Sequence[Dual], network: Network, passed: Forward, backend: Backend) -> None:
    """Add what one signal gives to every dual that contracts it. The product is made once for all of them."""
    wanting = [
        d for d in duals if _SIGNALS[d.metric.family] == signal.kind and signal.layer in blocks(d.metric, network.depth)
    ]
    if not wanting:
        return
    xp, (outputs, rows, units) = backend.xp, signal.value.shape
    squares = xp.linalg.vecdot(signal.value, signal.value)
    product = backend.gram(xp.reshape(signal.value, (outputs * rows, units)))
    product = xp.reshape(product, (outputs, rows, outputs, rows))
    h = passed.activations[signal.layer - (signal.kind == PREACTIVATION)]
    overlap = functools.cache(lambda: backend.gram(h))
    for dual in wanting:
        dual.add(product, squares, _KERNELS[dual.metric.family](network, signal.layer, h, overlap))
