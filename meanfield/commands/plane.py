"""``meanfield phase``: the plane of initialisations (σ_w², σ_b²), deep networks' phases and one metric's statistics."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from meanfield.commands.patience import patiently
from meanfield.commands.shared import Force, pictures, spelled
from meanfield.files import free
from meanfield.spec.checks import number
from meanfield.text import MOST_ROWS, column_table

if TYPE_CHECKING:
    from meanfield.prediction.grids import PredictionGrid
    from meanfield.propagation.edge import CriticalLine
    from meanfield.propagation.phase import PhaseDiagram

__all__ = ["phase"]

Floats = NDArray[np.float64]

_OF_METRICS = {"learning_rate": "critical_learning_rate", "largest": "largest", "overlap": "overlap"}
_OF_PHASES = {"depth": "correlation_depth", "chi": "chi"}
_NAMES = {"learning_rate": "learning rate of (1/2N) Σ |f - y|²"}
_SHOWN = (*_OF_PHASES, *_OF_METRICS)
_MOST_POINTS = 10**6


def phase(
    activation: Annotated[str, typer.Option(help="A registered activation.")],
    weight_variance: Annotated[str, typer.Option(help="σ_w²: a number, or start:stop:count.")],
    bias_variance: Annotated[str, typer.Option(help="σ_b²: a number, or start:stop:count.")] = "0",
    show: Annotated[
        str,
        typer.Option(
            help="What colours the plane: chi, depth (ξ_c), or of a metric: learning_rate (2/λ_max of the fim, "
            "2N/λ_max of the ntk), largest (λ_max), overlap (K₂/K₁). These need --depth, --width and --samples."
        ),
    ] = "depth",
    depth: Annotated[int | None, typer.Option(help="L, the number of weight layers.")] = None,
    width: Annotated[int | None, typer.Option(help="M.")] = None,
    samples: Annotated[int | None, typer.Option(help="N.")] = None,
    outputs: Annotated[int, typer.Option(help="C.")] = 1,
    metric: Annotated[str, typer.Option(help="fim, ntk or input_metric.")] = "fim",
    plot: Annotated[Path | None, typer.Option(help="Draw the plane into this file (svg, png or pdf).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    force: Force = False,
) -> None:
    """Fixed points, χ_1 and depth scales of deep networks; with ranges, the plane of initialisations.

    Example: meanfield phase --activation tanh --weight-variance 0.5:4:60 --bias-variance 0:1:60 --plot phase.svg

    Example: meanfield phase --activation tanh --weight-variance 0.5:4:60 --bias-variance 0:1:60 --depth 5 --width 1000
    --samples 100 --show learning_rate --plot plane.svg
    """
    from meanfield.propagation.edge import critical_line
    from meanfield.propagation.phase import phase_diagram

    if show not in _SHOWN:
        raise ValueError(f"show: expected one of {', '.join(_SHOWN)}, got {show!r}")
    if plot is not None:
        free("plot", plot, force=force, ours=pictures())
    weight, bias = _numbers("weight_variance", weight_variance), _numbers("bias_variance", bias_variance)
    if weight.size * bias.size > _MOST_POINTS:
        raise ValueError(f"phase: expected at most {_MOST_POINTS} points, got {weight.size} times {bias.size}")
    sizes = {"depth": depth, "width": width, "samples": samples}
    asked = _asked(show, metric, sizes)
    with patiently(f"phases at {weight.size * bias.size} points"):
        diagram = phase_diagram(activation, weight[None, :], bias[:, None])
        line = critical_line(activation, bias)
    with patiently(f"predicting at {weight.size * bias.size} points"):
        grid = _grid(activation, diagram, metric, outputs, sizes) if asked else None
    values = getattr(grid, _OF_METRICS[show]) if grid else getattr(diagram, _OF_PHASES[show])
    if plot is not None:
        from meanfield.figures.phase import plot_phase

        with patiently("drawing"):
            plot_phase(grid or diagram, show, plot)
    if as_json:
        typer.echo(spelled(_plain(diagram, line, show, values, grid)))
        return
    typer.echo(_table(diagram, show, values if grid else None))
    typer.echo(_edges(line))
    if grid is not None:
        typer.echo(_summary(grid, show, values))
    if plot is not None:
        typer.echo(f"wrote {plot}")


def _asked(show: str, metric: str, sizes: dict[str, int | None]) -> bool:
    """Whether a metric's statistic is asked for; then everything that it needs is there."""
    if show not in _OF_METRICS:
        return False
    for name, value in sizes.items():
        if value is None:
            raise ValueError(f"{name}: expected --{name} for --show {show}, got none")
    if show == "learning_rate" and metric == "input_metric":
        raise ValueError(f"metric: expected fim or ntk for --show learning_rate, got {metric!r}")
    return True


def _grid(activation: str, diagram: PhaseDiagram, metric: str, outputs: int, sizes: dict[str, Any]) -> PredictionGrid:
    from meanfield.prediction.grids import predict_grid

    return predict_grid(activation, diagram.weight_variance, diagram.bias_variance, metric, outputs=outputs, **sizes)


def _table(diagram: PhaseDiagram, show: str, values: Floats | None) -> str:
    """A row for each point; the phases counted where they are many."""
    from meanfield.propagation.phase import COLUMNS

    if values is None or diagram.phase.size > MOST_ROWS:
        words = "\n(--json prints all points)" if diagram.phase.size > MOST_ROWS else ""
        return f"{diagram}{words}"
    columns = {title: getattr(diagram, name) for name, title in COLUMNS.items()}
    return "\n".join([str(column_table("", {**columns, _NAMES.get(show, show): values}, digits=6)), *diagram._notes()])


def _summary(grid: PredictionGrid, show: str, values: Floats) -> str:
    """From where to where the statistic goes, how many points are void, and why."""
    words = f"{_NAMES.get(show, show)} ({grid.setting}): "
    known = np.isfinite(values)
    if np.any(known):
        ends = (np.argmin(np.where(known, values, np.inf)), np.argmax(np.where(known, values, -np.inf)))
        words += " to ".join(
            f"{values.flat[i]:.6g} at ({grid.weight_variance.flat[i]:g}, {grid.bias_variance.flat[i]:g})" for i in ends
        )
        words += "; "
    words += (
        f"void at {np.sum(np.isnan(values))} of {values.size} points; relative error {grid.error:.1g}, {grid.status}"
    )
    reasons = [f"  {reason}" for reason in grid.warnings] if np.any(np.isnan(values)) else []
    return "\n".join([words, *reasons])


def _plain(
    diagram: PhaseDiagram, line: CriticalLine, show: str, values: Floats, grid: PredictionGrid | None
) -> dict[str, Any]:
    from meanfield.propagation.phase import COLUMNS

    columns = {name: np.broadcast_to(getattr(diagram, name), diagram.phase.shape) for name in COLUMNS}
    record = {k: _without_nan(v.tolist()) for k, v in columns.items()}
    record["edge_of_chaos"] = _without_nan(np.ravel(line.weight_variance).tolist())
    record["largest_bounded"] = _without_nan(np.ravel(line.largest_bounded).tolist())
    record |= {"table_error": diagram.error, "table_status": diagram.status}
    if grid is None:
        return record
    setting = {name: getattr(grid, name) for name in ("depth", "width", "samples", "outputs")}
    shown: dict[str, Any] = {
        "metric": grid.metric.label,
        **setting,
        show: _without_nan(values.tolist()),
        "error": grid.error,
        "status": grid.status,
    }
    if show == "learning_rate":
        rates = grid.critical_learning_rates
        shown["critical_learning_rates"] = {
            name: {**rate.to_dict(), "value": _without_nan(rate.value.tolist())} for name, rate in rates.items()
        }
    return {**record, **shown, "void": int(np.sum(np.isnan(values))), "warnings": list(grid.warnings)}


def _numbers(field: str, text: str) -> Floats:
    parts = text.split(":")
    try:
        numbers = [number(field, float(x), 0.0) for x in parts[:2]]
        if len(parts) == 1:
            return np.array(numbers)
        if len(parts) == 3 and 1 <= int(parts[2]) <= _MOST_POINTS:
            return np.linspace(numbers[0], numbers[1], int(parts[2]))
    except ValueError as error:
        if str(error).startswith(f"{field}: "):
            raise
    if len(parts) == 3 and len(parts[2]) > 6 and parts[2].isdigit():
        raise ValueError(f"{field}: expected a count of at most {_MOST_POINTS}, got one of {len(parts[2])} digits")
    raise ValueError(f"{field}: expected a number or start:stop:count, got {text!r}")


def _edges(line: CriticalLine) -> str:
    """The edge at the ends of the range of σ_b²; where there is none, why, and what stays bounded."""
    every = list(zip(np.ravel(line.bias_variance), np.ravel(line.weight_variance), strict=True))
    found = [f"σ_w² = {w:.6g} at σ_b² = {b:g}" for b, w in every[:: max(len(every) - 1, 1)] if np.isfinite(w)]
    words = ["edge of chaos: " + (", ".join(found) or "none")]
    without = [place for place, (_, w) in enumerate(every) if not np.isfinite(w)]
    if without:
        words += [f"no edge at σ_b² = {every[without[0]][0]:g}: {line.why_none(without[0])}"]
    return "\n".join(words)


def _without_nan(value: Any) -> Any:
    """JSON has neither NaN nor infinity: the first becomes null, the second a word."""
    if isinstance(value, list):
        return [_without_nan(v) for v in value]
    if isinstance(value, str) or np.isfinite(value):
        return value
    return "inf" if value > 0 else None
