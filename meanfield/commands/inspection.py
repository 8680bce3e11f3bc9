"""The commands that show parts of the theory: ``meanfield derive | phase | activations``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from meanfield.commands.shared import writable
from meanfield.spec.activations import Activation, activation_names, as_activation
from meanfield.text import format_table

__all__ = ["activations", "derive", "phase"]

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(help="A registered activation, such as gelu or leaky_relu(0.2).")]


def derive(
    activation: Name,
    latex: Annotated[bool, typer.Option("--latex", help="Print the recursion as a LaTeX fragment (amsmath).")] = False,
    as_json: Json = False,
) -> None:
    """Derive the closed forms of an activation's order parameters, in q and q_st.

    Example: meanfield derive gelu
    """
    from meanfield.symbolic.derivation import derive as derivation

    d = derivation(activation)
    if latex:
        typer.echo(d.latex())
    elif as_json:
        forms = {k: getattr(d, k) for k in ("mean", "forward", "forward_st", "backward", "backward_st")}
        plain = {k: None if v is None else str(v) for k, v in forms.items()}
        typer.echo(json.dumps({"activation": str(d.activation), **plain, "reason": d.reason}, ensure_ascii=False))
    else:
        typer.echo(str(d))


def phase(
    activation: Annotated[str, typer.Option(help="A registered activation.")],
    weight_variance: Annotated[str, typer.Option(help="σ_w²: a number, or start:stop:count.")],
    bias_variance: Annotated[str, typer.Option(help="σ_b²: a number, or start:stop:count.")] = "0",
    plot: Annotated[Path | None, typer.Option(help="Draw the phase diagram into this file (svg, png or pdf).")] = None,
    as_json: Json = False,
) -> None:
    """Fixed points, χ_1 and depth scales of deep networks; with ranges, the phase diagram.

    Example: meanfield phase --activation tanh --weight-variance 0.5:4:60 --bias-variance 0:1:60 --plot phase.svg
    """
    from meanfield.propagation.phase import edge_of_chaos, phase_diagram

    if plot is not None:
        writable("plot", plot)
    weight, bias = _numbers("weight_variance", weight_variance), _numbers("bias_variance", bias_variance)
    diagram = phase_diagram(activation, weight[None, :], bias[:, None])
    edge = edge_of_chaos(activation, bias)
    if plot is not None:
        from meanfield.figures.phase import draw_phase_diagram

        draw_phase_diagram(diagram, activation, plot)
    if as_json:
        typer.echo(json.dumps(_plain_diagram(diagram, edge)))
        return
    header = ("σ_w²", "σ_b²", "phase", "q*", "c*", "χ_1", "ξ_q", "ξ_c")
    columns = [np.ravel(getattr(diagram, name)) for name in _COLUMNS]
    if columns[0].size <= _MOST_ROWS:
        rows = [[x if isinstance(x, str) else f"{x:.6g}" for x in row] for row in zip(*columns, strict=True)]
        typer.echo(format_table(header, rows))
    else:
        names, counts = np.unique(diagram.phase, return_counts=True)
        found = ", ".join(f"{c} {n}" for n, c in zip(names, counts, strict=True))
        typer.echo(f"{columns[0].size} points: {found} (--json prints them all)")
    typer.echo("edge of chaos: " + ", ".join(f"σ_w² = {w:.6g} at σ_b² = {b:g}" for w, b in _ends(edge, bias)))
    if plot is not None:
        typer.echo(f"wrote {plot}")


def activations(as_json: Json = False) -> None:
    """List the registered activations.

    Example: meanfield activations
    """
    rows = [_described(as_activation(name)) for name in activation_names()]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    header = ("name", "formula", "closed form", "centred", "φ(0)", "E φ", "smoothness")
    words = [
        [
            r["name"],
            r["formula"],
            "yes" if r["closed_form"] else "",
            "yes" if r["centred"] else "",
            f"{r['at_zero']:.4g}",
            f"{r['mean']:.4g}",
            r["smoothness"],
        ]
        for r in rows
    ]
    typer.echo(format_table(header, words))
    typer.echo(
        "E φ at variance 1. Closed form: of E[φφ] and E[φ'φ'] for two inputs. Centred: odd, so that Eφ = 0 always."
    )


_COLUMNS = (
    "weight_variance", "bias_variance", "phase", "variance", "correlation", "chi", "variance_depth",
    "correlation_depth",
)  # fmt: skip
_MOST_ROWS = 60


def _described(activation: Activation) -> dict[str, Any]:
    from meanfield.gaussian.closed import closed_form
    from meanfield.gaussian.mean import activation_mean

    return {
        "name": activation.name,
        "formula": activation.text,
        "closed_form": closed_form(activation) is not None,
        "centred": activation.parity == -1,
        "at_zero": float(activation.function()(np.zeros(1))[0]),
        "mean": activation_mean(activation, 1.0)[0],
        "smoothness": _smoothness(activation),
    }


def _smoothness(activation: Activation) -> str:
    def at(points: tuple[float, ...]) -> str:
        return ", ".join(f"{x:g}" for x in points)

    if activation.jumps:
        return f"jump at {at(activation.jumps)}"
    if activation.kinks:
        return f"kink at {at(activation.kinks)}"
    return f"C¹, bends at {at(activation.breakpoints)}" if activation.breakpoints else "analytic"


def _numbers(field: str, text: str) -> NDArray[np.float64]:
    parts = text.split(":")
    try:
        numbers = [float(x) for x in parts[:2]]
        if len(parts) == 1:
            return np.array(numbers)
        if len(parts) == 3 and int(parts[2]) >= 1:
            return np.linspace(numbers[0], numbers[1], int(parts[2]))
    except ValueError:
        pass
    raise ValueError(f"{field}: expected a number or start:stop:count, got {text!r}")


def _ends(edge: NDArray[np.float64], bias: NDArray[np.float64]) -> list[tuple[float, float]]:
    pairs = list(zip(np.ravel(edge).tolist(), bias.tolist(), strict=True))
    return pairs if len(pairs) == 1 else [pairs[0], pairs[-1]]


def _plain_diagram(diagram: Any, edge: NDArray[np.float64]) -> dict[str, Any]:
    columns = {name: np.broadcast_to(getattr(diagram, name), diagram.phase.shape) for name in _COLUMNS}
    plain = {k: _without_nan(v.tolist()) for k, v in columns.items()}
    return {**plain, "edge_of_chaos": _without_nan(np.ravel(edge).tolist())}


def _without_nan(value: Any) -> Any:
    """JSON has neither NaN nor infinity: the first becomes null, the second a word."""
    if isinstance(value, list):
        return [_without_nan(v) for v in value]
    if isinstance(value, str) or np.isfinite(value):
        return value
    return "inf" if value > 0 else None
