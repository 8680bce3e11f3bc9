"""The softmax sandwich at finite width: m, s and the outliers of networks drawn with their kernels.

Each of :mod:`meanfield.finite_width.softmax_draws`'s networks has its own logits, θ, and C × C matrix G beside it:
K_kk'(s,t) = θ_st δ_kk' + G_kk' + noise. Then, with Q_n and its mean over samples Q̄ as in
:mod:`meanfield.kernels.softmax`,

    m P/ν = Σ_n tr(Q_n K(n,n)),   s P/ν² = Σ_nm tr(Q_n K(n,m) Q_m K(m,n)):   meanfield.finite_width.softmax_traces
    λ/(ν N) = the roots of the secular equation of A = θ_o 1 + G and the gap (θ_d - θ_o)/N,

moved by what of K goes with the logits of its samples (to first order, as λ is uᵀ E[Q_n K(n,m) Q_m] u / uᵀ Q̄ u) and
pushed up by the noise as in :mod:`meanfield.finite_width.outliers`, the share from other outputs weighted by tr Q̄/C.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.cells import Numbers, found_in_cells, stacked_numbers
from meanfield.finite_width.covariance import Outputs
from meanfield.finite_width.outliers import NOTHING, average, bulk_shift, wishart_units
from meanfield.finite_width.refined import kernel_law, moment_error, relative_shift
from meanfield.finite_width.softmax_draws import draw_networks
from meanfield.finite_width.softmax_traces import Sandwiched, sandwiched, softmax_traces
from meanfield.finite_width.traces import trace_laws
from meanfield.finite_width.validity import MERGED, Validity, judge_softmax
from meanfield.kernels.exchangeable import ExchangeableKernel
from meanfield.kernels.logits import Ensemble
from meanfield.kernels.setting import Setting
from meanfield.kernels.softmax import bulk_edge, outlier_roots
from meanfield.leading.spectra import Spectrum, collect_networks

__all__ = ["refine_softmax"]

Floats = NDArray[np.float64]

_SEARCH = 1e-3  # relative tolerance of the outliers of one network


def refine_softmax(setting: Setting) -> tuple[Spectrum, Validity, tuple[str, ...]]:
    """:func:`meanfield.finite_width.refined.refine` for the loss "cross_entropy"."""
    cells = found_in_cells(setting, _cell)
    spectrum = collect_networks(setting.kernel, [(cell.ensemble, cell.networks) for cell in cells])
    return judge_softmax(spectrum, stacked_numbers([cell.numbers for cell in cells], setting))


@dataclass(frozen=True)
class _Cell:
    """One cell: the statistics of its networks, and the numbers of the verdict."""

    ensemble: Ensemble
    networks: dict[str, Floats]
    numbers: Numbers


def _cell(cell: Setting) -> _Cell:
    law, kernel = kernel_law(cell), cell.kernel
    n, nu, p = float(kernel.samples), float(kernel.normaliser), float(kernel.dimension)
    coupling = cell.network.weight_variance[-1] ** 2 * law.coupling
    drawn = draw_networks(law, coupling, kernel.outputs, int(n))
    x = sandwiched(drawn)
    first, second = softmax_traces(x, law, coupling, n)
    correlated = 2 * (n - 1) * x.drawn.other * np.trace(x.correlated, axis1=1, axis2=2)
    share = float(np.mean(correlated) / np.mean(second))  # of s: a first-order term, whose square is neglected
    second = nu**2 * n * second / p
    outliers, edge = _outliers(x, law, kernel, cell.widths)
    networks = {
        "mean": nu * n * first / p,
        "second_moment": second,
        "outliers": outliers,
        "lower": nu * np.mean(drawn.same + (n - 1) * drawn.other[:, None], axis=1) * x.moments.variance,
        "upper": np.sqrt(p * np.maximum(second, 0.0)),
    }
    units = wishart_units(average(law.crossing, n), law)[1]
    expansion = max(relative_shift(law, n), trace_laws(law, kernel).relative_variance, share**2)
    numbers = Numbers(edge, kernel.outputs / units, expansion, moment_error(cell))
    return _Cell(Ensemble(x.g, drawn.replicates), networks, numbers)


def _outliers(x: Sandwiched, law: Outputs, kernel: ExchangeableKernel, widths: Floats) -> tuple[Floats, float]:
    """The C - 1 outliers of each network, NaN where they are not clear of the bulk; its edge over the largest."""
    n, c = float(kernel.samples), kernel.outputs
    same, other = (law.mean[1] + law.shift[1]).tolist()
    mean = other + (same - other) / n
    own, cross, noise = bulk_shift(law, n, c, widths)
    if not (other > NOTHING * same and own + cross < other):  # lifted by more than its height: merged
        return np.full((len(x.g), c - 1), np.nan), np.inf
    drawn, unit = x.drawn, bulk_edge(x.g, 1.0)
    heights, vectors = np.linalg.eigh(x.shared)
    root = (vectors * np.sqrt(np.maximum(heights, 0.0))[:, None]) @ np.swapaxes(vectors, 1, 2)
    gap = np.maximum(np.mean(drawn.same, axis=1) - drawn.other, 1e-12 * drawn.other) / n
    roots = outlier_roots(x.g, gap, gap * unit, _SEARCH, root) * (1 + _moved(x, root))
    variance = x.moments.trace / c
    values = -np.sort(-(roots * (1 + own / mean) + (cross * variance)[:, None]), axis=1)
    edge = float(np.mean(unit * gap + noise * np.sqrt(unit * variance)))
    largest = float(values[:, 0].mean())
    values = np.where(edge <= MERGED * values.mean(axis=0), values, np.nan)
    return float(kernel.normaliser) * n * values, edge / largest if largest > 0 else np.inf


def _moved(x: Sandwiched, root: Floats) -> Floats:
    """How much D moves each outlier, relative to it: first order, uᵀ D u/μ² for A Q̄ u = μ u, uᵀ A⁻¹ u = 1."""
    heights, vectors = np.linalg.eigh(root @ x.covariance @ root)
    u, mu = root @ vectors, np.maximum(heights, 1e-12 * heights[:, -1:])
    moved = np.einsum("tki,tkl,tli->ti", u, x.correlated, u, optimize=True)[:, :0:-1]
    ratio: Floats = np.clip(
        np.divide(moved, mu[:, :0:-1] ** 2, where=mu[:, :0:-1] > 0, out=np.zeros_like(moved)), -0.5, 0.5
    )
    return ratio
