"""``empirical measure | kernel | doctor``: measurement from the command line."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from meanfield.commands.shared import (
    Activations,
    BiasVariances,
    WeightVariances,
    WidthRatios,
    application,
    network_of,
    run_app,
    spelled,
)
from meanfield.reading import read_inputs
from meanfield.spec import as_metric, positive_integer

if TYPE_CHECKING:
    from empirical.record import Measurement

__all__ = ["app", "main"]

MOST_NETWORKS = 10**5  # all are shown at the end; a sweep of `verify` stores them

app = application("Measurement of real random networks.")


@app.command()
def measure(
    activation: Activations,
    weight_variance: WeightVariances,
    depth: Annotated[int, typer.Option(help="L, the number of weight layers.")],
    width: Annotated[int, typer.Option(help="M.")],
    samples: Annotated[int | None, typer.Option(help="N; may be left out with --inputs.")] = None,
    bias_variance: BiasVariances = ["0"],  # noqa: B006 - typer reads it, nobody changes it
    outputs: Annotated[int, typer.Option(help="C.")] = 1,
    width_ratio: WidthRatios = [],  # noqa: B006
    metric: Annotated[list[str], typer.Option(help="fim, ntk or input_metric; several share one pass.")] = ["fim"],  # noqa: B006
    layer: Annotated[int | None, typer.Option(help="One diagonal block; the whole tensor if not given.")] = None,
    loss: Annotated[str, typer.Option(help="mse or cross_entropy.")] = "mse",
    centered: Annotated[bool, typer.Option("--centered", help="Subtract each output's mean over the samples.")] = False,
    spectrum: Annotated[str, typer.Option(help="moments, extremes or full.")] = "extremes",
    seed: Annotated[int, typer.Option(help="The first network is that of measure(seed=SEED) if TRIALS is 1.")] = 0,
    trials: Annotated[int, typer.Option(help="Networks to draw.")] = 1,
    inputs: Annotated[Path | None, typer.Option(help="The inputs (N, M_0), a .npy or .csv file.")] = None,
    backend: Annotated[str, typer.Option(help="See `empirical doctor`.")] = "numpy",
    dtype: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Draw random networks and measure a metric of each.

    Example: empirical measure --activation tanh --weight-variance 3 --bias-variance 0.64 --depth 3 --outputs 10
    --width 1000 --samples 100
    """
    from empirical.measurement import measure as compute
    from empirical.networks.streams import as_seed

    network = network_of(depth, activation, weight_variance, bias_variance, outputs, width_ratio)
    questions = [as_metric({"family": m, "layer": layer, "loss": loss, "centered": centered}) for m in metric]
    root, count = as_seed(seed), positive_integer("trials", trials)
    if count > MOST_NETWORKS:
        raise ValueError(f"trials: expected at most {MOST_NETWORKS} networks, got {count}")
    seeds = [root] if count == 1 else root.spawn(count)
    asked: dict[str, Any] = {
        "width": width, "samples": samples, "backend": backend, "dtype": dtype, "spectrum": spectrum,
        "inputs": None if inputs is None else read_inputs(inputs),
    }  # fmt: skip
    results: list[list[Measurement]] = []
    try:
        for s in _progress(seeds):
            results.append(compute(network, questions, seed=s, **asked))
    finally:  # what is measured is shown, also where a later network overflows or the user has seen enough
        if results:
            typer.echo(_spelled(results, as_json))


@app.command()
def kernel(
    activation: Activations,
    weight_variance: WeightVariances,
    depth: Annotated[int, typer.Option(help="L, the number of weight layers.")],
    width: Annotated[int, typer.Option(help="M.")],
    inputs: Annotated[Path, typer.Option(help="The inputs (N, M_0), a .npy or .csv file.")],
    out: Annotated[Path, typer.Option(help="The .npy file to write; one that is begun goes on.")],
    bias_variance: BiasVariances = ["0"],  # noqa: B006
    outputs: Annotated[int, typer.Option(help="C.")] = 1,
    width_ratio: WidthRatios = [],  # noqa: B006
    others: Annotated[Path | None, typer.Option(help="Those of the second factor; the same if none.")] = None,
    metric: Annotated[str, typer.Option(help="fim, ntk or input_metric.")] = "ntk",
    layer: Annotated[int | None, typer.Option(help="One diagonal block; the whole tensor if not given.")] = None,
    keep: Annotated[str, typer.Option(help="sum over outputs, each of them, or full.")] = "sum",
    seed: Annotated[int, typer.Option(help="That of measure.")] = 0,
    backend: Annotated[str, typer.Option(help="See `empirical doctor`.")] = "numpy",
    dtype: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
) -> None:
    """Write the kernel of one random network at given inputs to a file, block by block.

    Example: empirical kernel --activation tanh --weight-variance 3 --depth 3 --width 64 --inputs X.npy --out K.npy
    """
    from empirical.kernels.computing import empirical_kernel

    network = network_of(depth, activation, weight_variance, bias_variance, outputs, width_ratio)
    question: dict[str, Any] = {"metric": as_metric({"family": metric, "layer": layer}), "outputs": keep}
    second = None if others is None else read_inputs(others, "others")
    options: dict[str, Any] = {"width": width, "seed": seed, "backend": backend, "dtype": dtype}
    found = empirical_kernel(network, read_inputs(inputs), second, **question, out=out, **options)
    typer.echo(f"{found.plan}\naxes {', '.join(found.axes)}, in {out}")
    for warning in found.warnings:
        typer.echo(f"warning: {warning}")


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Tell which backends can be used here, and why the others can't."""
    from empirical.backends import examine

    found = examine()
    if as_json:
        typer.echo(spelled([p.to_dict() for p in found]))
        return
    for p in found:
        typer.echo(f"{p.backend:<12}{p.code:<16}{p.detail}")


def _spelled(results: Sequence[Sequence[Measurement]], as_json: bool) -> str:
    if as_json:
        return spelled([r.to_dict() for trial in results for r in trial])
    return "\n\n".join(_table(of_metric) for of_metric in zip(*results, strict=True))


def _progress(seeds: Sequence[Any]) -> Any:
    """A bar on a terminal; elsewhere, for several networks, a line every 30 seconds and none before."""
    from tqdm import tqdm

    pause = 0.1 if sys.stderr.isatty() else 30.0
    asked: dict[str, Any] = {"desc": "networks", "unit": "", "leave": False, "mininterval": pause, "maxinterval": pause}
    return tqdm(seeds, disable=len(seeds) == 1 and pause > 1, delay=0.0 if pause < 1 else pause, **asked)


def _table(results: Sequence[Measurement]) -> str:
    """Each statistic: mean over the networks, with its standard error where there are several."""
    first = results[0]
    rows: list[tuple[str, list[float]]] = [
        (name, [getattr(r, name) for r in results])
        for name in ("mean", "second_moment", "largest", "bulk_largest")
        if not math.isnan(getattr(first, name))
    ]
    rows += [(f"outlier {i + 1}", [float(r.outliers[i]) for r in results]) for i in range(len(first.outliers))]
    rows += [
        (
            f"learning rate, {rate.loss.title}, {rate.loss.kind}",
            [float(r.critical_learning_rates[name].value) for r in results],
        )
        for name, rate in first.critical_learning_rates.items()
        if not math.isnan(first.largest)
    ]
    rows += [
        (
            f"{name} l={i + (not name.startswith('forward'))}",
            [float(getattr(r.order_parameters, name)[i]) for r in results],
        )
        for name in first.order_parameters.NAMES
        for i in range(len(first.order_parameters.layers))
    ]
    title = f"{first.metric}: {len(results)} network(s), width {first.width}, samples {first.samples}"
    wide = max(len(name) for name, _ in rows)
    lines = [f"{name:<{wide}}{np.mean(values):>14.6g}{_error(values)}" for name, values in rows]
    notes = [f"warning: {w}" for w in first.warnings]
    return "\n".join([title, *lines, f"{'dimension':<{wide}}{first.dimension:>14}", *notes])


def _error(values: Sequence[float]) -> str:
    return f"  ± {np.std(values, ddof=1) / len(values) ** 0.5:.2g}" if len(values) > 1 else ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``empirical`` and return its exit status: 1 where a network couldn't be measured (it overflowed, say)."""
    try:
        return run_app(app, "empirical", arguments)
    except ArithmeticError as error:
        print(f"empirical: {error}", file=sys.stderr)
        return 1
