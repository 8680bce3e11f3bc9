"""The plane of initialisations (σ_w², σ_b²) as a figure, with its phases and the edge of chaos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from meanfield.figures.saving import canvas
from meanfield.figures.titles import BIAS, WEIGHT
from meanfield.prediction.grids import PredictionGrid
from meanfield.propagation.edge import edge_of_chaos
from meanfield.propagation.phase import PhaseDiagram, phase_diagram

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["SCALES", "plot_phase"]

Floats = NDArray[np.float64]

_ROOM = 0.06  # of the plane's points a phase needs on its shorter side for its name to be written there


@dataclass(frozen=True)
class Scale:
    """How a quantity becomes colour: whose it is, its attribute there, its name on the bar, log10 or not, what is cut
    off, and the share of the points at either end that has the colour of that end."""

    of: type[PhaseDiagram] | type[PredictionGrid]
    attribute: str
    label: str
    logarithmic: bool = True
    lowest: float = 0.0
    highest: float = np.inf
    ends: float = 0.0


SCALES = {
    "depth": Scale(PhaseDiagram, "correlation_depth", r"$\log_{10}\, \xi_c$ (layers)", lowest=0.1, highest=1e3),
    "chi": Scale(PhaseDiagram, "chi", r"$\log_{10}\, \chi_1$"),
    "learning_rate": Scale(
        PredictionGrid,
        "critical_learning_rate",
        r"$\log_{10}$ critical learning rate of $\frac{1}{2N} \sum |f - y|^2$",
        ends=0.01,
    ),
    "largest": Scale(PredictionGrid, "largest", r"$\log_{10}\, \lambda_{\max}$", ends=0.01),
    "overlap": Scale(PredictionGrid, "overlap", "$K_2 / K_1$", logarithmic=False),
}


def plot_phase(
    plane: PhaseDiagram | PredictionGrid, show: str = "", path: str | Path | None = None, *, ax: Axes | None = None
) -> Figure:
    """Draw one quantity over (σ_w², σ_b²), with the edge of chaos and the names of the phases.

    Parameters
    ----------
    plane
        From :func:`meanfield.phase_diagram` or :func:`meanfield.predict_grid`, with σ_b² on its first axis and σ_w² on
        its second.
    show
        "depth" (ξ_c, the default) or "chi" of a phase diagram; "learning_rate" (the default), "largest" or "overlap" of
        a grid of predictions.
    path
        Where to write the figure, if anywhere; the suffix says the format.
    ax
        What to draw on instead of a new figure.

    Returns
    -------
    The figure. White are the points at which there is nothing to show; the legend says why.

    Raises
    ------
    ValueError
        If the plane has fewer than two points on an axis, is no grid, or has no finite value; for a quantity that it
        doesn't have, a format that matplotlib does not know, or a file that can't be written.
    """
    values, scale = _shown(plane, show)
    weight, bias = _axes(plane)
    colour = _colour(values, scale)
    if not np.any(np.isfinite(colour)):
        raise ValueError(f"plot: expected {scale.attribute} to be finite at some point, got none of {colour.size}")
    diagram = plane if isinstance(plane, PhaseDiagram) else _diagram(plane)
    along = bias[0] + (bias[-1] - bias[0]) * np.linspace(0, 1, 100) ** 2  # the edge is steepest at small σ_b²
    edge = edge_of_chaos(plane.activation, along)
    with canvas((5.8, 4.4), path, ax) as (figure, (axes,)):
        _draw_colour(figure, axes, (weight, bias, colour), scale)
        axes.plot(edge, along, color="white", linewidth=2)
        axes.plot(edge, along, color="black", linewidth=1, linestyle="--", label=r"edge of chaos, $\chi_1 = 1$")
        _name_phases(axes, diagram, weight, bias)
        axes.set(xlim=(weight[0], weight[-1]), ylim=(bias[0], bias[-1]), xlabel=WEIGHT, ylabel=BIAS)
        setting = plane.setting if isinstance(plane, PredictionGrid) else "deep networks"
        axes.set_title(f"{plane.activation}: {setting}", fontsize="medium")
        if void := _void(colour, diagram):
            axes.plot([], [], "s", markerfacecolor="white", markeredgecolor="black", label=void)
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.12), "ncols": 2, "frameon": False}  # off the lines
        axes.legend(**place if ax is None else {"loc": "best"})  # on axes of somebody's there may be no room below
    return figure


def _shown(plane: PhaseDiagram | PredictionGrid, show: str) -> tuple[Floats, Scale]:
    names = [name for name, scale in SCALES.items() if isinstance(plane, scale.of)]
    if show and show not in names:
        raise ValueError(f"show: expected one of {', '.join(names)}, got {show!r}")
    scale = SCALES[show or names[0]]
    values = getattr(plane, scale.attribute)
    if values is None:
        raise ValueError(f"show: expected what the metric has, got {show or names[0]!r} of the input metric or a block")
    return np.asarray(values, float), scale


def _axes(plane: PhaseDiagram | PredictionGrid) -> tuple[Floats, Floats]:
    """σ_w² and σ_b² along the axes."""
    weight, bias = np.broadcast_arrays(plane.weight_variance, plane.bias_variance)
    if weight.ndim != 2 or min(weight.shape) < 2:
        raise ValueError("plot: expected ranges start:stop:count of at least 2 points for both variances")
    if np.ptp(weight, axis=0).any() or np.ptp(bias, axis=1).any():
        raise ValueError("plot: expected a grid with σ_b² on its first axis and σ_w² on its second")
    return weight[0], bias[:, 0]


def _diagram(grid: PredictionGrid) -> PhaseDiagram:
    return phase_diagram(grid.activation, grid.weight_variance, grid.bias_variance)


def _colour(values: Floats, scale: Scale) -> Floats:
    """What is drawn: NaN where there is nothing finite to say."""
    kept = np.clip(values, scale.lowest, scale.highest)
    with np.errstate(divide="ignore"):
        colour = np.log10(kept) if scale.logarithmic else kept
    return np.where(np.isfinite(colour), colour, np.nan)


def _draw_colour(figure: Figure, axes: Axes, plane: tuple[Floats, Floats, Floats], scale: Scale) -> None:
    colour = plane[2]
    limits = np.nanquantile(colour, [scale.ends, 1 - scale.ends]) if scale.ends else (None, None)
    smooth = bool(np.all(np.isfinite(colour)))  # gouraud shading would spread a void point over its neighbours
    shading: Literal["gouraud", "nearest"] = "gouraud" if smooth else "nearest"
    image = axes.pcolormesh(*plane, cmap="cividis", vmin=limits[0], vmax=limits[1], shading=shading, rasterized=True)
    figure.colorbar(image, ax=axes, label=scale.label, extend="both" if scale.ends else None)


def _name_phases(axes: Axes, diagram: PhaseDiagram, weight: Floats, bias: Floats) -> None:
    """Each phase's name at the point of it that is farthest from all others, if there is room."""
    from matplotlib.patheffects import withStroke
    from scipy.ndimage import distance_transform_edt

    rows, columns = diagram.phase.shape
    for name in ("ordered", "chaotic", "unbounded", "unknown"):
        inside = np.pad(diagram.phase == name, 1)
        depth = distance_transform_edt(inside, sampling=(1 / rows, 1 / columns))[1:-1, 1:-1]
        if np.max(depth) < _ROOM:
            continue
        row, column = np.unravel_index(np.argmax(depth), depth.shape)
        effects = [withStroke(linewidth=2.5, foreground="white")]
        axes.text(weight[column], bias[row], name, ha="center", va="center", path_effects=effects)


def _void(colour: Floats, diagram: PhaseDiagram) -> str:
    """Why points are white, if any are."""
    white = ~np.isfinite(colour)
    if not np.any(white):
        return ""
    running = white & (diagram.phase == "unbounded")
    return "no fixed point: the variance runs away" if np.all(running == white) else "void, or no finite value"
