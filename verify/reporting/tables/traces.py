"""Traces of the Fisher matrix without biases at given inputs: measured, by the equality, and the bound."""

from __future__ import annotations

from collections.abc import Mapping

from verify.judging.traces import Traces
from verify.judging.verdict import Comparison
from verify.reporting.tables import columns as c
from verify.reporting.tables.table import Column, Table

__all__ = ["traces_table"]


def traces_table(comparison: Comparison, names: Mapping[str, str]) -> Table:
    """A row for each Fisher matrix and cell with given inputs and no biases."""
    columns: tuple[Column[Traces], ...] = (
        c.words("metric", "metric", lambda x: x.metric.label),
        c.network(names, lambda x: x.cell.law),
        c.width(lambda x: x.cell),
        c.samples(lambda x: x.cell),
        c.number("input_trace", "tr Σₓ", lambda x: x.input_trace),
        c.estimate("measured", "tr F measured", lambda x: x.measured),
        c.number("expected", "equality", lambda x: x.expected),
        c.estimate("ratio", "measured / equality", lambda x: x.ratio),
        c.number("bound", "bound", lambda x: x.bound),
        c.number("loose", "bound / measured", lambda x: x.bound / x.measured.value, "{:.3g}"),
    )
    caption = (
        "Traces of the weights' part of the Fisher matrix, without biases: the equality in the mean for homogeneous "
        "activations (linear in tr Σₓ, the mean of |x|²), and the bound C Π‖W‖² ℓ² tr Σₓ with the norms of Gaussian "
        "matrices"
    )
    return Table.of("Traces and their bound", caption, columns, comparison.traces)
