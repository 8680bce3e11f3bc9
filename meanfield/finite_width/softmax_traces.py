"""Mean and second moment of the softmax sandwich in networks drawn with their kernels.

    m P/ν  = Σ_n tr(Q_n K(n,n)),     s P/ν² = Σ_nm tr(Q_n K(n,m) Q_m K(m,n))

with K of :mod:`meanfield.finite_width.softmax_draws`. What the logits of n say of K(n,n) is
Q(nn;nn) (f fᵀ - S_d 1)/S_d². For n ≠ m, what of K(n,m) goes with the logits of n and m is D = E_nm[Q_n δK(n,m) Q_m]:
the rows' r_θ, and for the pair Cov(S,θ) Σ_k E[∂_k Q] E[∂_k Q] (Price's theorem). The noise of entry (n,m) adds
V tr(Q_n Q_m) + B tr Q_n tr Q_m.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.classes import SAME, SWAPPED, class_of
from meanfield.finite_width.covariance import Outputs
from meanfield.finite_width.outliers import average
from meanfield.finite_width.softmax_draws import Draws
from meanfield.kernels.softmax import (
    SoftmaxMoments,
    derivative_square,
    mean_covariance,
    mean_square,
    probabilities,
    softmax_moments,
)

__all__ = ["Sandwiched", "sandwiched", "softmax_traces"]

Floats = NDArray[np.float64]

_ONE, _PAIR, _APART = class_of(0, 0, 0, 0), class_of(0, 1, 0, 1), class_of(0, 1, 2, 3)
_MOST_WORK = 500_000_000  # products that the derivatives may cost


@dataclass(frozen=True)
class Sandwiched:
    """Drawn networks, their probabilities ``g``; ``covariance`` is Q̄, ``shared`` A = θ_o 1 + G, ``correlated`` D."""

    drawn: Draws
    g: Floats
    moments: SoftmaxMoments
    covariance: Floats
    shared: Floats
    correlated: Floats


def sandwiched(drawn: Draws) -> Sandwiched:
    """What the statistics need of each network."""
    g = probabilities(drawn.f)
    covariance = mean_covariance(g)
    rows = mean_covariance(g, drawn.rows) @ covariance
    shared = drawn.other[:, None, None] * np.eye(g.shape[1]) + drawn.shared
    correlated = rows + np.swapaxes(rows, 1, 2) + drawn.pair * _derivatives(g, covariance)
    return Sandwiched(drawn, g, softmax_moments(g), covariance, shared, correlated)


def _derivatives(g: Floats, covariance: Floats) -> Floats:
    """Σ_k E[∂_k Q]²; with many outputs in units of Q̄², the same for all networks, from some of them."""
    networks, outputs, samples = g.shape
    step = max(1, networks * outputs**3 * samples // _MOST_WORK)
    found = derivative_square(g[::step])
    if step == 1:
        return found
    some = covariance[::step]
    scaled: Floats = np.trace(found, axis1=1, axis2=2).mean() / _inner(some, some).mean() * (covariance @ covariance)
    return scaled


def softmax_traces(x: Sandwiched, law: Outputs, coupling: Floats, samples: float) -> tuple[Floats, Floats]:
    """E_n tr(Q_n K(n,n)) and N⁻¹ Σ_nm tr(Q_n K(n,m) Q_m K(m,n)) of each network; ``coupling`` is σ_w⁴ Q."""
    g, f, same = x.g, x.drawn.f, x.drawn.same
    variance, theta = law.mean[0, SAME], law.mean[1, SAME]
    told = float(coupling[_ONE]) / variance**2
    norm = np.sum(g**2, axis=1)
    trace = np.sum(g * (1 - g), axis=1)
    square = norm - 2 * np.sum(g**3, axis=1) + norm**2  # tr Q_n²
    applied = g * (f - np.sum(g * f, axis=1, keepdims=True))  # Q_n f
    by_outputs = _inner(x.covariance, x.drawn.diagonal)
    by_logits = told * np.mean(np.sum(f * applied, axis=1) - variance * trace, axis=1)
    first = np.mean(same * trace, axis=1) + by_outputs + by_logits

    average_same = np.mean(same, axis=1)
    # The noise is taken to scale as K(n,n)², as without softmax.
    scale = ((average_same + by_outputs / x.moments.trace) / theta) ** 2
    of_one = (
        np.mean(same**2 * square, axis=1)
        + 2 * average_same * _inner(mean_square(g), x.drawn.diagonal)
        + 2 * theta * told * np.mean(np.sum(applied**2, axis=1) - variance * square, axis=1)
        + scale * law.crossing[_ONE] * np.mean(square + trace**2, axis=1)
    )
    return first, of_one + (samples - 1) * _off_diagonal(x, law, scale, trace, samples)


def _off_diagonal(x: Sandwiched, law: Outputs, scale: Floats, trace: Floats, samples: float) -> Floats:
    """The mean of tr(Q_n K(n,m) Q_m K(m,n)) over n ≠ m."""
    count = trace.shape[1]
    if count == 1:
        return np.zeros(len(trace))
    kernel, other = x.covariance @ x.shared, x.drawn.other
    coherent = (count * _inner(kernel, kernel) - other**2 * x.moments.square) / (count - 1)
    coherent = coherent + 2 * other * np.trace(x.correlated, axis1=1, axis2=2)
    traces = (count * x.moments.trace**2 - np.mean(trace**2, axis=1)) / (count - 1)
    # Of the variances of an entry, what the networks have not been drawn with.
    common, crossing = law.covariance[:, 1, 1].sum(axis=0), law.crossing - max(average(law.crossing, samples), 0.0)
    alike = common[_PAIR] - common[_APART] + crossing[SWAPPED][_PAIR]
    off: Floats = coherent + scale * (alike * x.moments.product + crossing[_PAIR] * traces)
    return off


def _inner(a: Floats, b: Floats) -> Floats:
    """tr(a b) of each network."""
    traces: Floats = np.einsum("tij,tji->t", a, b)
    return traces
