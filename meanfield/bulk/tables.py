"""The whole spectrum as a table for people, as plain data and as a figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from meanfield.prediction.tables import format_table, plain

if TYPE_CHECKING:
    from meanfield.bulk.law import SpectralDensity

__all__ = ["QUANTILES", "density_record", "density_table", "draw_density", "plot_density"]

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


def density_record(density: SpectralDensity) -> dict[str, Any]:
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


def plot_density(density: SpectralDensity, path: str | Path, eigenvalues: Any = None) -> None:
    """Write :func:`draw_density` as a figure; the file's suffix says the format.

    Raises
    ------
    ValueError, OSError
        For a format that matplotlib does not know, a file that can't be written, or a law whose density was not found.
    """
    import matplotlib
    from matplotlib.backend_bases import FigureCanvasBase
    from matplotlib.figure import Figure

    from meanfield.figures.scaling import STYLE

    if np.isnan(density.quantile(1.0)):
        raise ValueError(f"plot: expected a law whose density was found, got {density.status}")
    known = FigureCanvasBase.get_supported_filetypes()
    if Path(path).suffix[1:].lower() not in known:
        raise ValueError(f"plot: expected a file name ending in .{', .'.join(sorted(known))}, got {str(path)!r}")
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.6, 3.2), layout="constrained")
        axes = figure.subplots()
        draw_density(axes, density, eigenvalues)
        axes.set_title(density.metric.label)
        figure.savefig(path, metadata={"Date": None} if str(path).endswith("svg") else None)


def draw_density(axes: Any, density: SpectralDensity, eigenvalues: Any = None) -> None:
    """Draw the bulk's density per unit of log λ with its edges (dotted) and outliers (with their spread), over the
    histogram of one network's non-zero ``eigenvalues`` where they are given."""
    d = density
    low = max(d.lower, 1e-4 * d.upper)
    x = np.geomspace(low, d.upper, 402)[1:-1]
    if eigenvalues is not None:
        top = max(float(np.max(eigenvalues)), d.upper)
        bins = np.geomspace(low / 1.1, top * 1.01, 90)
        counts, _ = np.histogram(eigenvalues, bins)
        axes.stairs(counts / d.multiplicity / np.diff(np.log(bins)), bins, fill=True, alpha=0.35, label="one network")
    axes.plot(x, x * d.density(x), label="theory")
    for edge in d.edges:
        if edge.position > 0:
            axes.axvline(edge.position, linewidth=0.8, linestyle=":", color="black")
    for value, spread in zip(d.outliers.values, d.outliers.std, strict=True):
        axes.axvline(value, linewidth=0.8, color="C3")
        axes.axvspan(value - spread, value + spread, alpha=0.15, color="C3", linewidth=0)
    axes.set(xscale="log", xlabel=r"eigenvalue $\lambda$", ylabel=r"$\lambda$ × density")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize="small")
