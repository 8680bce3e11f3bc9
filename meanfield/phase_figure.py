"""The phase diagram as a figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from meanfield.phase import PhaseDiagram

__all__ = ["draw_phase_diagram"]


def draw_phase_diagram(diagram: PhaseDiagram, edge: NDArray[np.float64], title: str, path: Path) -> None:
    """Draw log10 of the depth scale ξ_c over (σ_w², σ_b²) with the edge of chaos, into ``path``.

    ``diagram`` has σ_b² on its first axis and σ_w² on its second; ``edge`` is σ_w² at the edge for each σ_b².

    Raises
    ------
    ValueError
        If the grid has fewer than two points on an axis, or the file's ending names no format matplotlib writes.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    if min(diagram.chi.shape) < 2:
        raise ValueError("plot: expected ranges start:stop:count of at least 2 points for both variances")
    weight, bias = diagram.weight_variance[0], diagram.bias_variance[:, 0]
    figure = Figure(figsize=(5.6, 4.0), layout="constrained")
    axes = figure.add_subplot()
    depth = np.log10(np.clip(diagram.correlation_depth, 0.1, 1e3))
    image = axes.pcolormesh(weight, bias, depth, cmap="cividis", shading="gouraud", rasterized=True)
    figure.colorbar(image, label="log₁₀ ξ_c (layers)")
    axes.plot(edge, bias, color="white", linewidth=2)
    axes.plot(edge, bias, color="black", linewidth=1, linestyle="--", label="edge of chaos, χ₁ = 1")
    axes.set(xlim=(weight[0], weight[-1]), ylim=(bias[0], bias[-1]), xlabel="σ_w²", ylabel="σ_b²", title=title)
    axes.legend(loc="upper left", framealpha=0.9)
    with rc_context({"svg.hashsalt": "meanfield"}):
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)
