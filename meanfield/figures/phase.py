"""The phase diagram as a figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from meanfield.figures.saving import saved_figure
from meanfield.propagation.phase import PhaseDiagram, edge_of_chaos
from meanfield.spec import ActivationLike
from meanfield.spec.activations import as_activation

__all__ = ["draw_phase_diagram"]


def draw_phase_diagram(diagram: PhaseDiagram, activation: ActivationLike, path: Path) -> None:
    """Draw log10 of the depth scale ξ_c over (σ_w², σ_b²) with the edge of chaos, into ``path``.

    ``diagram`` is one of ``activation``, with σ_b² on its first axis and σ_w² on its second.

    Raises
    ------
    ValueError
        If the grid has fewer than two points on an axis, or the file's ending names no format matplotlib writes.
    """
    if min(diagram.chi.shape) < 2:
        raise ValueError("plot: expected ranges start:stop:count of at least 2 points for both variances")
    weight, bias = diagram.weight_variance[0], diagram.bias_variance[:, 0]
    along = bias[0] + (bias[-1] - bias[0]) * np.linspace(0, 1, 100) ** 2  # the edge is steepest at small σ_b²
    edge = edge_of_chaos(activation, along)
    depth = np.log10(np.clip(diagram.correlation_depth, 0.1, 1e3))
    with saved_figure(path, (5.6, 4.0)) as figure:
        axes = figure.add_subplot()
        image = axes.pcolormesh(weight, bias, depth, cmap="cividis", shading="gouraud", rasterized=True)
        figure.colorbar(image, label="log₁₀ ξ_c (layers)")
        axes.plot(edge, along, color="white", linewidth=2)
        axes.plot(edge, along, color="black", linewidth=1, linestyle="--", label="edge of chaos, χ₁ = 1")
        axes.set(xlim=(weight[0], weight[-1]), ylim=(bias[0], bias[-1]), xlabel="σ_w²", ylabel="σ_b²")
        axes.set_title(as_activation(activation).name)
        axes.legend(loc="upper left", framealpha=0.9)
