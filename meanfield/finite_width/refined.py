"""The leading order's spectrum refined by 1/M.

Network and metric give the weight layers' coefficients and the hidden layers' Gaussian moments; these the law of the
dual matrix (:mod:`meanfield.finite_width.covariance`), and that the laws of m and s and of the outliers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.cells import Numbers, found_in_cells, stacked, stacked_numbers
from meanfield.finite_width.covariance import LayerTerms, Outputs, dual_law, inputs
from meanfield.finite_width.factor_moments import Neurons, neurons
from meanfield.finite_width.outliers import law_size, log_normal, outlier_law
from meanfield.finite_width.traces import trace_laws
from meanfield.finite_width.validity import Validity, judge_refined
from meanfield.kernels.exchangeable import ROWS, coefficients
from meanfield.kernels.setting import Setting
from meanfield.leading.spectra import Spectrum, spectrum_statistics

__all__ = ["kernel_law", "moment_error", "refine", "refined_spectrum", "relative_shift"]

Floats = NDArray[np.float64]

_POINTS = 4096  # at least, of the laws of m and s, which cost nothing


def refine(setting: Setting) -> tuple[Spectrum, Validity, tuple[str, ...]]:
    """The spectrum to order 1/M with its law over networks, NaN where it does not hold, the verdict, and the reasons
    for it.

    Raises
    ------
    ValueError
        If two samples are one in some layer, or the network is not fully connected.
    """
    spectrum, numbers = refined_spectrum(setting)
    return judge_refined(setting.kernel, spectrum, numbers)


def refined_spectrum(setting: Setting) -> tuple[Spectrum, Numbers]:
    """:func:`refine` before its verdict: the spectrum and the numbers that the verdict is about."""
    cells, kernel = found_in_cells(setting, _cell), setting.kernel
    leading = spectrum_statistics(kernel)
    law = {name: stacked([c.networks[name] for c in cells], setting, axis=1) for name in cells[0].networks}
    average = {name: values.mean(axis=0) for name, values in law.items()}
    rest = average["mean"] * kernel.dimension - np.sum(average["outliers"], axis=-1)
    count = leading.multiplicity
    spectrum = replace(
        leading,
        **average,
        bulk=np.divide(rest, count, out=np.full(count.shape, np.nan), where=count > 0),
        networks=law,
        error=float(max(cell.numbers.error for cell in cells)),
    )
    return spectrum, stacked_numbers([cell.numbers for cell in cells], setting)


def kernel_law(cell: Setting) -> Outputs:
    """The law of the entries of the dual matrix K (without ν) at the sizes of one cell."""
    parameters = cell.parameters
    variances = np.stack([parameters.q, parameters.q_st], axis=-1)
    return dual_law(inputs(float(cell.widths[0]), cell.inputs), _layers(cell), _hidden(cell), variances)


@dataclass(frozen=True)
class _Cell:
    """One cell: sampled networks of each statistic, and the numbers of the verdict."""

    networks: dict[str, Floats]
    numbers: Numbers


def _cell(cell: Setting) -> _Cell:
    law, kernel = kernel_law(cell), cell.kernel
    traces, size = trace_laws(law, kernel), law_size(kernel.outputs)
    outliers, edge, crowding = np.zeros((size, 0)), np.nan, np.nan
    points = max(size, _POINTS)
    if not kernel.projected:
        found = outlier_law(law, kernel, cell.widths)
        outliers, edge, crowding = found.values, found.edge, kernel.outputs / found.units
    networks = {
        "mean": log_normal(traces.mean, traces.mean_std, points),
        "second_moment": log_normal(traces.second_moment, traces.second_moment_std, points),
        "outliers": outliers,
    }
    expansion = max(relative_shift(law, float(kernel.samples)), traces.relative_variance)
    error = moment_error(cell) * (_amplified(law) if kernel.projected else 1.0)
    return _Cell(networks, Numbers(edge, crowding, expansion, error))


def moment_error(cell: Setting) -> float:
    """The largest relative numerical error of a hidden layer's moments, at least that of rounding."""
    return max([np.finfo(float).eps, *(of_layer.error for of_layer, _ in _hidden(cell))])


def _amplified(law: Outputs) -> float:
    """How much more relative error θ_d - θ_o, all that centring leaves, has than θ_d."""
    same, other = law.mean[1]
    return float(abs(same / (same - other))) if same != other else np.inf


def _hidden(cell: Setting) -> list[tuple[Neurons, float]]:
    """Each hidden layer's Gaussian moments and width."""
    points = zip(cell.network.activation, cell.parameters.layers, cell.widths[1:], strict=False)
    return [(neurons(activation, float(x.q), float(x.q_gap)), float(n)) for activation, x, n in points]


def _layers(cell: Setting) -> list[LayerTerms]:
    random = ROWS[cell.metric.family].random
    rows = zip(cell.network.weight_variance, coefficients(cell.network, cell.metric, cell.widths), strict=True)
    return [LayerTerms(sw2, float(w), float(b), float(random and b > 0)) for sw2, (w, b) in rows]


def relative_shift(law: Outputs, samples: float) -> float:
    """Of the kernel (an N × N matrix of two values) in Frobenius norm."""
    weight = np.array([1.0, samples - 1])
    return float(np.sqrt(weight @ law.shift[1] ** 2 / (weight @ law.mean[1] ** 2)))
