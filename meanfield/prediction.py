"""``predict``: network, metric, width and samples in; numbers with their assumptions out."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.asymptotics import asymptotic_exponents
from meanfield.conditions import judge
from meanfield.kernels import ExchangeableKernel, exchangeable_kernel
from meanfield.logits import Ensemble, draw_ensemble, given_logits
from meanfield.recursion import OrderParameters, order_parameters
from meanfield.spec import Metric, MetricLike, Network, as_metric
from meanfield.spectra import Spectrum, softmax_spectrum, spectrum_statistics

if TYPE_CHECKING:
    import pandas

__all__ = ["Prediction", "predict", "usable"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

ASSUMPTIONS = (
    "widths M → ∞ at fixed depth and outputs; one network differs from the mean over networks by a relative order 1/√M",
    "inputs x_i ~ N(0, 1) i.i.d., independent samples",
    "weights and biases independent Gaussians (random initialisation)",
)
LAW_OF_LOGITS = "logits Gaussian over networks; std and interval are the spread that this makes, without finite width's"


@dataclass(frozen=True)
class Prediction:
    """What theory says of one metric of one network (leading order in the width).

    Arrays have the broadcast shape of ``width`` and ``samples`` (numbers are 0-dimensional); ``outliers`` has one more
    axis, descending: C of them for "mse", C - 1 for "cross_entropy", none where ``centered``. NaN means that the theory
    is void there; ``warnings`` says why.

    ``mean`` and ``second_moment`` are Σλ/P and Σλ²/P with P = ``dimension``. ``bulk`` is the mean of the non-zero
    eigenvalues that are no outliers, and their number. ``exponents`` gives, for each statistic, its asymptotic
    exponents in M (at fixed N) and in N (at fixed M). ``critical_learning_rate`` is the local stability edge of
    gradient descent on ``(1/2N) Σ |f - y|²``: 2/λ_max of the FIM, 2N/λ_max of the NTK, ``None`` for other metrics and
    losses. ``condition_number`` is λ_max over the smallest eigenvalue of the whole NTK, M → ∞ at fixed N; ``None`` for
    others. ``bounds`` are those of Theorem 3.3 on the largest, for "cross_entropy". ``error`` estimates the relative
    numerical error. Equations: theory.md §3, §4.

    ``std`` is the spread over networks of each statistic, where the theory gives one (``None`` otherwise): at leading
    order for "cross_entropy" without logits. ``networks`` holds the law behind it, one network a row.
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
    assumptions: tuple[str, ...] = ASSUMPTIONS
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
        from meanfield.intervals import interval

        return interval(self.networks, level, networks)

    def to_dict(self) -> dict[str, Any]:
        """The prediction as JSON-ready plain data; NaN becomes ``None``."""
        from meanfield.tables import prediction_record

        return prediction_record(self)

    def to_frame(self) -> pandas.DataFrame:
        """One row for each width and sample number. Needs pandas."""
        from meanfield.tables import prediction_frame

        return prediction_frame(self)

    def __str__(self) -> str:
        from meanfield.tables import prediction_table

        return prediction_table(self)

    def _repr_html_(self) -> str:
        from meanfield.markup import prediction_html

        return prediction_html(self)

    def _repr_latex_(self) -> str:
        from meanfield.markup import prediction_latex

        return prediction_latex(self)


def predict(
    network: Network,
    metric: MetricLike,
    *,
    width: ArrayLike,
    samples: ArrayLike,
    order: str = "leading",
    logits: ArrayLike | None = None,
) -> Prediction:
    """Predict the eigenvalue statistics of ``metric`` for wide random networks: theory.md §3, §4.

    Parameters
    ----------
    network, metric
        What is asked; the metric as a record such as ``FIM(layer=2)``, a family name or a table of its fields.
    width, samples
        M and N: positive integers or arrays of them, which broadcast.
    order
        ``"leading"`` in the width.
    logits
        The outputs f (N × C) of one network, for the loss "cross_entropy": its outliers instead of means over networks.

    Raises
    ------
    ValueError, TypeError
        For a layer the network lacks, sizes that are no positive integers, an activation whose derivative has no finite
        second moment, order parameters that overflow, a softmax of one output, or logits of another shape.
    """
    metric = as_metric(metric)
    _check(network, metric, order)
    widths, counts = _broadcast(_sizes("width", width), _sizes("samples", samples))
    given = None if logits is None else _logits(logits, network, metric, counts)
    parameters = usable(order_parameters(network))
    kernel_at = functools.partial(_kernel, network, metric, parameters)
    kernel = kernel_at(_layer_widths(network, widths), counts.astype(np.float64))
    spectrum, warnings = judge(metric, kernel, _spectrum(kernel, metric, parameters, given))
    largest = spectrum.outliers[..., 0] if spectrum.outliers.shape[-1] else np.full(widths.shape, np.nan)
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
        critical_learning_rate=_critical_learning_rate(metric, largest, counts),
        condition_number=_condition_number(metric, kernel, largest),
        order_parameters=parameters,
        error=max(parameters.error, spectrum.error),
        bounds=spectrum.bounds,
        networks=None if given is not None else _law(spectrum),
        assumptions=(*ASSUMPTIONS, LAW_OF_LOGITS) if spectrum.networks and given is None else ASSUMPTIONS,
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


def _law(spectrum: Spectrum) -> dict[str, Floats] | None:
    """The law over networks: the statistics of each, NaN where judged void."""
    if spectrum.networks is None:
        return None
    void = {"second_moment": np.isnan(spectrum.second_moment), "outliers": np.isnan(spectrum.outliers)}
    law = {k: np.where(void.get(k, False), np.nan, values) for k, values in spectrum.networks.items()}
    largest = law["outliers"][..., 0] if law["outliers"].shape[-1] else np.full(law["mean"].shape, np.nan)
    return {**law, "largest": largest}


def _critical_learning_rate(metric: Metric, largest: Floats, samples: Integers) -> Floats | None:
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


def _check(network: Network, metric: Metric, order: str) -> None:
    if not isinstance(network, Network):
        raise TypeError(f"network: expected a Network, got {network!r}")
    if order != "leading":
        raise ValueError(f"order: expected 'leading', got {order!r}")
    if metric.loss == "cross_entropy" and network.outputs == 1:
        raise ValueError("outputs: expected at least 2 for cross_entropy, since the softmax of one is constant, got 1")
    metric.check(network)


def usable(parameters: OrderParameters) -> OrderParameters:
    """Refuse order parameters that are not finite: a prediction from them would mean nothing."""
    reasons = {
        "infinite": "activation: expected one without jumps, since E[φ'²] is infinite and with it every gradient",
        "overflow": "weight_variance: expected order parameters below 1e308, got an overflow",
    }
    if parameters.status in reasons:
        raise ValueError(reasons[parameters.status])
    return parameters


def _sizes(field: str, value: ArrayLike) -> NDArray[np.int64]:
    array = np.asarray(value)
    if array.size == 0:
        raise ValueError(f"{field}: expected at least one positive integer, got {value!r}")
    if array.dtype.kind not in "iu":
        raise TypeError(f"{field}: expected positive integers, got {value!r}")
    if array.min() < 1:
        raise ValueError(f"{field}: expected positive integers, got {array.min()}")
    return array.astype(np.int64)


def _logits(value: ArrayLike, network: Network, metric: Metric, samples: Integers) -> Floats:
    if metric.loss != "cross_entropy":
        raise ValueError(f"logits: expected none for the loss {metric.loss!r}, got an array")
    try:
        logits = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"logits: expected an array of numbers, got {type(value).__name__}") from None
    if logits.ndim != 2 or logits.shape[1] != network.outputs or np.any(samples != len(logits)):
        raise ValueError(f"logits: expected the shape (samples, {network.outputs}), got {logits.shape}")
    if not np.all(np.isfinite(logits)):
        raise ValueError("logits: expected finite numbers, got inf or nan")
    return logits


def _layer_widths(network: Network, width: NDArray[np.int64]) -> Floats:
    """M_0..M_L on the first axis."""
    different, which = np.unique(width, return_inverse=True)
    rows = np.array([network.widths(int(m)) for m in different], dtype=np.float64)
    return rows.T[:, which.reshape(width.shape)]


def _broadcast(width: NDArray[np.int64], samples: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    try:
        widths, counts = np.broadcast_arrays(width, samples)
    except ValueError:
        raise ValueError(f"samples: expected a shape that broadcasts with {width.shape}, got {samples.shape}") from None
    return widths, counts
