"""Plain-text tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from meanfield.prediction import Prediction

__all__ = ["format_table", "prediction_table"]


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned to the right, the first to the left."""
    widths = [max(len(str(row[i])) for row in (header, *rows)) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        return "  ".join(cells).rstrip()

    return "\n".join([line(header), "  ".join("-" * w for w in widths), *map(line, rows)])


def prediction_table(prediction: Prediction) -> str:
    """One row for each width and sample number, then exponents and warnings."""
    statistics = ("mean", "second_moment", "largest")
    header = ("width", "samples", *statistics, "outliers", "bulk", "dimension")
    columns = [
        np.ravel(x)
        for x in (
            prediction.width, prediction.samples, *(getattr(prediction, s) for s in statistics), prediction.bulk[0],
            prediction.dimension,
        )
    ]  # fmt: skip
    count = str(prediction.outliers.shape[-1])
    rows = [
        [str(m), str(n), *(f"{x:.5g}" for x in values), count, f"{bulk:.5g}", str(p)]
        for m, n, *values, bulk, p in zip(*columns, strict=True)
    ]
    exponents = ", ".join(f"{k} M^{_power(m)} N^{_power(n)}" for k, (m, n) in prediction.exponents.items())
    lines = [f"{prediction.metric.label}, {prediction.order} order", format_table(header, rows)]
    lines += [f"exponents: {exponents}", *(f"warning: {w}" for w in prediction.warnings)]
    return "\n".join(lines)


def _power(exponent: float) -> str:
    return "?" if np.isnan(exponent) else f"{exponent:g}"
