"""Mean and second moment of the eigenvalues at finite width: expectation and spread over networks.

Both are linear and quadratic in the dual matrix K of :mod:`meanfield.finite_width.covariance`, so their expectations
are sums over classes, and hold for any N and C:

    E m = (ν/P) E Σ_k tr(Π K_kk),     E s = (ν²/P) E Σ_kk' ‖Π K_kk' Π‖²

with Π = 1, or 1 - 11ᵀ/N where outputs are centred.
The spread of s is that of its linear part plus that of the incoherent part I, which is taken to scale as K_ss²
(a heuristic), plus the coherent fluctuation of K_kk', k ≠ k'.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.classes import FIRST, OTHER, SAME, SECOND, occurrences
from meanfield.finite_width.covariance import Outputs
from meanfield.kernels.exchangeable import ExchangeableKernel

__all__ = ["Traces", "trace_laws"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Traces:
    """Expectation and standard deviation over networks of m = Σλ/P and of s = Σλ²/P."""

    mean: float
    mean_std: float
    second_moment: float
    second_moment_std: float

    @property
    def relative_variance(self) -> float:
        """Of m; zero if m is, as for one centred sample."""
        return (self.mean_std / self.mean) ** 2 if self.mean != 0 else 0.0


def trace_laws(law: Outputs, kernel: ExchangeableKernel) -> Traces:
    """m and s of one cell from the law of its K; ν, P, C, N and whether it is centred come from ``kernel``."""
    n, c = float(kernel.samples), kernel.outputs
    scale = float(kernel.normaliser) * c / float(kernel.dimension)
    theta = law.mean[1] + law.shift[1]
    shared = law.covariance[:, 1, 1].sum(axis=0)
    projector = np.array([1 - 1 / n, -1 / n]) if kernel.projected else np.array([1.0, 0.0])
    theta_seen = _projected(theta, n) if kernel.projected else theta
    average = shared + law.own / c  # the covariance of (1/C) Σ_k K_kk
    all_labels = occurrences("st,pq", n)

    def deviation(weight: Floats) -> float:
        """Of Σ_st weight_st (1/C) Σ_k K_kk(st)."""
        return math.sqrt(max(float(np.sum(all_labels * weight[FIRST] * weight[SECOND] * average)), 0.0))

    frobenius = _frobenius(n, kernel.projected)
    coherent = float(np.sum(frobenius * theta[FIRST] * theta[SECOND]))
    incoherent = float(np.sum(frobenius * (shared + law.own + (c - 1) * law.crossing)))
    of_own = incoherent / (n * theta_seen[SAME]) if theta_seen[SAME] > 0 else 0.0
    weight = theta_seen + of_own * projector
    crossing = 0.0 if kernel.projected else float(np.sum(all_labels * law.crossing))
    cross = math.sqrt(max(c - 1, 0) / c) * crossing / n**2
    square_scale = float(kernel.normaliser) * scale
    return Traces(
        mean=scale * n * float(projector[SAME] * theta[SAME] + (n - 1) * projector[OTHER] * theta[OTHER]),
        mean_std=scale * deviation(projector),
        second_moment=square_scale * (coherent + incoherent),
        second_moment_std=2 * square_scale * math.hypot(deviation(weight), cross),
    )


def _projected(theta: Floats, n: float) -> Floats:
    """The two values of Π θ Π."""
    gap = theta[SAME] - theta[OTHER]
    return np.array([gap * (1 - 1 / n), -gap / n])


def _frobenius(n: float, projected: bool) -> Floats:
    """Weights by class of ‖Π K Π‖² = Σ_c weight_c [K K]_c."""
    whole = occurrences("st,st", n)
    if not projected:
        return whole
    return whole - (occurrences("st,sq", n) + occurrences("st,pt", n)) / n + occurrences("st,pq", n) / n**2
