"""The leading order's spectrum refined by 1/M: one cell (layer widths, samples) after the other, then stacked.

Network and metric give the weight layers' coefficients and the hidden layers' Gaussian moments; these the law of the
dual matrix (:mod:`meanfield.finite_width.covariance`), and that the laws of m and s and of the outliers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.covariance import Layer, Outputs, dual_law, inputs
from meanfield.finite_width.factor_moments import Neurons, neurons
from meanfield.finite_width.outliers import law_size, log_normal, outlier_law
from meanfield.finite_width.traces import trace_laws
from meanfield.finite_width.validity import Validity, judge_refined
from meanfield.kernels.exchangeable import ROWS, ExchangeableKernel, layer_coefficients
from meanfield.leading.spectra import Spectrum, spectrum_statistics
from meanfield.propagation.inputs import GAUSSIAN, Inputs
from meanfield.spec import Metric, Network, OrderParameters

__all__ = ["kernel_law", "moment_error", "refine", "refined_spectrum", "relative_shift"]

Floats = NDArray[np.float64]

_POINTS = 4096  # at least, of the laws of m and s, which cost nothing


def refine(
    network: Network,
    metric: Metric,
    parameters: OrderParameters,
    kernel: ExchangeableKernel,
    widths: Floats,
    given: Inputs = GAUSSIAN,
) -> tuple[Spectrum, Validity, tuple[str, ...]]:
    """The spectrum of ``metric`` at layer widths (L + 1, ...) to order 1/M with its law over networks, NaN where it
    does not hold, the verdict, and the reasons for it.

    ``kernel`` is the leading order's, projected where outputs are centred; ``parameters`` are those of ``given``
    inputs.

    Raises
    ------
    ValueError
        If two samples are one in some layer.
    """
    spectrum, numbers = refined_spectrum(network, metric, parameters, kernel, widths, given)
    return judge_refined(kernel, spectrum, **numbers)


def refined_spectrum(
    network: Network,
    metric: Metric,
    parameters: OrderParameters,
    kernel: ExchangeableKernel,
    widths: Floats,
    given: Inputs = GAUSSIAN,
) -> tuple[Spectrum, dict[str, Floats]]:
    """:func:`refine` before its verdict: the spectrum and the numbers that the verdict is about."""
    shape = kernel.samples.shape
    cells = [
        _cell(network, metric, parameters, cell, widths[(slice(None), *index)], given)
        for index, cell in zip(np.ndindex(shape), kernel.cells(), strict=True)
    ]

    def stacked(name: str, axis: int = 0) -> Floats:
        values = np.stack([getattr(cell, name) for cell in cells], axis=axis)
        return values.reshape((*values.shape[:axis], *shape, *values.shape[axis + 1 :]))

    leading = spectrum_statistics(kernel)
    law = {name: stacked(name, axis=1) for name in ("mean", "second_moment", "outliers")}
    average = {name: values.mean(axis=0) for name, values in law.items()}
    rest = average["mean"] * kernel.dimension - np.sum(average["outliers"], axis=-1)
    count = leading.multiplicity
    spectrum = replace(
        leading,
        **average,
        bulk=np.divide(rest, count, out=np.full(shape, np.nan), where=count > 0),
        networks=law,
        error=max(cell.error for cell in cells),
    )
    return spectrum, {name: stacked(name) for name in ("edge", "crowding", "expansion", "error")}


def kernel_law(
    network: Network, metric: Metric, parameters: OrderParameters, widths: Floats, given: Inputs = GAUSSIAN
) -> Outputs:
    """The law of the entries of the dual matrix K (without ν) at layer widths M_0..M_L."""
    variances = np.stack([parameters.q, parameters.q_st], axis=-1)
    layers, hidden = _layers(network, metric, widths), _hidden(network, parameters, widths)
    return dual_law(inputs(float(widths[0]), given), layers, hidden, variances)


@dataclass(frozen=True)
class _Cell:
    """One cell: sampled networks of each statistic, and the numbers of the verdict."""

    mean: Floats
    second_moment: Floats
    outliers: Floats
    edge: float
    crowding: float
    expansion: float
    error: float


def _cell(
    network: Network,
    metric: Metric,
    parameters: OrderParameters,
    kernel: ExchangeableKernel,
    widths: Floats,
    given: Inputs,
) -> _Cell:
    law = kernel_law(network, metric, parameters, widths, given)
    traces, size = trace_laws(law, kernel), law_size(kernel.outputs)
    outliers, edge, crowding = np.zeros((size, 0)), np.nan, np.nan
    points = max(size, _POINTS)
    if not kernel.projected:
        found = outlier_law(law, kernel, widths)
        outliers, edge, crowding = found.values, found.edge, kernel.outputs / found.units
    return _Cell(
        mean=log_normal(traces.mean, traces.mean_std, points),
        second_moment=log_normal(traces.second_moment, traces.second_moment_std, points),
        outliers=outliers,
        edge=edge,
        crowding=crowding,
        expansion=max(relative_shift(law, float(kernel.samples)), traces.relative_variance),
        error=moment_error(network, parameters, widths) * (_amplified(law) if kernel.projected else 1.0),
    )


def moment_error(network: Network, parameters: OrderParameters, widths: Floats) -> float:
    """The largest relative numerical error of a hidden layer's moments, at least that of rounding."""
    return max([np.finfo(float).eps, *(cells.error for cells, _ in _hidden(network, parameters, widths))])


def _amplified(law: Outputs) -> float:
    """How much more relative error θ_d - θ_o, all that centring leaves, has than θ_d."""
    same, other = law.mean[1]
    return float(abs(same / (same - other))) if same != other else np.inf


def _hidden(network: Network, parameters: OrderParameters, widths: Floats) -> list[tuple[Neurons, float]]:
    """Each hidden layer's Gaussian moments and width."""
    points = zip(network.activation, parameters.q, parameters.q_gap, widths[1:], strict=False)
    return [(neurons(activation, float(q), float(gap)), float(n)) for activation, q, gap, n in points]


def _layers(network: Network, metric: Metric, widths: Floats) -> list[Layer]:
    random = ROWS[metric.family].random
    rows = zip(network.weight_variance, *layer_coefficients(network, metric, widths), strict=True)
    return [Layer(sw2, float(w), float(b), float(random and b > 0)) for sw2, w, b in rows]


def relative_shift(law: Outputs, samples: float) -> float:
    """Of the kernel (an N × N matrix of two values) in Frobenius norm."""
    weight = np.array([1.0, samples - 1])
    return float(np.sqrt(weight @ law.shift[1] ** 2 / (weight @ law.mean[1] ** 2)))
