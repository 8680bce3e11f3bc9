"""The dual matrices of a network's metrics, layer by layer, without a Jacobian: theory.md §7, and `families`.

Axes of a dual: (C, N, C, N), so that as a CN × CN matrix row k·N + n is output k at sample n (output-major). A block of
it has the samples of ``rows`` on axis 1 and those of ``columns`` on axis 3.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from empirical.backends.base import Array, Backend
from empirical.dual.families import family_of
from empirical.networks.layers.base import ACTIVATION, PREACTIVATION, Signal
from empirical.networks.overlaps import Sums
from empirical.networks.passes import Forward, backward
from meanfield.spec import Metric

__all__ = ["Drawn", "Dual", "blocks", "coefficients", "dimension", "dual_blocks", "signals", "wanted"]


@dataclass(frozen=True)
class Drawn:
    """One random network with its samples passed through."""

    passed: Forward
    backend: Backend

    @property
    def depth(self) -> int:
        """L."""
        return len(self.passed.weights)

    @property
    def size(self) -> int:
        """CN, the order of a dual matrix."""
        return int(math.prod(self.passed.logits.shape))


def blocks(metric: Metric, depth: int) -> Sequence[int]:
    """The numbers of the layers whose blocks the metric sums."""
    return metric.layers(depth) if metric.layer is None else (metric.layer,)


def wanted(metric: Metric, kind: str, layer: int, depth: int) -> bool:
    """Whether the metric contracts the signal of this kind and number."""
    return family_of(metric).signal == kind and layer in blocks(metric, depth)


def coefficients(metric: Metric, signal: Signal, samples: int) -> tuple[float, float]:
    """(a, b) of the kernel where the signal appears."""
    return family_of(metric).coefficients(signal.at.law, signal.at.given.shape[1], samples)


def dimension(metric: Metric, drawn: Drawn) -> int:
    """P, counted from the arrays made: parameters (FIM), outputs × samples (NTK), features (InputMetric)."""
    family, weights = family_of(metric), drawn.passed.weights
    at = [weights[l - (family.signal == PREACTIVATION)] for l in blocks(metric, drawn.depth)]
    held = [w.held(family.signal, *family.weighting(w.law, w.given.shape[1])) for w in at]
    return family.dimension(sum(held), drawn.size)


@dataclass
class Dual:
    """A block of one metric's dual matrix, growing layer by layer.

    Attributes
    ----------
    matrix
        (C, I, C, J), of the bare outputs: neither centred nor in the sandwich.
    trace
        For a diagonal block its trace, summed from the squared norms of what is contracted: it never sees the products.
    """

    metric: Metric
    matrix: Array
    trace: Array


def dual_blocks(
    metrics: Sequence[Metric], drawn: Drawn, rows: Forward, columns: Forward, sums: dict[int, Sums] | None = None
) -> list[Dual]:
    """The blocks (rows, columns) of the metrics' duals; products are made once for all metrics.

    Where ``rows is columns`` the block is on the diagonal: half of each product is computed, and δ^l is added to
    ``sums[l]``.
    """
    outputs = rows.logits.shape[1]
    shape, zeros = (outputs, rows.samples, outputs, columns.samples), drawn.backend.zeros
    duals = [Dual(m, zeros(shape), zeros(())) for m in metrics]
    left = signals(metrics, drawn, rows)
    right = signals(metrics, drawn, columns)
    for x, y in ((s, s) for s in left) if rows is columns else zip(left, right, strict=True):
        _add_signal(x, y, duals, drawn)
        if sums is not None and x.kind == PREACTIVATION:
            sums.setdefault(x.layer, Sums(drawn.backend)).add(x.value, rows.samples)
    return duals


def signals(
    metrics: Sequence[Metric], drawn: Drawn, passed: Forward, cotangents: Array | None = None
) -> Iterator[Signal]:
    """The backpropagated signals these metrics need: down to δ^1, and to ∂f/∂h^0 only for a metric that holds it.

    Those of the outputs themselves, or of the cotangents (B, N, C)."""
    start = drawn.backend.eye(passed.logits.shape[1])[:, None, :] if cotangents is None else cotangents
    inputs = any(wanted(m, ACTIVATION, 0, drawn.depth) for m in metrics)
    return itertools.islice(backward(passed, start, drawn.backend), 2 * drawn.depth - 1 + inputs)


def _add_signal(x: Signal, y: Signal, duals: Sequence[Dual], drawn: Drawn) -> None:
    """Add what one signal gives to every dual that contracts it."""
    concerned = [d for d in duals if wanted(d.metric, x.kind, x.layer, drawn.depth)]
    if not concerned:
        return
    contraction = x.at.contract(x.value, y.at, y.value, drawn.backend)
    for dual in concerned:
        a, b = coefficients(dual.metric, x, drawn.passed.samples)
        contraction.add_to(dual.matrix, a, b)
        if x is y:
            dual.trace += contraction.trace(a, b)
