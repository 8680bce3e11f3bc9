"""Which metric is which: its row of coefficients, and the exchangeable kernel they make (theory.md §3).

In the wide limit the dual matrix of every metric is ``ν · I_C ⊗ [(K₁ - K₂) I_N + K₂ 1 1ᵀ]``. Metrics differ in this
file's table only: two coefficients per layer, a normaliser ν and a dimension P. Whatever follows from the kernel is the
same for all and stands in :mod:`meanfield.leading.spectra`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from meanfield.spec import Metric, Network, OrderParameters

__all__ = ["ROWS", "ExchangeableKernel", "exchangeable_kernel", "layer_coefficients"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sizes:
    """What a row of coefficients may depend on. Layers l = 1..L lie on the first axis of every array; the other axes
    are those of the widths and samples asked for."""

    fan_in: Floats  # M_{l-1}
    fan_out: Floats  # M_l
    weight_variance: Floats
    bias_variance: Floats
    outputs: int
    samples: Floats


@dataclass(frozen=True)
class Row:
    """One metric: ``K = Σ_l q̃^l (w_l q̂^{l-1} + β_l)`` over the layers asked for.

    ``random`` says that β_l is the mean of w_i · w_j over the layer's own weights, which fluctuates at finite width.
    ``block`` is what layer l adds to the dimension P; ``None`` for a kernel on samples, whose dimension is CN.
    ``first`` is the number by which ``Metric.layer`` calls the term l = 1.
    """

    weight: Callable[[Sizes], Floats]
    bias: Callable[[Sizes], Floats]
    normaliser: Callable[[Sizes], Floats]
    block: Callable[[Sizes], Floats] | None
    first: int
    random: bool = False


ROWS: dict[str, Row] = {
    "fim": Row(
        weight=lambda x: x.fan_in,
        bias=lambda x: np.ones_like(x.fan_in),
        normaliser=lambda x: 1 / x.samples,
        block=lambda x: x.fan_out * (x.fan_in + 1),
        first=1,
    ),
    "ntk": Row(
        weight=lambda x: x.weight_variance,
        bias=lambda x: x.bias_variance,
        normaliser=lambda x: np.ones_like(x.samples),
        block=None,
        first=1,
    ),
    "input_metric": Row(
        weight=lambda x: np.zeros_like(x.fan_in),
        bias=lambda x: x.weight_variance,
        normaliser=lambda x: 1 / x.samples,
        block=lambda x: x.fan_in,
        first=0,
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
    sizes = _sizes(network, widths, samples)
    mask = _spread(_mask(row, metric, network.depth), sizes.fan_in)
    weight, bias = layer_coefficients(network, metric, widths)

    def over_layers(values: Floats) -> Floats:
        return _spread(values, sizes.fan_in)

    backward, backward_st = over_layers(parameters.backward), over_layers(parameters.backward_st)
    forward, forward_st = over_layers(parameters.forward), over_layers(parameters.forward_st)
    gap = over_layers(parameters.backward_gap) * (weight * forward + bias)
    gap = gap + backward_st * weight * over_layers(parameters.forward_gap)
    return ExchangeableKernel(
        same=np.sum(backward * (weight * forward + bias), axis=0),
        other=np.sum(backward_st * (weight * forward_st + bias), axis=0),
        gap=np.sum(gap, axis=0),
        normaliser=row.normaliser(sizes),
        dimension=network.outputs * sizes.samples if row.block is None else np.sum(mask * row.block(sizes), axis=0),
        outputs=network.outputs,
        samples=sizes.samples,
        narrowest=np.min(sizes.fan_in, axis=0),
        gradient_width=np.min(_passed(widths, mask, row), axis=0, initial=np.inf),
    )


def layer_coefficients(network: Network, metric: Metric, widths: Floats) -> tuple[Floats, Floats]:
    """w_l and β_l for l = 1..L, 0 in the layers not asked for, at layer widths (L + 1, ...).

    Raises
    ------
    ValueError
        If the network has no such layer.
    """
    metric.check(network)
    row = ROWS[metric.family]
    sizes = _sizes(network, widths, np.ones(widths.shape[1:]))
    mask = _spread(_mask(row, metric, network.depth), sizes.fan_in)
    return mask * row.weight(sizes), mask * row.bias(sizes)


def _passed(widths: Floats, mask: Floats, row: Row) -> Floats:
    """The widths from the lowest layer asked for up to the last hidden one, ``inf`` below."""
    layers = widths[row.first : -1]
    return np.where(np.maximum.accumulate(mask, axis=0)[: len(layers)] > 0, layers, np.inf)


def _mask(row: Row, metric: Metric, depth: int) -> Floats:
    if metric.layer is None:
        return np.ones(depth)
    mask: Floats = (np.arange(depth) == metric.layer - row.first).astype(np.float64)
    return mask


def _sizes(network: Network, widths: Floats, samples: Floats) -> Sizes:
    return Sizes(
        fan_in=widths[:-1],
        fan_out=widths[1:],
        weight_variance=_spread(np.array(network.weight_variance), widths[1:]),
        bias_variance=_spread(np.array(network.bias_variance), widths[1:]),
        outputs=network.outputs,
        samples=samples,
    )


def _spread(values: Floats, like: Floats) -> Floats:
    return np.broadcast_to(values.reshape(-1, *(1,) * (like.ndim - 1)), like.shape)
