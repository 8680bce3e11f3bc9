"""Traces of Fisher blocks of networks without biases at given inputs, beside what the inputs' own trace allows.

The weights' part of tr F is measured: tr F = P m less what the bias parameters add, C Σ_l q̃^l of the network's own
order parameters. Beside it, of docs/bounds.md: the equality in the mean for φ(au) = a φ(u), a >= 0, exact at any width;
and for φ(0) = 0 the bound by the norms of weights, those of Gaussian matrices, σ_w (1 + √(M_l/M_{l-1})) (Bai and Yin).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import numpy as np

from meanfield.information.bounds import homogeneous_traces, trace_bounds
from meanfield.spec import Metric, Network, OrderParameters
from meanfield.spec.activations import Activation
from verify.asking.inputs import Inputs
from verify.asking.records import Cell, Sample
from verify.judging.inference import UNKNOWN, Estimate, mean_of_statistic
from verify.judging.pairing import Pair

__all__ = ["Traces", "traces"]

_STEEP = np.linspace(-20, 20, 200_001)  # where the steepest slope of an activation is looked for


@dataclass(frozen=True)
class Traces:
    """One Fisher matrix of the squared error, whole or one block, at one cell.

    ``input_trace`` is tr Σ_x, ``measured`` the mean over networks of the weights' part of tr F. ``expected`` is the
    equality's (NaN for other activations), ``bound`` the bound's (NaN where it says nothing).
    """

    cell: Cell
    metric: Metric
    input_trace: float
    measured: Estimate
    expected: float
    bound: float

    @property
    def ratio(self) -> Estimate:
        """Measured / expected."""
        return self.measured.scaled(1 / self.expected) if self.expected > 0 else UNKNOWN


def traces(pairs: Iterable[Pair]) -> tuple[Traces, ...]:
    """Those of the pairs for which there is an equality or a bound."""
    found = (_traces(p) for p in pairs if _applies(p))
    return tuple(t for t in found if not math.isnan(t.expected) or not math.isnan(t.bound))


def _applies(pair: Pair) -> bool:
    m, network = pair.metric, pair.cell.network
    question = m.family == "fim" and m.loss == "mse" and not m.centered and pair.cell.inputs is not None
    return question and network.is_dense and max(network.bias_variance) == 0 and bool(pair.samples)


def _traces(pair: Pair) -> Traces:
    cell, layer = pair.cell, pair.metric.layer
    inputs = cast(Inputs, cell.inputs)  # `_applies` has seen to it
    total = float(np.mean(np.sum(inputs.array**2, axis=1)))
    blocks = slice(None) if layer is None else slice(layer - 1, layer)
    own = zip(pair.samples, pair.order_parameters, strict=True)
    values = [_weights_part(sample, p, cell.network.outputs, blocks) for sample, p in own if p is not None]
    return Traces(
        cell=cell,
        metric=pair.metric,
        input_trace=total,
        measured=mean_of_statistic(values),
        expected=_expected(cell, total, blocks),
        bound=_bound(cell, total, blocks),
    )


def _weights_part(sample: Sample, own: OrderParameters, outputs: int, blocks: slice) -> float:
    return sample.mean * sample.dimension - outputs * float(np.sum(own.backward[blocks]))


def _expected(cell: Cell, total: float, blocks: slice) -> float:
    try:
        return float(np.sum(homogeneous_traces(cell.drawn, cell.width, total)[blocks]))
    except ValueError:  # another activation
        return math.nan


def _bound(cell: Cell, total: float, blocks: slice) -> float:
    network = cell.drawn
    if any(abs(float(phi.function()(np.zeros(1))[0])) > 0 for phi in network.activation):
        return math.nan
    steepest = [_steepest(phi) for phi in network.activation] or [1.0]
    return float(np.sum(_bounds(network, cell.width, total, steepest)[blocks]))


def _bounds(network: Network, width: int, total: float, steepest: list[float]) -> np.ndarray:
    units = np.array(network.widths(width), dtype=float)
    norms = np.sqrt(network.weight_variance) * (1 + np.sqrt(units[1:] / units[:-1]))
    slopes = steepest if network.depth > 1 else 1.0
    return trace_bounds(norms, total, network.outputs, lipschitz=slopes)


def _steepest(activation: Activation) -> float:
    """The largest |φ'|, of chords of 1e-4 between -20 and 20."""
    values = activation.function()(_STEEP)
    return float(np.max(np.abs(np.diff(values))) / (_STEEP[1] - _STEEP[0]))
