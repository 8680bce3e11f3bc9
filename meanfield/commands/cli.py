"""``meanfield predict | spectrum | derive | kernel | phase | activations``: the theory from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from meanfield.commands.inspection import activations, derive
from meanfield.commands.kernel import kernel
from meanfield.commands.patience import patiently
from meanfield.commands.plane import phase
from meanfield.commands.shared import (
    Activations,
    BiasVariances,
    Force,
    WeightVariances,
    WidthRatios,
    application,
    listed,
    network_of,
    one_or_all,
    pictures,
    run_app,
    spelled,
)
from meanfield.files import free
from meanfield.reading import read_inputs, read_json
from meanfield.spec import OrderParameters, as_metric

if TYPE_CHECKING:
    from meanfield.prediction.answer import Prediction

__all__ = ["app", "main"]

app = application("Mean-field theory of wide random networks.")


@app.command()
def predict(
    activation: Activations,
    weight_variance: WeightVariances,
    depth: Annotated[list[str], typer.Option(help="L, the number of weight layers; or several.", metavar="<ints>")],
    width: Annotated[list[str], typer.Option(help="M; or several: 128,256.", metavar="<ints>")],
    samples: Annotated[
        list[str], typer.Option(help="N; or several. That of the inputs if not given.", metavar="<ints>")
    ] = [],  # noqa: B006 - typer reads it, nobody changes it
    bias_variance: BiasVariances = ["0"],  # noqa: B006
    outputs: Annotated[int, typer.Option(help="C.")] = 1,
    width_ratio: WidthRatios = [],  # noqa: B006
    metric: Annotated[str, typer.Option(help="fim, ntk or input_metric.")] = "fim",
    layer: Annotated[int | None, typer.Option(help="One diagonal block; the whole tensor if not given.")] = None,
    loss: Annotated[str, typer.Option(help="mse or cross_entropy.")] = "mse",
    order: Annotated[str, typer.Option(help="leading, or refined by 1/M with the spread over networks.")] = "leading",
    centered: Annotated[bool, typer.Option("--centered", help="Subtract each output's mean over the samples.")] = False,
    inputs: Annotated[
        Path | None, typer.Option(help="Your own: a .npy or .csv file (samples, features), for all eigenvalues.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: an object, or a list for several depths.")
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(help="Write a figure against width or depth, or of all eigenvalues on your inputs, to this file."),
    ] = None,
    force: Force = False,
) -> None:
    """Predict mean, second moment and outliers of a metric's spectrum.

    Example: meanfield predict --activation tanh --weight-variance 3 --bias-variance 0.64 --depth 3 --outputs 10
    --width 1000 --samples 100
    """
    from meanfield.prediction.asking import predict as compute

    given = "gaussian" if inputs is None else read_inputs(inputs)
    if inputs is None and not samples:
        raise ValueError("samples: expected N, or --inputs with the samples themselves, got neither")
    question = as_metric({"family": metric, "layer": layer, "loss": loss, "centered": centered})
    asked = {"depth": depth, "width": width, "samples": samples}
    depths, widths, counts = (listed(name, texts, int) for name, texts in asked.items())
    networks = [network_of(each, activation, weight_variance, bias_variance, outputs, width_ratio) for each in depths]
    if plot is not None:
        free("plot", plot, force=force, ours=pictures())
        if len(counts) > 1:
            raise ValueError(f"plot: expected one number of samples, got {len(counts)}")
    sizes = one_or_all(widths), one_or_all(counts) if counts else None
    if len(widths) > 1 and len(counts) > 1:  # every width with every number of samples
        sizes = np.array(widths)[:, None], np.array(counts)
    with patiently("predicting"):
        answers = [
            compute(network, question, width=sizes[0], samples=sizes[1], order=order, inputs=given)
            for network in networks
        ]
    if plot is not None:
        _draw(answers, plot)
    records = [answer.to_dict() for answer in answers]
    titled = zip(depths, answers, strict=True)
    texts = [str(a) if len(depths) == 1 else f"depth {d}\n{a}" for d, a in titled]
    typer.echo(spelled(one_or_all(records)) if as_json else "\n\n".join(texts))


@app.command()
def spectrum(
    activation: Activations,
    weight_variance: WeightVariances,
    depth: Annotated[int, typer.Option(help="L, the number of weight layers.")],
    width: Annotated[int, typer.Option(help="M.")],
    samples: Annotated[int | None, typer.Option(help="N; that of the inputs if not given.")] = None,
    bias_variance: BiasVariances = ["0"],  # noqa: B006
    outputs: Annotated[int, typer.Option(help="C.")] = 1,
    width_ratio: WidthRatios = [],  # noqa: B006
    metric: Annotated[str, typer.Option(help="fim or ntk.")] = "fim",
    layer: Annotated[int | None, typer.Option(help="One diagonal block; the whole tensor if not given.")] = None,
    centered: Annotated[bool, typer.Option("--centered", help="Subtract each output's mean over the samples.")] = False,
    limit: Annotated[bool, typer.Option("--limit", help="Leave the finite-size terms out.")] = False,
    kernels: Annotated[
        Path | None, typer.Option(help="One network's, for its spectrum: the JSON of empirical measure --json.")
    ] = None,
    inputs: Annotated[Path | None, typer.Option(help="Your own: a .npy or .csv file (samples, features).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Write a figure of the density to this file.")] = None,
    force: Force = False,
) -> None:
    """Predict the whole spectrum of a metric: the bulk's edges and quantiles, and the outliers.

    Example: meanfield spectrum --activation tanh --weight-variance 3 --bias-variance 0.64 --depth 3 --width 1000
    --samples 500
    """
    from meanfield.bulk.whole import spectrum as compute

    x = None if inputs is None else read_inputs(inputs)
    network = network_of(depth, activation, weight_variance, bias_variance, outputs, width_ratio)
    question = as_metric({"family": metric, "layer": layer, "centered": centered})
    if plot is not None:
        free("plot", plot, force=force, ours=pictures())
    own = None if kernels is None else _kernels(kernels)
    with patiently("solving for the spectrum"):
        answer = compute(network, question, width=width, samples=samples, finite_size=not limit, kernels=own, inputs=x)
    if plot is not None:
        from meanfield.figures.density import plot_density

        plot_density(answer, plot)
    typer.echo(spelled(answer.to_dict()) if as_json else str(answer))


def _draw(answers: list[Prediction], path: Path) -> None:
    """All eigenvalues where they are known, else statistics against what was asked for several of."""
    from meanfield.figures.eigenvalues import plot_eigenvalues
    from meanfield.figures.scaling import plot_predictions

    first = answers[0]
    if len(answers) == 1 and first.eigenvalues is not None and first.eigenvalues.ndim == 1:
        plot_eigenvalues(first, path)
    else:
        plot_predictions(answers, path)


for command in (derive, kernel, phase, activations):
    app.command()(command)


def _kernels(path: Path) -> OrderParameters:
    """The order parameters of the first measurement in a file."""
    try:
        records = read_json(path)
        return OrderParameters.of((records[0] if isinstance(records, list) else records)["order_parameters"])
    except (OSError, ValueError, LookupError, TypeError):
        raise ValueError(f"kernels: expected the JSON of `empirical measure --json`, got {str(path)!r}") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``meanfield`` and return its exit status."""
    return run_app(app, "meanfield", arguments)
