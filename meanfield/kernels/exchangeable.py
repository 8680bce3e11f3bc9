"""Which metric is which: its row of coefficients, and the exchangeable kernel they make (theory.md §3).

In the wide limit the dual matrix of every metric is ``ν · I_C ⊗ [(K₁ - K₂) I_N + K₂ 1 1ᵀ]``. Metrics differ in this
file's table only: two coefficients per layer, a normaliser ν and a dimension P. Whatever follows from the kernel is the
same for all and stands in :mod:`meanfield.leading.spectra`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanfield.propagation.linear import gradient
from meanfield.spec import Linear, Metric, Network, OrderParameters

__all__ = [
    "ROWS", "Coefficients", "ExchangeableKernel", "Row", "coefficients", "dimension_of", "exchangeable_kernel",
]  # fmt: skip

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sizes:
    """What a row may depend on of one weight layer; arrays over the widths asked for."""

    layer: Linear
    entering: Floats  # M_{l-1}
    leaving: Floats  # M_l


@dataclass(frozen=True)
class Row:
    """One metric: ``K = Σ_l q̃^l (w_l q̂^{l-1} + β_l)`` over the weight layers asked for.

    ``random`` says that β_l is the mean of w_i · w_j over the layer's own weights, which fluctuates at finite width.
    ``normaliser`` is ν for N samples. ``block`` is what layer l adds to the dimension P; ``None`` for a kernel on
    samples, whose dimension is CN.
    """

    weight: Callable[[Sizes], Floats]
    bias: Callable[[Sizes], Floats]
    normaliser: Callable[[Floats], Floats]
    block: Callable[[Sizes], Floats] | None
    random: bool = False


ROWS: dict[str, Row] = {
    "fim": Row(
        weight=lambda x: x.layer.fan_in(x.entering),
        bias=lambda x: np.ones_like(x.entering),
        normaliser=lambda samples: 1 / samples,
        block=lambda x: x.layer.parameters(x.entering, x.leaving),
    ),
    "ntk": Row(
        weight=lambda x: np.full_like(x.entering, x.layer.weight_variance),
        bias=lambda x: np.full_like(x.entering, x.layer.bias_variance),
        normaliser=lambda samples: np.ones_like(samples),
        block=None,
    ),
    "input_metric": Row(
        weight=lambda x: np.zeros_like(x.entering),
        bias=lambda x: np.full_like(x.entering, x.layer.weight_variance),
        normaliser=lambda samples: 1 / samples,
        block=lambda x: x.entering,
        random=True,
    ),
}


@dataclass(frozen=True)
class ExchangeableKernel:
    """``ν · I_C ⊗ [(K₁ - K₂) I_N + K₂ 1 1ᵀ]``; arrays over the widths and samples asked for.

    Parameters
    ----------
    same, other, gap
        K₁ (a sample with itself), K₂ (two samples) and K₁ - K₂, kept apart because it may be far below either.
    normaliser, dimension
        ν, and P, the divisor of mean and second moment.
    outputs, samples
        C and N.
    narrowest
        The smallest layer width, which sets the noise of the kernel's entries.
    gradient_width
        The smallest width that the gradients of two outputs pass, which must hold C of them orthogonal; ``inf`` where
        they pass no layer.
    projected
        Whether every output's mean over the samples is projected out, and C dimensions with it.
    """

    same: Floats
    other: Floats
    gap: Floats
    normaliser: Floats
    dimension: Floats
    outputs: int
    samples: Floats
    narrowest: Floats
    gradient_width: Floats
    projected: bool = False

    def cells(self) -> Iterator[ExchangeableKernel]:
        """The kernels at each width and sample number, in C order, with 0-dimensional arrays."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("outputs", "projected")}
        for index in np.ndindex(self.same.shape):
            yield replace(self, **{name: values[index] for name, values in arrays.items()})

    def centered(self) -> ExchangeableKernel:
        """Project every output's mean over the samples out: ``I_C ⊗ (I - 1 1ᵀ/N)`` from both sides.

        The projection of an exchangeable kernel is one: K₁' = (K₁ - K₂)(1 - 1/N), K₂' = -(K₁ - K₂)/N.
        """
        same, other = self.gap * (1 - 1 / self.samples), -self.gap / self.samples
        return replace(self, same=same, other=other, projected=True)


class Coefficients(NamedTuple):
    """w_l and β_l of one weight layer; 0 where the metric does not ask for it."""

    weight: Floats
    bias: Floats


def exchangeable_kernel(
    network: Network, metric: Metric, parameters: OrderParameters, widths: Floats, samples: Floats
) -> ExchangeableKernel:
    """The kernel of ``metric`` at layer widths of shape ``(L + 1, ...)`` and ``samples`` of shape ``(...)``, the same
    trailing shape.

    Raises
    ------
    ValueError
        If the network has no such layer.
    """
    row = ROWS[metric.family]
    layers = zip(parameters.layers, coefficients(network, metric, widths), strict=True)
    terms = [gradient(state, *of_layer) for state, of_layer in layers]
    same, other, gap = (np.sum(column, axis=0) for column in zip(*terms, strict=True))
    return ExchangeableKernel(
        same=same,
        other=other,
        gap=gap,
        normaliser=row.normaliser(samples),
        dimension=dimension_of(network, metric, widths, samples),
        outputs=network.outputs,
        samples=samples,
        narrowest=np.min(widths[:-1], axis=0),
        gradient_width=_gradient_width(metric, network.depth, widths),
    )


def coefficients(network: Network, metric: Metric, widths: Floats) -> list[Coefficients]:
    """Those of the weight layers l = 1..L at layer widths (L + 1, ...).

    Raises
    ------
    ValueError
        If the network has no such layer.
    """
    metric.check(network)
    row, sizes = ROWS[metric.family], _sizes(network, widths)
    nothing = Coefficients(np.zeros_like(widths[0]), np.zeros_like(widths[0]))
    asked = _asked(metric, network.depth)
    return [
        Coefficients(row.weight(x), row.bias(x)) if of_layer else nothing
        for x, of_layer in zip(sizes, asked, strict=True)
    ]


def dimension_of(network: Network, metric: Metric, widths: Floats, samples: Floats) -> Floats:
    """P at layer widths (L + 1, ...)."""
    block = ROWS[metric.family].block
    if block is None:
        return network.outputs * samples
    sizes = zip(_sizes(network, widths), _asked(metric, network.depth), strict=True)
    dimension: Floats = np.sum([block(x) for x, of_layer in sizes if of_layer], axis=0)
    return dimension


def _gradient_width(metric: Metric, depth: int, widths: Floats) -> Floats:
    """The narrowest from the lowest layer asked for up to the last hidden one."""
    lowest = metric.layers(depth).start if metric.layer is None else metric.layer
    narrowest: Floats = np.min(widths[lowest:-1], axis=0, initial=np.inf)
    return narrowest


def _asked(metric: Metric, depth: int) -> list[bool]:
    """Whether the metric asks for the term of each weight layer l = 1..L, in its own numbers."""
    return [metric.layer is None or number == metric.layer for number in metric.layers(depth)]


def _sizes(network: Network, widths: Floats) -> list[Sizes]:
    return [Sizes(*of_layer) for of_layer in zip(network.linear, widths[:-1], widths[1:], strict=True)]
