"""The plane of initialisations (σ_w², σ_b²) as a figure, with the edge of chaos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from meanfield.figures.saving import saved_figure
from meanfield.propagation.edge import edge_of_chaos
from meanfield.propagation.phase import PhaseDiagram
from meanfield.spec import ActivationLike
from meanfield.spec.activations import as_activation

__all__ = ["SCALES", "draw_plane"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """How a quantity becomes colour: its name on the bar, log10 or not, what is cut off, and the share of the points at
    either end that has the colour of that end."""

    label: str
    logarithmic: bool = True
    lowest: float = 0.0
    highest: float = np.inf
    ends: float = 0.0


SCALES = {
    "depth": Scale("log₁₀ ξ_c (layers)", lowest=0.1, highest=1e3),
    "chi": Scale("log₁₀ χ₁"),
    "learning_rate": Scale("log₁₀ critical learning rate of (1/2N) Σ |f - y|²", ends=0.01),
    "largest": Scale("log₁₀ λ_max", ends=0.01),
    "overlap": Scale("K₂ / K₁", logarithmic=False),
}


def draw_plane(
    diagram: PhaseDiagram, values: Floats, show: str, activation: ActivationLike, path: Path, setting: str = ""
) -> None:
    """Draw ``values`` over (σ_w², σ_b²), white where they are NaN, with the edge of chaos, into ``path``.

    ``diagram`` is one of ``activation``, with σ_b² on its first axis and σ_w² on its second, as have ``values``;
    ``show`` is their name in ``SCALES``, and ``setting`` what else the title says.

    Raises
    ------
    ValueError
        If the grid has fewer than two points on an axis or none that is finite, or the file's ending names no format
        that matplotlib writes.
    """
    if min(diagram.chi.shape) < 2:
        raise ValueError("plot: expected ranges start:stop:count of at least 2 points for both variances")
    weight, bias = diagram.weight_variance[0], diagram.bias_variance[:, 0]
    along = bias[0] + (bias[-1] - bias[0]) * np.linspace(0, 1, 100) ** 2  # the edge is steepest at small σ_b²
    edge = edge_of_chaos(activation, along)
    colour = _colour(values, SCALES[show])
    if not np.any(np.isfinite(colour)):
        raise ValueError(f"plot: expected {show} to be finite at some point, got none of {colour.size}")
    scale = SCALES[show]
    limits = np.nanquantile(colour, [scale.ends, 1 - scale.ends]) if scale.ends else (None, None)
    smooth = bool(np.all(np.isfinite(colour)))  # gouraud shading would spread a void point over its neighbours
    with saved_figure(path, (5.6, 4.0)) as figure:
        axes = figure.add_subplot()
        image = axes.pcolormesh(
            weight,
            bias,
            colour,
            cmap="cividis",
            vmin=limits[0],
            vmax=limits[1],
            shading="gouraud" if smooth else "nearest",
            rasterized=True,
        )
        figure.colorbar(image, label=scale.label, extend="both" if scale.ends else None)
        axes.plot(edge, along, color="white", linewidth=2)
        axes.plot(edge, along, color="black", linewidth=1, linestyle="--", label="edge of chaos, χ₁ = 1")
        axes.set(xlim=(weight[0], weight[-1]), ylim=(bias[0], bias[-1]), xlabel="σ_w²", ylabel="σ_b²")
        name = as_activation(activation).name
        if setting:
            axes.set_title(f"{name}: {setting}", fontsize="medium")
        else:
            axes.set_title(name)
        axes.legend(loc="upper left", framealpha=0.9)


def _colour(values: Floats, scale: Scale) -> Floats:
    """What is drawn: NaN where there is nothing finite to say."""
    kept = np.clip(values, scale.lowest, scale.highest)
    with np.errstate(divide="ignore"):
        colour = np.log10(kept) if scale.logarithmic else kept
    return np.where(np.isfinite(colour), colour, np.nan)
