"""The whole spectrum as a table for people and as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meanfield.text import format_table, plain

if TYPE_CHECKING:
    from meanfield.bulk.law import SpectralDensity

__all__ = ["QUANTILES", "density_record", "density_table"]

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_MOMENTS = 4


def density_table(density: SpectralDensity) -> str:
    """Edges, outliers and quantiles, then status and warnings."""
    d = density
    rows = [[f"edge ({e.kind})", f"{e.position:.5g}", ""] for e in d.edges]
    rows += [[f"quantile {p:g}", f"{x:.5g}", ""] for p, x in zip(QUANTILES, d.quantile(QUANTILES), strict=True)]
    rows += [["mean of the bulk", f"{d.mean:.5g}", ""]]
    found = zip(d.outliers.values, d.outliers.std, strict=True)
    rows += [[f"outlier {k}", f"{x:.5g}", f"{s:.2g}"] for k, (x, s) in enumerate(found, 1)]
    lines = [
        f"{d.metric.label}, width {d.width}, samples {d.samples}: {d.multiplicity} eigenvalues in the bulk",
        format_table(["", "eigenvalue", "std"], rows),
    ]
    lines += [f"atom at zero: {d.atom:.5g} of the bulk"] if d.atom else []
    lines += [f"and {d.zeros} zeros of the metric, exactly"] if d.zeros else []
    lines += [] if d.status == "ok" else [f"status: {d.status}"]
    return "\n".join(lines + [f"warning: {w}" for w in d.warnings])


def density_record(density: SpectralDensity) -> dict[str, object]:
    """JSON-ready plain data; NaN becomes ``None``."""
    d = density
    return {
        "network": d.network.to_dict(),
        "metric": d.metric.to_dict(),
        "width": d.width,
        "samples": d.samples,
        "edges": [{"position": plain(e.position), "kind": e.kind} for e in d.edges],
        "atom": d.atom,
        "zeros": d.zeros,
        "multiplicity": d.multiplicity,
        "mean": d.mean,
        "moments": plain(d.moments(_MOMENTS)),
        "quantiles": {f"{p:g}": plain(x) for p, x in zip(QUANTILES, d.quantile(QUANTILES), strict=True)},
        "outliers": {"mean": plain(d.outliers.values), "std": plain(d.outliers.std)},
        "status": d.status,
        "residual": plain(d.residual),
        "mass_error": plain(d.mass_error),
        "warnings": list(d.warnings),
    }
