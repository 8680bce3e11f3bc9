"""What tells one family of metrics from another: one row each.

A metric ``ν JᵀJ`` has the dual ``ν JJᵀ`` with the same non-zero eigenvalues. Each weight layer adds

    dual[k n, k' m] += (x_k(n) · x_k'(m)) B(n, m),     B = a h^{l-1}·h^{l-1} + b

where x is a backpropagated signal and B a kernel over samples (theory.md §7). The families differ in

    FIM           x = δ^l = ∂f/∂u^l     a = 1/N               b = 1/N       (weights, biases)     P = parameters
    NTK           x = δ^l               a = σ_w² / fan-in     b = σ_b²                            P = CN
    InputMetric   x = ∂f/∂h^l           a = 0                 b = 1/N                             P = features
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from empirical.networks.layers.base import ACTIVATION, PREACTIVATION
from meanfield.spec import FIM, NTK, InputMetric, Linear, Metric

__all__ = ["FAMILIES", "Family", "family_of"]


@dataclass(frozen=True)
class Family:
    """A row of the table.

    Attributes
    ----------
    signal
        The kind of signal that is contracted: PREACTIVATION for a metric over parameters, ACTIVATION for one over
        features.
    weighting
        ``(a, b)/ν`` of a weight layer and the number of units that enter it: what weights and biases (ACTIVATION:
        nothing and the units) count with. A part with 0 is neither in P nor in eigenvectors.
    averaged
        Whether ν = 1/N; else it is 1.
    own_dual
        Whether the metric lives on outputs × samples itself, so that P = CN and its eigenvectors are the dual's.
    """

    signal: str
    weighting: Callable[[Linear, int], tuple[float, float]]
    averaged: bool
    own_dual: bool

    def divisor(self, samples: int) -> int:
        """1/ν."""
        return samples if self.averaged else 1

    def coefficients(self, layer: Linear, entering: int, samples: int) -> tuple[float, float]:
        """(a, b) of the kernel at a weight layer that so many units enter."""
        weights, biases = self.weighting(layer, entering)
        return weights * (1.0 / self.divisor(samples)), biases * (1.0 / self.divisor(samples))

    def dimension(self, held: int, order: int) -> int:
        """P, the divisor of the moments: of what the signals are about (``held`` numbers), or of the dual (CN)."""
        return order if self.own_dual else held


def as_it_is(layer: Linear, entering: int) -> tuple[float, float]:
    """Weights and biases themselves."""
    return 1.0, 1.0


def ntk_parameterisation(layer: Linear, entering: int) -> tuple[float, float]:
    """ω and β of ``W = σ_w ω/√fan-in``, ``b = σ_b β``."""
    return layer.weight_variance / layer.fan_in(entering), layer.bias_variance


def shift(layer: Linear, entering: int) -> tuple[float, float]:
    """What is added to h: no weights."""
    return 0.0, 1.0


FAMILIES: dict[str, Family] = {
    FIM.family: Family(PREACTIVATION, as_it_is, averaged=True, own_dual=False),
    NTK.family: Family(PREACTIVATION, ntk_parameterisation, averaged=False, own_dual=True),
    InputMetric.family: Family(ACTIVATION, shift, averaged=True, own_dual=False),
}


def family_of(metric: Metric | type[Metric]) -> Family:
    """The row of a metric."""
    return FAMILIES[metric.family]
