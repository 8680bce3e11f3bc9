"""``predict``: network, metric, width and samples in; numbers with their assumptions out."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.kernels.exchangeable import ExchangeableKernel, exchangeable_kernel
from meanfield.kernels.logits import Ensemble, draw_ensemble, given_logits
from meanfield.leading.asymptotics import asymptotic_exponents
from meanfield.leading.conditions import judge
from meanfield.leading.spectra import Spectrum, softmax_spectrum, spectrum_statistics
from meanfield.prediction.arguments import broadcast_sizes, check_question, layer_widths, sizes, usable_logits
from meanfield.propagation.inputs import Inputs, as_inputs
from meanfield.propagation.recursion import order_parameters, usable
from meanfield.spec import Metric, MetricLike, Network, OrderParameters, as_metric

if TYPE_CHECKING:
    import pandas

    from meanfield.finite_width.validity import Validity

__all__ = ["Prediction", "critical_learning_rate", "predict"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_WIDTH = {
    "leading": "widths M → ∞ at fixed depth and outputs; one network differs from the mean over networks by a relative "
    "order 1/√M",
    "refined": "widths M large against depth and outputs: relative corrections of order 1/M are in, those of order "
    "1/M² are not; std and interval are the spread over networks",
}
_DATA = {
    True: "inputs x_i ~ N(0, 1) i.i.d., independent samples",
    False: "given inputs of equal norms, whose overlaps differ little; the spread over networks is without theirs",
}
_RANDOM = "weights and biases independent Gaussians (random initialisation)"
LAW_OF_LOGITS = "logits Gaussian over networks; std and interval are the spread that this makes, without finite width's"


@dataclass(frozen=True)
class Prediction:
    """What theory says of one metric of one network, to leading order in the width or refined by 1/M.

    Arrays have the broadcast shape of ``width`` and ``samples`` (numbers are 0-dimensional); ``outliers`` has one more
    axis, descending: C of them for "mse", C - 1 for "cross_entropy", none where ``centered``. NaN means that the theory
    is void there; ``warnings`` says why.

    ``mean`` and ``second_moment`` are Σλ/P and Σλ²/P with P = ``dimension``. ``bulk`` is the mean of the non-zero
    eigenvalues that are no outliers, and their number. ``exponents`` gives, for each statistic, its asymptotic
    exponents in M (at fixed N) and in N (at fixed M). ``critical_learning_rate`` is the local stability edge of
    gradient descent on ``(1/2N) Σ |f - y|²``: 2/λ_max of the FIM, 2N/λ_max of the NTK, ``None`` for other metrics and
    losses. ``condition_number`` is λ_max over the smallest eigenvalue of the whole NTK, M → ∞ at fixed N; ``None`` for
    others and at the refined order. ``bounds`` are those of Theorem 3.3 on the largest, for "cross_entropy". ``error``
    estimates the relative numerical error. Equations: theory.md §3, §4.

    ``std`` is the spread over networks of each statistic, where the theory gives one (``None`` otherwise): at the
    refined order, and at leading order for "cross_entropy" without logits. ``networks`` holds the law behind it, one
    network a row (with more than 28 outputs fewer rows of outliers than of mean and second moment). At the refined
    order statistics are means over networks, and ``validity`` says where they hold, with the numbers behind the verdict
    (``None`` at leading order); outliers that don't are NaN, and all is where the moments lost their digits.
    """

    network: Network
    metric: Metric
    width: Integers
    samples: Integers
    mean: Floats
    second_moment: Floats
    largest: Floats
    outliers: Floats
    bulk: tuple[Floats, Integers]
    dimension: Integers
    exponents: Mapping[str, tuple[float, float]]
    critical_learning_rate: Floats | None
    condition_number: Floats | None
    order_parameters: OrderParameters
    error: float
    order: str = "leading"
    bounds: tuple[Floats, Floats] | None = None
    networks: Mapping[str, Floats] | None = field(default=None, repr=False)
    validity: Validity | None = None
    assumptions: tuple[str, ...] = (_WIDTH["leading"], _DATA[True], _RANDOM)
    warnings: tuple[str, ...] = field(default=())

    @property
    def std(self) -> dict[str, Floats] | None:
        """Standard deviation over networks of mean, second_moment, largest and outliers; ``None`` if unknown."""
        if self.networks is None:
            return None
        return {name: values.std(axis=0, ddof=1)[()] for name, values in self.networks.items()}

    def interval(self, level: float = 0.95, networks: int = 1) -> dict[str, Floats] | None:
        """Where the mean of so many networks lies with probability ``level``: arrays (..., 2); ``None`` if unknown.

        Quantiles of the law for one network, the normal approximation for more.

        Raises
        ------
        ValueError, TypeError
            If ``level`` is not between 0 and 1 or ``networks`` no positive integer.
        """
        from meanfield.prediction.intervals import interval

        return interval(self.networks, level, networks)

    def to_dict(self) -> dict[str, Any]:
        """The prediction as JSON-ready plain data; NaN becomes ``None``."""
        from meanfield.prediction.tables import prediction_record

        return prediction_record(self)

    def to_frame(self) -> pandas.DataFrame:
        """One row for each width and sample number. Needs pandas."""
        from meanfield.prediction.tables import prediction_frame

        return prediction_frame(self)

    def __str__(self) -> str:
        from meanfield.prediction.tables import prediction_table

        return prediction_table(self)

    def _repr_html_(self) -> str:
        from meanfield.prediction.markup import prediction_html

        return prediction_html(self)


def predict(
    network: Network,
    metric: MetricLike,
    *,
    width: ArrayLike,
    samples: ArrayLike,
    order: str = "leading",
    logits: ArrayLike | None = None,
    data: str | ArrayLike = "gaussian",
) -> Prediction:
    """Predict the eigenvalue statistics of ``metric`` for wide random networks: theory.md §3, §4, finite_width.md.

    Parameters
    ----------
    network, metric
        What is asked; the metric as a record such as ``FIM(layer=2)``, a family name or a table of its fields.
    width, samples
        M and N: positive integers or arrays of them, which broadcast.
    order
        ``"leading"`` in the width, or ``"refined"`` by 1/M: means over networks, with their spread (with
        "cross_entropy" neither centred nor from given logits).
    logits
        The outputs f (N × C) of one network, for the loss "cross_entropy": its outliers instead of means over networks.
    data
        ``"gaussian"``: inputs drawn anew with each network. ``"fixed"``: given ones, orthogonal and of norm² M_0. Or
        the Gram matrix X Xᵀ/M_0 (N × N) of given inputs with equal norms; the leading order knows its mean overlap,
        the refined one the overlaps' deviations from it too.

    Raises
    ------
    ValueError, TypeError
        For a layer the network lacks, sizes that are no positive integers, an activation whose derivative has no finite
        second moment, order parameters that overflow, a softmax of one output, or logits of another shape.
    """
    metric = as_metric(metric)
    check_question(network, metric, order, logits is not None)
    widths, counts = broadcast_sizes(sizes("width", width), sizes("samples", samples))
    given = None if logits is None else usable_logits(logits, network, metric, counts)
    inputs = as_inputs(data, counts)
    parameters = usable(order_parameters(network, norm=inputs.norm, overlap=inputs.overlap))
    kernel_at = functools.partial(_kernel, network, metric, parameters)
    layers = layer_widths(network, widths)
    kernel = kernel_at(layers, counts.astype(np.float64))
    validity = None
    if order == "refined":
        spectrum, validity, warnings = _refined(network, metric, parameters, kernel, layers, inputs)
    else:
        spectrum, warnings = judge(metric, kernel, _spectrum(kernel, metric, parameters, given))
    largest = spectrum.outliers[..., 0] if spectrum.outliers.shape[-1] else np.full(widths.shape, np.nan)
    assumptions = (_WIDTH[order], _DATA[inputs.random], _RANDOM)
    of_logits = metric.loss == "cross_entropy" and given is None and order == "leading"
    return Prediction(
        network=network,
        metric=metric,
        width=widths[()],
        samples=counts[()],
        mean=spectrum.mean[()],
        second_moment=spectrum.second_moment[()],
        largest=largest[()],
        outliers=spectrum.outliers,
        bulk=(spectrum.bulk[()], spectrum.multiplicity.astype(np.int64)[()]),
        dimension=kernel.dimension.astype(np.int64)[()],
        exponents=asymptotic_exponents(network, metric, kernel_at, counts),
        critical_learning_rate=critical_learning_rate(metric, largest, counts),
        condition_number=_condition_number(metric, kernel, largest) if order == "leading" else None,
        order_parameters=parameters,
        error=max(parameters.error, spectrum.error),
        order=order,
        bounds=spectrum.bounds,
        networks=None if given is not None else _law(spectrum),
        validity=validity,
        assumptions=(*assumptions, LAW_OF_LOGITS) if of_logits else assumptions,
        warnings=warnings,
    )


def _kernel(
    network: Network, metric: Metric, parameters: OrderParameters, widths: Floats, samples: Floats
) -> ExchangeableKernel:
    kernel = exchangeable_kernel(network, metric, parameters, widths, samples)
    return kernel.centered() if metric.centered else kernel


def _spectrum(
    kernel: ExchangeableKernel, metric: Metric, parameters: OrderParameters, logits: Floats | None
) -> Spectrum:
    if metric.loss == "mse":
        return spectrum_statistics(kernel)

    def ensemble(samples: int) -> Ensemble:
        if logits is not None:
            return given_logits(logits, metric.centered)
        return draw_ensemble(parameters, kernel.outputs, samples, metric.centered)

    return softmax_spectrum(kernel, ensemble)


def _refined(
    network: Network,
    metric: Metric,
    parameters: OrderParameters,
    kernel: ExchangeableKernel,
    widths: Floats,
    inputs: Inputs,
) -> tuple[Spectrum, Validity, tuple[str, ...]]:
    if metric.loss == "mse":
        from meanfield.finite_width.refined import refine as refined
    else:
        from meanfield.finite_width.softmax_law import refine_softmax as refined
    return refined(network, metric, parameters, kernel, widths, inputs)


def _law(spectrum: Spectrum) -> dict[str, Floats] | None:
    """The law over networks: the statistics of each, NaN where judged void."""
    if spectrum.networks is None:
        return None
    void = {name: np.isnan(getattr(spectrum, name)) for name in spectrum.networks}
    law = {k: np.where(void[k], np.nan, values) for k, values in spectrum.networks.items()}
    largest = law["outliers"][..., 0] if law["outliers"].shape[-1] else np.full(law["mean"].shape, np.nan)
    return {**law, "largest": largest}


def critical_learning_rate(metric: Metric, largest: Floats, samples: Integers) -> Floats | None:
    """Of gradient descent on (1/2N) Σ |f - y|²: 2/λ_max in the parameterisation whose metric is asked."""
    scales = {"fim": np.ones(()), "ntk": samples.astype(np.float64)}
    if metric.family not in scales or metric.loss != "mse" or metric.layer is not None or metric.centered:
        return None
    with np.errstate(divide="ignore"):  # a metric that is zero bears every learning rate
        return (2 * scales[metric.family] / largest)[()]


def _condition_number(metric: Metric, kernel: ExchangeableKernel, largest: Floats) -> Floats | None:
    """λ_max/λ_min of Θ, whose other eigenvalues are all K₁ - K₂ as M → ∞ at fixed N: theory.md §3."""
    if metric.family != "ntk" or metric.loss != "mse" or metric.layer is not None or metric.centered:
        return None
    smallest = np.where(kernel.samples > 1, kernel.normaliser * kernel.gap, largest)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (largest / smallest)[()]
