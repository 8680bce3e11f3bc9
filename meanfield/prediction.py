"""``predict``: network, metric, width and samples in; numbers with their assumptions out."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.conditions import Judged, judge
from meanfield.kernels import ExchangeableKernel, exchangeable_kernel
from meanfield.recursion import OrderParameters, order_parameters
from meanfield.spec import Metric, Network
from meanfield.spectra import Spectrum, spectrum_statistics

if TYPE_CHECKING:
    import pandas

__all__ = ["Prediction", "predict"]

Floats = NDArray[np.float64]

ASSUMPTIONS = (
    "widths M → ∞ at fixed depth and outputs; one network differs from the mean over networks by a relative order 1/√M",
    "inputs x_i ~ N(0, 1) i.i.d., independent samples",
    "weights and biases independent Gaussians (random initialisation)",
)


@dataclass(frozen=True)
class Prediction:
    """What theory says of one metric of one network (leading order in the width).

    Arrays have the broadcast shape of ``width`` and ``samples`` (numbers are 0-dimensional); ``outliers`` has one more
    axis, of length C, descending. NaN means that the theory is void there; ``warnings`` says why.

    ``mean`` and ``second_moment`` are Σλ/P and Σλ²/P with P = ``dimension``. ``bulk`` is the mean of the non-zero
    eigenvalues that are no outliers, and their number. ``exponents`` gives, for each statistic, its asymptotic
    exponents in M (at fixed N) and in N (at fixed M). ``critical_learning_rate`` is the local stability edge of
    gradient descent on ``(1/2N) Σ |f - y|²``: 2/λ_max of the FIM, 2N/λ_max of the NTK, ``None`` for other metrics.
    ``error`` estimates the relative numerical error of the order parameters. Equations: theory.md §3.
    """

    network: Network
    metric: Metric
    width: NDArray[np.int64]
    samples: NDArray[np.int64]
    mean: Floats
    second_moment: Floats
    largest: Floats
    outliers: Floats
    bulk: tuple[Floats, NDArray[np.int64]]
    dimension: NDArray[np.int64]
    exponents: Mapping[str, tuple[float, float]]
    critical_learning_rate: Floats | None
    order_parameters: OrderParameters
    error: float
    order: str = "leading"
    bounds: tuple[Floats, Floats] | None = None
    assumptions: tuple[str, ...] = ASSUMPTIONS
    warnings: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """The prediction as JSON-ready plain data; NaN becomes ``None``."""
        return {
            "network": self.network.to_dict(),
            "metric": self.metric.to_dict(),
            "order": self.order,
            "width": self.width.tolist(),
            "samples": self.samples.tolist(),
            "dimension": self.dimension.tolist(),
            "mean": _plain(self.mean),
            "second_moment": _plain(self.second_moment),
            "largest": _plain(self.largest),
            "outliers": _plain(self.outliers),
            "bulk": {"mean": _plain(self.bulk[0]), "multiplicity": self.bulk[1].tolist()},
            "exponents": {k: {"width": _plain(m), "samples": _plain(n)} for k, (m, n) in self.exponents.items()},
            "critical_learning_rate": None
            if self.critical_learning_rate is None
            else _plain(self.critical_learning_rate),
            "error": self.error,
            "assumptions": list(self.assumptions),
            "warnings": list(self.warnings),
        }

    def to_frame(self) -> pandas.DataFrame:
        """One row for each width and sample number. Needs pandas."""
        import pandas

        columns = {
            "width": self.width, "samples": self.samples, "dimension": self.dimension, "mean": self.mean,
            "second_moment": self.second_moment, "largest": self.largest, "bulk": self.bulk[0],
        }  # fmt: skip
        return pandas.DataFrame({name: np.ravel(values) for name, values in columns.items()})

    def __str__(self) -> str:
        from meanfield.tables import prediction_table

        return prediction_table(self)


def predict(
    network: Network, metric: Metric, *, width: ArrayLike, samples: ArrayLike, order: str = "leading"
) -> Prediction:
    """Predict the eigenvalue statistics of ``metric`` for wide random networks: theory.md §3.

    Parameters
    ----------
    network, metric
        What is asked.
    width, samples
        M and N: positive integers or arrays of them, which broadcast.
    order
        ``"leading"`` in the width.

    Raises
    ------
    ValueError, TypeError
        For a layer the network lacks, sizes that are no positive integers, an activation whose derivative has no finite
        second moment, or order parameters that overflow.
    """
    _check(network, metric, order)
    widths, counts = _broadcast(_sizes("width", width), _sizes("samples", samples))
    parameters = _usable(order_parameters(network))
    solve = functools.partial(_solve, network, metric, parameters)
    kernel, spectrum, judged = solve(_layer_widths(network, widths), counts.astype(np.float64))
    return Prediction(
        network=network,
        metric=metric,
        width=widths[()],
        samples=counts[()],
        mean=spectrum.mean[()],
        second_moment=judged.second_moment[()],
        largest=judged.outlier[()],
        outliers=np.repeat(judged.outlier[..., None], 0 if metric.centered else network.outputs, axis=-1),
        bulk=(spectrum.bulk[()], spectrum.multiplicity.astype(np.int64)[()]),
        dimension=kernel.dimension.astype(np.int64)[()],
        exponents=_exponents(solve, network, counts),
        critical_learning_rate=_critical_learning_rate(metric, judged.outlier, counts),
        order_parameters=parameters,
        error=parameters.error,
        warnings=judged.warnings,
    )


def _solve(
    network: Network, metric: Metric, parameters: OrderParameters, widths: Floats, samples: Floats
) -> tuple[ExchangeableKernel, Spectrum, Judged]:
    kernel = exchangeable_kernel(network, metric, parameters, widths, samples)
    kernel = kernel.centered() if metric.centered else kernel
    spectrum = spectrum_statistics(kernel)
    return kernel, spectrum, judge(metric, kernel, spectrum)


def _exponents(
    solve: Callable[[Floats, Floats], tuple[ExchangeableKernel, Spectrum, Judged]],
    network: Network,
    samples: NDArray[np.int64],
) -> dict[str, tuple[float, float]]:
    """Asymptotic exponents in M at fixed N and in N at fixed M: the slopes of the formulas themselves, far out."""
    ratios = np.array([*network.width_ratios, 0.0])[:, None]
    outputs = np.array([*[0.0] * network.depth, network.outputs])[:, None]
    one_two = np.array([1.0, 2.0])
    in_width = solve(ratios * 2.0**40 * one_two + outputs, np.full(2, float(samples.max())))
    in_samples = solve(ratios * 2.0**20 * np.ones(2) + outputs, 2.0**60 * one_two)

    def of(solution: tuple[ExchangeableKernel, Spectrum, Judged]) -> dict[str, Floats]:
        _, spectrum, judged = solution
        return {"mean": spectrum.mean, "second_moment": judged.second_moment, "largest": judged.outlier}

    far = zip(of(in_width).items(), of(in_samples).values(), strict=True)
    return {name: (_slope(wide), _slope(many)) for (name, wide), many in far}


def _slope(pair: Floats) -> float:
    if not (np.all(np.isfinite(pair)) and np.all(pair > 0)):
        return math.nan
    return round(math.log2(pair[1] / pair[0]), 3) + 0.0


def _critical_learning_rate(metric: Metric, outlier: Floats, samples: NDArray[np.int64]) -> Floats | None:
    """Of gradient descent on (1/2N) Σ |f - y|²: 2/λ_max in the parameterisation whose metric is asked."""
    scales = {"fim": np.ones(()), "ntk": samples.astype(np.float64)}
    if metric.family not in scales or metric.layer is not None or metric.centered:
        return None
    with np.errstate(divide="ignore"):  # a metric that is zero bears every learning rate
        return (2 * scales[metric.family] / outlier)[()]


def _check(network: Network, metric: Metric, order: str) -> None:
    if not isinstance(network, Network):
        raise TypeError(f"network: expected a Network, got {network!r}")
    if not isinstance(metric, Metric):
        raise TypeError(f"metric: expected a metric such as FIM(), got {metric!r}")
    if order != "leading":
        raise ValueError(f"order: expected 'leading', got {order!r}")
    if metric.loss != "mse":
        raise ValueError(f"loss: expected 'mse', got {metric.loss!r}")
    metric.check(network)


def _usable(parameters: OrderParameters) -> OrderParameters:
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
    if array.size == 0 or array.dtype.kind not in "iu":
        raise TypeError(f"{field}: expected positive integers, got {value!r}")
    if array.min() < 1:
        raise ValueError(f"{field}: expected positive integers, got {array.min()}")
    return array.astype(np.int64)


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


def _plain(values: Any) -> Any:
    """Numbers for JSON, which has no NaN."""
    if isinstance(values, list):
        return [_plain(v) for v in values]
    if hasattr(values, "tolist"):
        return _plain(values.tolist())
    return values if math.isfinite(values) else None
