"""The whole spectrum as a table for people, from plain data."""

from __future__ import annotations

from collections.abc import Sequence

from meanfield.text import Table

__all__ = ["density_table"]


def density_table(
    title: str,
    *,
    edges: Sequence[tuple[str, float]],
    quantiles: Sequence[tuple[float, float]],
    mean: float,
    outliers: Sequence[tuple[float, float]],
) -> Table:
    """Edges with their kinds, quantiles with their shares, mean and outliers with their spreads."""
    rows = [[f"edge ({kind})", f"{x:.5g}", ""] for kind, x in edges]
    rows += [[f"quantile {share:g}", f"{x:.5g}", ""] for share, x in quantiles]
    rows += [["mean of the bulk", f"{mean:.5g}", ""]]
    rows += [[f"outlier {k}", f"{x:.5g}", f"{spread:.2g}"] for k, (x, spread) in enumerate(outliers, 1)]
    return Table(title, ["", "eigenvalue", "std"], rows)
