"""The commands that show parts of the theory: ``meanfield derive | activations``."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import typer

from meanfield.commands.patience import patiently
from meanfield.commands.shared import spelled
from meanfield.spec.activations import Activation, activation_names, as_activation
from meanfield.text import format_table

__all__ = ["activations", "derive"]

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

    with patiently("deriving"):
        d = derivation(activation)
    if latex:
        typer.echo(d.latex())
    elif as_json:
        forms = {k: getattr(d, k) for k in ("mean", "forward", "forward_st", "backward", "backward_st")}
        plain = {k: None if v is None else str(v) for k, v in forms.items()}
        typer.echo(spelled({"activation": str(d.activation), **plain, "reason": d.reason}))
    else:
        typer.echo(str(d))


def activations(as_json: Json = False) -> None:
    """List the registered activations.

    Example: meanfield activations
    """
    rows = [_described(as_activation(name)) for name in activation_names()]
    if as_json:
        typer.echo(spelled(rows))
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
    if activation.cusps:
        return f"cusp at {at(activation.cusps)}"
    if activation.kinks:
        return f"kink at {at(activation.kinks)}"
    return f"C¹, bends at {at(activation.breakpoints)}" if activation.breakpoints else "analytic"
