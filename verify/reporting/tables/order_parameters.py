"""The order parameters of the widest networks, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from verify.asking.records import Cell
from verify.judging.inference import UNKNOWN, Estimate
from verify.judging.verdict import Comparison
from verify.reporting.names import ORDER_PARAMETER_TITLES
from verify.reporting.tables import columns as c
from verify.reporting.tables.table import Column, Table

__all__ = ["order_parameters_table"]


class _OfLayer(NamedTuple):
    cell: Cell
    quantity: str
    layer: int
    predicted: float
    measured: Estimate


def order_parameters_table(comparison: Comparison, names: Mapping[str, str]) -> Table:
    """A row for each quantity and layer."""
    columns: tuple[Column[_OfLayer], ...] = (
        c.network(names, lambda x: x.cell.law),
        c.width(lambda x: x.cell),
        c.samples(lambda x: x.cell),
        c.words("quantity", "quantity", lambda x: x.quantity),
        c.whole("layer", "layer", lambda x: x.layer),
        c.number("predicted", "theory", lambda x: x.predicted),
        c.estimate("measured", "measured (95 % CI)", lambda x: x.measured),
        c.estimate(
            "ratio", "ratio (95 % CI)", lambda x: x.measured.scaled(1 / x.predicted) if x.predicted else UNKNOWN
        ),
    )
    told = [
        _OfLayer(x.cell, title, layer, float(predicted), measured)
        for x in comparison.layers
        for name, title in ORDER_PARAMETER_TITLES.items()
        for layer, predicted, measured in zip(x.numbers(name), x.predicted[name], x.measured[name], strict=True)
    ]
    caption = "Order parameters: theory for M → ∞, and means over the widest networks measured"
    return Table.of("Order parameters", caption, columns, told)
