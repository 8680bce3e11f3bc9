"""The softmax sandwich at finite width: m, s and the outliers of networks drawn with their kernels.

Each of :mod:`meanfield.refinements.softmax_draws`'s networks has its own logits, θ, and C × C matrix G beside it:
K_kk'(s,t) = θ_st δ_kk' + G_kk' + noise. Then, with Q_n and its mean over samples Q̄ as in :mod:`meanfield.softmax`,

    m P/ν   = Σ_n tr(Q_n K(n,n)),   K(n,n) also with what the logits of n say of it: Q(nn;nn) (f fᵀ - S_d 1)/S_d²
    s P/ν²  = Σ_nm tr(Q_n K(n,m) Q_m K(m,n)),   the noise of entry (n,m) adding V tr(Q_n Q_m) + B tr Q_n tr Q_m
    λ/(ν N) = roots of the secular equation of A = θ_o 1 + G and the gap (θ_d - θ_o)/N, pushed up by the noise

with the outlier's push of :mod:`meanfield.refinements.outliers` (the share from other outputs weighted by tr Q̄/C).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.inputs import GAUSSIAN, Inputs
from meanfield.kernels import ExchangeableKernel
from meanfield.logits import Ensemble
from meanfield.recursion import OrderParameters
from meanfield.refinements.classes import SAME, SWAPPED, class_of
from meanfield.refinements.covariance import Outputs
from meanfield.refinements.finite_width import kernel_law, relative_shift
from meanfield.refinements.outliers import average, bulk_shift, wishart_units
from meanfield.refinements.softmax_draws import Draws, draw_networks
from meanfield.refinements.traces import trace_laws
from meanfield.refinements.validity import MERGED, Validity, judge_softmax
from meanfield.softmax import (
    SoftmaxMoments,
    bulk_edge,
    mean_covariance,
    mean_square,
    outlier_roots,
    probabilities,
    softmax_moments,
)  # fmt: skip
from meanfield.spec import Metric, Network
from meanfield.spectra import Spectrum, collect_networks

__all__ = ["refine_softmax"]

Floats = NDArray[np.float64]

_SEARCH = 1e-3  # relative tolerance of the outliers of one network
_ONE, _PAIR, _APART = class_of(0, 0, 0, 0), class_of(0, 1, 0, 1), class_of(0, 1, 2, 3)


def refine_softmax(
    network: Network,
    metric: Metric,
    parameters: OrderParameters,
    kernel: ExchangeableKernel,
    widths: Floats,
    given: Inputs = GAUSSIAN,
) -> tuple[Spectrum, Validity, tuple[str, ...]]:
    """:func:`meanfield.refinements.finite_width.refine` for the loss "cross_entropy"."""
    shape = kernel.samples.shape
    cells = [
        _cell(network, metric, parameters, cell, widths[(slice(None), *index)], given)
        for index, cell in zip(np.ndindex(shape), kernel.cells(), strict=True)
    ]
    spectrum = collect_networks(kernel, [(cell.ensemble, cell.statistics) for cell in cells])
    numbers = {
        name: np.array([getattr(cell, name) for cell in cells]).reshape(shape)
        for name in ("edge", "crowding", "expansion")
    }
    return judge_softmax(spectrum, **numbers)


@dataclass(frozen=True)
class _Cell:
    """One cell: the statistics of its networks, and the numbers of the verdict."""

    ensemble: Ensemble
    statistics: dict[str, Floats]
    edge: float
    crowding: float
    expansion: float


def _cell(
    network: Network,
    metric: Metric,
    parameters: OrderParameters,
    kernel: ExchangeableKernel,
    widths: Floats,
    given: Inputs,
) -> _Cell:
    law, n = kernel_law(network, metric, parameters, widths, given), float(kernel.samples)
    coupling = network.weight_variance[-1] ** 2 * law.coupling
    drawn = draw_networks(law, coupling, kernel.outputs, int(n))
    g = probabilities(drawn.f)
    moments, covariance = softmax_moments(g), mean_covariance(g)
    own = float(coupling[_ONE] / law.mean[0, SAME] ** 2)
    first, second = _traces(drawn, g, moments, covariance, law, own, n)
    nu, p = float(kernel.normaliser), float(kernel.dimension)
    outliers, edge = _outliers(drawn, g, covariance, law, kernel, widths)
    second = nu**2 * n * second / p
    traces = trace_laws(law, kernel)
    units = wishart_units(average(law.crossing, n), law)[1]
    return _Cell(
        Ensemble(g, drawn.replicates),
        {
            "mean": nu * n * first / p,
            "second_moment": second,
            "outliers": outliers,
            "lower": nu * np.mean(drawn.same + (n - 1) * drawn.other[:, None], axis=1) * moments.variance,
            "upper": np.sqrt(p * np.maximum(second, 0.0)),
        },
        edge,
        kernel.outputs / units,
        max(relative_shift(law, n), (traces.mean_std / traces.mean) ** 2),
    )


def _traces(
    drawn: Draws, g: Floats, moments: SoftmaxMoments, covariance: Floats, law: Outputs, own: float, n: float
) -> tuple[Floats, Floats]:
    """E_n tr(Q_n K_nn) and N⁻¹ Σ_nm tr(Q_n K_nm Q_m K_mn) of each network. ``own``: Q(nn;nn)/S_d²."""
    variance, theta = law.mean[0, SAME], law.mean[1, SAME]
    trace = np.sum(g * (1 - g), axis=1)
    moved = g * (drawn.f - np.sum(g * drawn.f, axis=1, keepdims=True))  # Q_n f
    square = np.sum(g**2, axis=1)
    of_squares = square - 2 * np.sum(g**3, axis=1) + square**2  # tr Q_n²
    with_diagonal = np.einsum("tij,tji->t", covariance, drawn.diagonal)
    by_logits = own * np.mean(np.sum(drawn.f * moved, axis=1) - variance * trace, axis=1)
    first = np.mean(drawn.same * trace, axis=1) + with_diagonal + by_logits

    gap_mean = np.mean(drawn.same, axis=1)
    scale = (gap_mean / theta * (1 + with_diagonal / (gap_mean * moments.trace))) ** 2
    of_one = np.mean(drawn.same**2 * of_squares, axis=1)
    of_one = of_one + 2 * gap_mean * np.einsum("tij,tji->t", mean_square(g), drawn.diagonal)
    of_one = of_one + scale * law.crossing[_ONE] * np.mean(of_squares + trace**2, axis=1)
    of_one = of_one + 2 * theta * own * np.mean(np.sum(moved**2, axis=1) - variance * of_squares, axis=1)
    return first, of_one + (n - 1) * _off_diagonal(drawn, moments, covariance, trace, law, scale, n)


def _off_diagonal(
    drawn: Draws, moments: SoftmaxMoments, covariance: Floats, trace: Floats, law: Outputs, scale: Floats, n: float
) -> Floats:
    """The mean of tr(Q_n K_nm Q_m K_mn) over n ≠ m."""
    count = trace.shape[1]
    if count == 1:
        return np.zeros(len(trace))
    kernel = covariance @ (drawn.other[:, None, None] * np.eye(drawn.f.shape[1]) + drawn.shared)
    coherent = count * np.einsum("tij,tji->t", kernel, kernel) - drawn.other**2 * moments.square
    products = (count * moments.trace**2 - np.mean(trace**2, axis=1)) / (count - 1)
    shared = law.covariance[:, 1, 1].sum(axis=0)
    sampled = max(average(law.crossing, n), 0.0)
    alike = shared[_PAIR] - shared[_APART] + law.crossing[SWAPPED][_PAIR] - sampled
    noise = alike * moments.product + (law.crossing[_PAIR] - sampled) * products
    off: Floats = coherent / (count - 1) + scale * noise
    return off


def _outliers(
    drawn: Draws, g: Floats, covariance: Floats, law: Outputs, kernel: ExchangeableKernel, widths: Floats
) -> tuple[Floats, float]:
    """The C - 1 outliers of each network, NaN where they are not clear of the bulk; its edge over the largest."""
    n, c = float(kernel.samples), kernel.outputs
    same, other = (law.mean[1] + law.shift[1]).tolist()
    mean = other + (same - other) / n
    if not (other > 0 and mean > 0):
        return np.full((len(g), c - 1), np.nan), np.inf
    heights, vectors = np.linalg.eigh(drawn.other[:, None, None] * np.eye(c) + drawn.shared)
    root = (vectors * np.sqrt(np.maximum(heights, 0.0))[:, None]) @ np.swapaxes(vectors, 1, 2)
    gap = np.maximum(np.mean(drawn.same, axis=1) - drawn.other, 1e-12 * drawn.other) / n
    unit = bulk_edge(g, 1.0)
    roots = outlier_roots(g, gap, gap * unit, _SEARCH, root)
    own, cross, noise = bulk_shift(law, n, c, widths)
    variance = np.trace(covariance, axis1=1, axis2=2) / c
    values = -np.sort(-(roots * (1 + own / mean) + (cross * variance)[:, None]), axis=1)
    edge = float(np.mean(unit * gap + noise * np.sqrt(unit * variance)))
    average_height = values.mean(axis=0)
    values = np.where(edge <= MERGED * average_height, values, np.nan)
    largest = float(average_height[0])
    return float(kernel.normaliser) * n * values, edge / largest if largest > 0 else np.inf
