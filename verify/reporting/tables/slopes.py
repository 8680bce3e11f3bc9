"""How steep spectra are: the data's, the predicted and the measured one, and the same of the isotropic control."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from verify.judging.slopes import DATA_WINDOW, METRIC_WINDOW, Shape, Slopes
from verify.judging.verdict import Comparison
from verify.reporting.tables import columns as c
from verify.reporting.tables.table import Column, Table

__all__ = ["slopes_table"]

_NUMBERS = {
    "top_slope": ("top slope", "{:.3g}"),
    "mid_slope": ("mid slope", "{:.3g}"),
    "decades": ("decades", "{:.2f}"),
    "participation": ("participation", "{:.3g}"),
}


def slopes_table(comparison: Comparison, names: Mapping[str, str]) -> Table:
    """A row for each metric and cell with given inputs and stored spectra, beside its control."""
    columns: tuple[Column[Slopes], ...] = (
        c.words("metric", "metric", lambda x: x.metric.label),
        c.network(names, lambda x: x.cell.law),
        c.width(lambda x: x.cell),
        c.samples(lambda x: x.cell),
        *(column for name in _NUMBERS for column in _columns(name)),
    )
    caption = (
        "Slopes: of the data's covariance, of the metric as predicted and as measured (mean over networks), and for "
        "isotropic inputs of the same N, d and mean |x|² (control). "
        f"Top slope: decades per index over [{DATA_WINDOW.start}:{DATA_WINDOW.stop}] of the data and "
        f"[{METRIC_WINDOW.start}:{METRIC_WINDOW.stop}] of the metric; mid slope: over the middle half; decades: "
        "log10 of the largest over the smallest resolved eigenvalue; participation: (Σλ)²/Σλ². Of several outputs' "
        "equal eigenvalues each counts once"
    )
    return Table.of("Slopes", caption, columns, comparison.slopes)


def _columns(name: str) -> tuple[Column[Slopes], ...]:
    heading, form = _NUMBERS[name]
    return (
        _of(f"{name}_data", f"{heading}: data", form, name, lambda x: x.data),
        _of(f"{name}_data_control", "control", form, name, lambda x: x.control.data if x.control else None),
        _of(f"{name}_predicted", "predicted", form, name, lambda x: x.predicted),
        c.estimate(f"{name}_measured", "measured", lambda x: x.measured(name)),
        _of(f"{name}_control", "control", form, name, lambda x: x.control.predicted if x.control else None),
    )


def _of(key: str, heading: str, form: str, name: str, shape: Callable[[Slopes], Shape | None]) -> Column[Slopes]:
    def value(one: Slopes) -> float:
        found = shape(one)
        return math.nan if found is None else float(getattr(found, name))

    return c.number(key, heading, value, form)
