"""The cross-entropy metrics: an exchangeable kernel in the softmax sandwich (theory.md §4).

With g(n) = softmax(f(n)) and Q_n = diag(g) - g gᵀ = R_n R_nᵀ, the dual is ``Rᵀ (ν I_C ⊗ [(K₁ - K₂) I + K₂ 1 1ᵀ]) R``.
Everything here is a function of the probabilities g, whether of one real network or of an ensemble drawn from the law
of the logits (:mod:`meanfield.kernels.logits`).

Axes of ``g``: networks × outputs × samples. Eigenvalues are in units of ν N K₂, so that all that is left of the kernel
is one number, ``ε = (K₁ - K₂) / (N K₂)``: how high the bulk's unit stands against the outliers'.

Where the softmax is all but certain, 1 - g_k is lost to rounding; it is Σ_{j≠k} g_j, so nothing is subtracted from 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "SoftmaxMoments", "bulk_edge", "derivative_square", "mean_covariance", "mean_square", "outlier_roots",
    "probabilities", "softmax_moments",
]  # fmt: skip

Floats = NDArray[np.float64]
Rows = slice | NDArray[np.intp]

_MERGED = 0.01  # share of networks
_BLOCK = 4_000_000  # numbers held at once
_NEGLIGIBLE = 1e-140  # a probability whose square is still a normal number; below, it counts as zero
_STEPS = 60  # of the root search; it needs two or three where outliers stand well above the bulk


@dataclass(frozen=True)
class SoftmaxMoments:
    """What moments and bounds need to know of the Q_n; arrays over networks.

    ``trace`` is E_n[tr Q_n], ``square`` E_n[tr Q_n²], ``product`` the mean of tr(Q_n Q_m) over n ≠ m (0 for one
    sample), and ``variance`` max_k E_n[g_k (1 - g_k)].
    """

    trace: Floats
    square: Floats
    product: Floats
    variance: Floats


def probabilities(logits: Floats) -> Floats:
    """g = softmax(f) over the outputs (second last axis)."""
    g: Floats = np.exp(logits - np.max(logits, axis=-2, keepdims=True))
    g /= np.sum(g, axis=-2, keepdims=True)
    g[g < _NEGLIGIBLE] = 0.0
    return g


def softmax_moments(g: Floats) -> SoftmaxMoments:
    """The moments of the Q_n."""
    samples = g.shape[2]
    covariance = mean_covariance(g)
    variances = np.diagonal(covariance, axis1=1, axis2=2)
    square = np.sum((g * _others(g)) ** 2 + g**2 * _others(g**2), axis=1)  # diagonal and off-diagonal of Q_n
    together = samples**2 * np.sum(covariance**2, axis=(1, 2))
    return SoftmaxMoments(
        trace=np.sum(variances, axis=1),
        square=np.mean(square, axis=1),
        product=(together - np.sum(square, axis=1)) / (samples * (samples - 1)) if samples > 1 else np.zeros(len(g)),
        variance=np.max(variances, axis=1),
    )


def _others(values: Floats) -> Floats:
    """Σ_{j≠k} v_j for every output k, by additions alone."""
    others = np.zeros_like(values)
    others[:, 1:] = np.cumsum(values[:, :-1], axis=1)
    others[:, :-1] += np.cumsum(values[:, :0:-1], axis=1)[:, ::-1]
    return others


def mean_covariance(g: Floats, weights: Floats | None = None) -> Floats:
    """Q̄ = E_n[diag(g) - g gᵀ/Σ_k g_k], one C × C matrix a network; probabilities sum to 1. Or E_n[w_n Q_n] with
    ``weights`` (networks × samples).

    Its rows sum to zero, which gives the diagonal from the entries beside it.
    """
    share = g / np.sum(g, axis=1, keepdims=True)
    eye = np.eye(g.shape[1])
    weighted = g if weights is None else g * weights[:, None]
    beside = (weighted @ np.swapaxes(share, 1, 2)) * ((1 - eye) / g.shape[2])
    matrix: Floats = np.sum(beside, axis=2)[:, None, :] * eye - beside
    return matrix


def mean_square(g: Floats) -> Floats:
    """E_n[Q_n²], one C × C matrix a network."""
    squares, eye = g**2, np.eye(g.shape[1])
    norm = np.sum(squares, axis=1, keepdims=True)
    weighted = (g * norm - squares) @ np.swapaxes(g, 1, 2) - g @ np.swapaxes(squares, 1, 2)
    matrix: Floats = (np.sum(squares, axis=2)[:, None, :] * eye + weighted) / g.shape[2]
    return matrix


def derivative_square(g: Floats) -> Floats:
    """Σ_k U_k² with U_k = E_n[∂Q_n/∂f_k(n)], one C × C matrix a network."""
    c, n = g.shape[1:]
    eye, square = np.eye(c), np.empty((len(g), c, c))
    block = max(1, _BLOCK // (c * c * max(c, n)))
    for rows in (slice(i, i + block) for i in range(0, len(g), block)):
        x = g[rows]
        pairs = x[:, :, None] * x[:, None]
        product = np.mean(pairs, axis=3)
        # ∂_k Q_ab = δ_ab Q_ak - Q_ak g_b - g_a Q_bk; E[Q_ak g_b] at [a, b, k]:
        triples = (pairs.reshape(len(x), c * c, n) @ np.swapaxes(x, 1, 2)).reshape(-1, c, c, c) / n
        one = eye[:, None] * product[..., None] - triples
        of_diagonal = eye[:, :, None] * mean_covariance(x)[:, :, None]
        U = (of_diagonal - one - np.swapaxes(one, 1, 2)).reshape(len(x), c, c * c)
        square[rows] = U @ np.swapaxes(U, 1, 2)  # U_ab,k is symmetric in a, b
    return square


def _secular(g: Floats, epsilon: Floats, x: Floats) -> Floats:
    """T(x) = E_n[Q_n (I - (ε/x) Q_n)⁻¹], one C × C matrix a network.

    Q_n is a diagonal plus a rank one, and so is the inverse (Sherman-Morrison): with h = g / (1 - (ε/x) g) the product
    is diag(h) - h hᵀ/Σh, which is Q_n with h in place of g.
    """
    return mean_covariance(g / (1 - (epsilon / x)[:, None, None] * g))


def bulk_edge(g: Floats, epsilon: float | Floats) -> Floats:
    """ε max_n eig(Q_n), one number a network: where the bulk of the exchangeable kernel ends (from above, to 1e-3).

    The largest eigenvalue of diag(g) - g gᵀ lies between the two largest probabilities b <= a and solves
    Σ_k g_k/(x - g_k) = 0. Each step replaces all terms but a's by one with its pole at b. It descends from x = a.
    """
    ordered = np.sort(g, axis=1)
    rest, b, a = ordered[:, :-1], ordered[:, -2], ordered[:, -1]
    x = a
    for _ in range(3):
        gap = (x - b)[:, None] + np.finfo(np.float64).tiny
        weight = np.sum(rest * (gap / (gap + (b[:, None] - rest))), axis=1)
        x = a * (weight + b) / (weight + a)
    edge: Floats = epsilon * np.max(x, axis=1)
    return edge


def outlier_roots(
    g: Floats, epsilon: float | Floats, edge: Floats, tolerance: float, root: Floats | None = None
) -> Floats:
    """Eigenvalues above the bulk, in units of ν N K₂: networks × (C - 1), descending; NaN where they have merged.

    An eigenvalue x > ``edge`` solves det(I - E_n[Q_n (x I - ε Q_n)⁻¹]) = 0, that is μ_k(T(x)) = x for an eigenvalue μ_k
    of the matrix function T, which decreases: at most one x for each k = 1..C-1 (the last has T(x) 1 = 0). For ε → 0
    these are the eigenvalues of Q̄. Where one has merged in more than 1 % of the networks it is NaN in all, and so are
    the lower ones; in up to 1 % the edge, which a root reaches as it merges, stands for it. ε > 0, so a network whose
    edge is 0 has Q_n = 0 for all n, and all its eigenvalues are 0.

    ``epsilon`` may differ from network to network. ``root`` (networks × C × C) is A^½ where outputs share a part of the
    kernel, K₂ A in place of K₂ I: then T is A^½ T A^½.
    """
    certain = edge == 0
    epsilon = np.broadcast_to(epsilon, edge.shape)

    def dressed(matrices: Floats, rows: Rows = slice(None)) -> Floats:
        return matrices if root is None else root[rows] @ matrices @ root[rows]

    floor = np.where(certain, 1.0, edge * (1 + 1e-9))
    start = np.linalg.eigvalsh(dressed(mean_covariance(g)))
    roots = np.full((len(g), g.shape[1] - 1), np.nan)
    for column, k in enumerate(range(g.shape[1] - 1, 0, -1)):

        def excess(x: Floats, rows: Rows = slice(None), k: int = k) -> Floats:
            excess: Floats = np.linalg.eigvalsh(dressed(_secular(g[rows], epsilon[rows], x), rows))[:, k] - x
            return excess

        low = np.maximum(start[:, k], floor)
        height = excess(low)
        merged = (height < -tolerance * low) & ~certain
        if np.mean(merged) > _MERGED:
            break
        found = np.where(merged, floor, _root(excess, low, np.maximum(height, 0.0), tolerance))
        roots[:, column] = np.where(certain, 0.0, found)
    return roots


def _root(f: Callable[[Floats, Rows], Floats], low: Floats, f_low: Floats, tolerance: float) -> Floats:
    """The root at or above ``low`` of f, elementwise, where f(x) and f(x) + x both decrease and f(low) >= 0.

    It lies between ``low`` and ``low + f(low)``: regula falsi with the Illinois rule. ``f`` takes the rows it is asked
    for beside their x: those still on the way.
    """
    roots = low + f_low
    rows = np.flatnonzero(f_low > tolerance * low)
    low, f_low = low[rows], f_low[rows]
    x = high = low + f_low
    f_high = np.minimum(f(high, rows), 0.0)
    for _ in range(_STEPS):
        span = f_low - f_high
        new = high - (high - low) * np.divide(-f_high, span, out=np.zeros_like(span), where=span > 0)
        roots[rows] = new
        open_ = np.abs(new - x) > tolerance * new
        rows, new = rows[open_], new[open_]
        low, high, f_low, f_high = low[open_], high[open_], f_low[open_], f_high[open_]
        if rows.size == 0:
            return roots
        x, f_new = new, f(new, rows)
        below = f_new > 0
        f_low, f_high = np.where(below, f_new, 0.5 * f_low), np.where(below, 0.5 * f_high, f_new)
        low, high = np.where(below, x, low), np.where(below, high, x)
    return roots
