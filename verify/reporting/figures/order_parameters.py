"""Order parameters against the layer: lines are theory, markers the means over networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from meanfield.figures.ticks import log_ticks, plain_ticks
from verify.judging.layers import Layers
from verify.reporting.figures import style
from verify.reporting.figures.picture import Drawing, Picture, Section
from verify.reporting.names import ORDER_PARAMETER_TITLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from verify.judging.verdict import Comparison

__all__ = ["draw_order_parameters", "order_parameters_section"]

_CAPTION = (
    "The widest networks of each kind. Lines: theory for M → ∞. Markers: means over networks with 95 % intervals. "
    "q: preactivations, q̂: activations, q̃: backpropagated signals; without index for one input, st for two."
)
_QUANTITIES = {"One input": ("q", "forward", "backward"), "Two inputs": ("q_st", "forward_st", "backward_st")}

DECADES = 1.5
"""Values that span more than this are drawn on a log axis."""


def order_parameters_section(comparison: Comparison, names: Mapping[str, str]) -> Section:
    """A picture for one input, and one for two."""
    pictures = tuple(
        Picture(
            style.slug(f"order parameters {heading}"),
            heading,
            draw_order_parameters(heading.lower(), quantities, comparison.layers, names),
        )
        for heading, quantities in _QUANTITIES.items()
        if comparison.layers
    )
    return Section("Order parameters, layer by layer", _CAPTION, pictures)


def draw_order_parameters(
    title: str, quantities: Sequence[str], shown: Sequence[Layers], names: Mapping[str, str]
) -> Drawing:
    """One panel a quantity, one line a network."""
    with style.panels([ORDER_PARAMETER_TITLES[q] for q in quantities], height=2.5) as (figure, axes):
        for ax, quantity in zip(axes, quantities, strict=True):
            for number, one in enumerate(shown):
                _draw(ax, one, quantity, number)
            _scale(ax, [x for one in shown for x in one.predicted[quantity]])
            ax.set_xticks(sorted({layer for one in shown for layer in one.numbers(quantity)}))
            ax.set_xlabel("layer")
        labels = {number: names[one.cell.law.digest] for number, one in enumerate(shown)}
        style.key(figure, labels)
        return style.drawing(
            figure,
            f"order parameters {title}",
            f"Order parameters of {title} against the layer, theory and measurement, for {', '.join(labels.values())}",
        )


def _draw(ax: Axes, one: Layers, quantity: str, number: int) -> None:
    x = list(one.numbers(quantity))
    measured = one.measured[quantity]
    ax.plot(x, one.predicted[quantity], **style.theory_style(number))
    ax.errorbar(x, [e.value for e in measured], yerr=style.whiskers(measured), **style.marker_style(number))


def _scale(ax: Axes, predicted: Sequence[float]) -> None:
    low, high = min(predicted), max(predicted)
    if low > 0 and np.log10(high / low) > DECADES:
        ax.set_yscale("log")
        log_ticks(ax.yaxis)
    else:
        plain_ticks(ax.yaxis)
