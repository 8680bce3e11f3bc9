"""The plane of initialisations: one metric's statistics for every pair of variances (σ_w², σ_b²) at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.kernels.setting import Setting
from meanfield.prediction.arguments import check_question, sizes
from meanfield.prediction.asking import largest_of
from meanfield.prediction.orders import ORDERS
from meanfield.propagation.recursion import order_parameters, order_parameters_grid, usable, variance_grid
from meanfield.spec import (
    ActivationLike,
    CriticalRate,
    Metric,
    MetricLike,
    Network,
    OrderParameters,
    as_metric,
    critical_learning_rates,
    own_rate,
)
from meanfield.spec.activations import Activation, as_activation
from meanfield.text import Table, Tabled, column_table

__all__ = ["PredictionGrid", "predict_grid"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PredictionGrid(Tabled):
    """What theory says of one metric over a grid of variances, to leading order in the width.

    Arrays have the shape to which the variances broadcast. NaN means that the theory is void there; ``warnings`` says
    why.

    Parameters
    ----------
    activation
        φ.
    weight_variance, bias_variance
        σ_w² and σ_b².
    metric, depth, width, samples, outputs
        What was asked: L, M, N and C are the same at all points.
    mean, second_moment, largest
        Σλ/P, Σλ²/P and λ_max, as of :class:`meanfield.Prediction`.
    overlap
        K₂/K₁ of the kernel (theory.md §3): how much of a sample's own entry two different samples share.
    critical_learning_rates
        By loss, as of :class:`meanfield.Prediction`; empty for metrics that gradient descent doesn't feel.
    error, status
        Of the order parameters, as of :class:`meanfield.OrderParameters`: the largest error of all points, and the
        first status that is not ``"ok"``.
    """

    activation: Activation
    weight_variance: Floats
    bias_variance: Floats
    metric: Metric
    depth: int
    width: int
    samples: int
    outputs: int
    mean: Floats
    second_moment: Floats
    largest: Floats
    overlap: Floats
    critical_learning_rates: Mapping[str, CriticalRate]
    error: float
    status: str
    warnings: tuple[str, ...] = ()

    @property
    def critical_learning_rate(self) -> Floats | None:
        """That of (1/2N) Σ |f - y|²: 2/λ_max of the whole FIM, 2N/λ_max of the whole NTK; ``None`` for others."""
        return own_rate(self.metric, self.critical_learning_rates)

    @property
    def setting(self) -> str:
        """The metric and the sizes, in words."""
        return f"{self.metric.label}, L = {self.depth}, M = {self.width}, N = {self.samples}, C = {self.outputs}"

    def _tables(self) -> Iterable[Table]:
        names = ("mean", "second_moment", "largest", "overlap")
        columns = {"σ_w²": self.weight_variance, "σ_b²": self.bias_variance}
        columns |= {name: getattr(self, name) for name in names}
        columns |= {f"learning rate, {r.loss.title}": r.value for r in self.critical_learning_rates.values()}
        yield column_table(f"{self.activation}: {self.setting}", columns)

    def _notes(self) -> Iterable[str]:
        yield f"relative error {self.error:.1g}, {self.status}"
        yield from (f"warning: {w}" for w in self.warnings)


def predict_grid(
    activation: ActivationLike,
    weight_variance: ArrayLike,
    bias_variance: ArrayLike,
    metric: MetricLike,
    *,
    depth: int,
    width: int,
    samples: int,
    outputs: int = 1,
) -> PredictionGrid:
    """:func:`meanfield.predict` for arrays of variances, which broadcast; the rest is the same for all.

    Order parameters come from one table (:func:`meanfield.order_parameters_grid`), and where that ends, one by one.

    Raises
    ------
    ValueError, TypeError
        As ``Network`` and ``predict`` do; ValueError for the loss "cross_entropy".
    """
    metric = as_metric(metric)
    if metric.loss != "mse":
        raise ValueError(f"metric.loss: expected mse on a grid, got {metric.loss!r}")
    weights, biases = variance_grid(weight_variance, bias_variance)
    widths, counts = (sizes(name, value) for name, value in (("width", width), ("samples", samples)))
    if widths.ndim or counts.ndim:
        raise ValueError(f"width, samples: expected one of each on a grid, got {widths.tolist()}, {counts.tolist()}")
    table = order_parameters_grid(activation, depth, weights, biases)
    arrays = {name: np.full(weights.shape, np.nan) for name in ("mean", "second_moment", "largest", "overlap")}
    reasons: dict[str, None] = {}
    error, status = 0.0, "ok"
    for index, parameters in _points(table, weights.shape):
        network = Network(depth, activation, float(weights[index]), float(biases[index]), outputs=outputs)
        check_question(network, metric, "leading")
        try:
            parameters = usable(parameters if np.all(np.isfinite(parameters.q)) else order_parameters(network))
        except ValueError as void:
            if parameters.status == "infinite":
                raise
            reasons |= {
                f"void at σ_w² = {network.weight_variance[0]:g}, σ_b² = {network.bias_variance[0]:g}: {void}": None
            }
            continue
        error, status = max(error, parameters.error), parameters.status if status == "ok" else status
        setting = Setting.of(network, metric, parameters, widths, counts)
        statistics, warnings = _statistics(setting)
        reasons |= dict.fromkeys(warnings)
        for name, value in statistics.items():
            arrays[name][index] = np.nan if value is None else value
    return PredictionGrid(
        activation=as_activation(activation),
        weight_variance=weights,
        bias_variance=biases,
        metric=metric,
        depth=depth,
        width=int(widths),
        samples=int(counts),
        outputs=outputs,
        **arrays,
        critical_learning_rates=critical_learning_rates(metric, {"mse": arrays["largest"]}, counts, outputs),
        error=error,
        status=status,
        warnings=tuple(reasons),
    )


def _statistics(setting: Setting) -> tuple[dict[str, Floats | None], tuple[str, ...]]:
    """Those of one network, and why some are void."""
    spectrum, _, warnings = ORDERS["leading"].find(setting, None)
    kernel, largest = setting.kernel, largest_of(spectrum.outliers)
    return {
        "mean": spectrum.mean,
        "second_moment": spectrum.second_moment,
        "largest": largest,
        "overlap": kernel.other / kernel.same if kernel.same > 0 else None,
    }, warnings


def _points(table: OrderParameters, shape: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], OrderParameters]]:
    """Each point of a grid, with its own order parameters."""
    status = "ok" if table.status == "overflow" else table.status  # a point beyond the table is integrated by itself
    for index in np.ndindex(shape):
        layers = [replace(x, **{f.name: getattr(x, f.name)[index] for f in fields(x)}) for x in table.layers]
        yield index, OrderParameters(tuple(layers), table.error, status)
