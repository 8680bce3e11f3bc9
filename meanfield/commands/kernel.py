"""``meanfield kernel``: the wide network's kernel of your own inputs, in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meanfield.commands.shared import (
    Activations,
    BiasVariances,
    Force,
    WeightVariances,
    WidthRatios,
    network_of,
    spelled,
)

__all__ = ["kernel"]


def kernel(
    activation: Activations,
    weight_variance: WeightVariances,
    depth: Annotated[int, typer.Option(help="L, the number of weight layers.")],
    inputs: Annotated[Path, typer.Option(help="Your own: a .npy or .csv file (samples, features).")],
    out: Annotated[Path, typer.Option(help="The .npy file for K.")],
    others: Annotated[
        Path | None, typer.Option(help="Other samples: the rows of K are then the inputs, its columns these.")
    ] = None,
    bias_variance: BiasVariances = ["0"],  # noqa: B006 - typer reads it, nobody changes it
    width: Annotated[int | None, typer.Option(help="M, for fim and input_metric.")] = None,
    width_ratio: WidthRatios = [],  # noqa: B006
    metric: Annotated[str, typer.Option(help="ntk, nngp, fim or input_metric.")] = "ntk",
    layer: Annotated[int | None, typer.Option(help="One diagonal block; the whole tensor if not given.")] = None,
    centered: Annotated[bool, typer.Option("--centered", help="Subtract the mean over the samples.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    force: Force = False,
) -> None:
    """Write the kernel K(X, X), or K(X*, X), of a wide random network for your own inputs.

    Example: meanfield kernel --activation relu --weight-variance 2 --depth 3 --inputs X.npy --out K.npy
    """
    from meanfield.kernels.matrix import given_kernel
    from meanfield.reading import read_inputs

    network = network_of(depth, activation, weight_variance, bias_variance, 1, width_ratio)
    question = metric if metric == "nngp" else {"family": metric, "layer": layer, "centered": centered}
    rows, columns = read_inputs(inputs), None if others is None else read_inputs(others, "others")
    made = given_kernel(network, rows, columns, metric=question, width=width, out=out, force=force)
    record = {"out": str(out), **made.to_dict()}
    typer.echo(spelled(record) if as_json else f"{made}\nK in {out}, ν = {made.normaliser:g}")
