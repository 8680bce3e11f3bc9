"""Bounds on the Fisher matrix of one given network from norms of its weights, signals and inputs: docs/bounds.md.

``F^l = (1/N) Σ_n Σ_k vec(δ^l_k hᵀ) vec(δ^l_k hᵀ)ᵀ`` over the weights of layer l (``loss="cross_entropy"``: with the
softmax's Q between outputs), h = h^{l-1} and δ^l_k = ∂f_k/∂u^l of sample n. The trace bounds hold for fully connected
networks without biases and with φ(0) = 0, |φ'| <= ℓ; those of blocks and partial sums for any signals h and δ.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.spec import LOSSES, Network
from meanfield.spec.activations import Activation
from meanfield.spec.checks import integer, number, numbers, positive_integer

__all__ = ["block_bounds", "homogeneous_gain", "homogeneous_traces", "partial_sum_bounds", "trace_bounds"]

Floats = NDArray[np.float64]


def trace_bounds(
    norms: ArrayLike,
    input_trace: float,
    outputs: int,
    *,
    lipschitz: float | ArrayLike = 1.0,
    loss: str = "mse",
    output_frobenius: float | None = None,
) -> Floats:
    """Upper bounds on tr F^l for l = 1..L, shape (L,); their sum bounds tr F.

    ``C Π_{j≠l} ‖W^j‖² Π ℓ² tr Σ_x`` with spectral norms; for "cross_entropy" 1 - 1/C instead of C.

    Parameters
    ----------
    norms
        ‖W^l‖ for l = 1..L, the largest singular values.
    input_trace
        tr Σ_x = (1/N) Σ_n |x_n|².
    outputs
        C.
    lipschitz
        ℓ, the largest |φ'|: one number or L - 1.
    loss
        ``"mse"`` or ``"cross_entropy"``.
    output_frobenius
        ‖W^L‖_F, where known: for l < L it replaces C ‖W^L‖² by ‖W^L‖_F², and by ‖W^L‖_F²/2 for "cross_entropy" (no
        eigenvalue of Q exceeds 1/2) where that is less.

    Raises
    ------
    ValueError, TypeError
        For norms that are not a vector of finite numbers >= 0, another that is not one, or an unknown loss.
    """
    w = _vector("norms", norms)
    slopes = numbers("lipschitz", lipschitz, len(w) - 1, 0.0)
    c, trace = positive_integer("outputs", outputs), number("input_trace", input_trace, 0.0)
    if loss not in LOSSES:
        raise ValueError(f"loss: expected one of {', '.join(LOSSES)}, got {loss!r}")
    softmax = LOSSES[loss].of_logits
    below = [math.prod(w[j] ** 2 for j in range(len(w) - 1) if j != l) for l in range(len(w))]
    across = np.append(np.full(len(w) - 1, w[-1] ** 2), 1.0) * (1 - 1 / c if softmax else c)
    if output_frobenius is not None:
        square = number("output_frobenius", output_frobenius, 0.0) ** 2 * (0.5 if softmax else 1.0)
        across[:-1] = np.minimum(across[:-1], square)
    return np.asarray(math.prod(slopes) ** 2 * trace * across * np.array(below))


def homogeneous_traces(network: Network, width: int, input_trace: float) -> Floats:
    """E tr F^l over networks for l = 1..L, the weights' part, shape (L,): where the trace is *linear* in tr Σ_x.

    ``C (M_{l-1}/M_0) Π_{j≠l} σ_{w,j}² Π g tr Σ_x`` for any given inputs, if there are no biases and every φ is
    positively homogeneous, φ(au) = a φ(u) for a >= 0; g is its :func:`homogeneous_gain`. Exact at any width:
    docs/bounds.md.

    Raises
    ------
    ValueError, TypeError
        For a network with biases, other activations, or another architecture, or an impossible width.
    """
    network.check_dense("the homogeneous trace")
    if max(network.bias_variance) > 0:
        raise ValueError(f"bias_variance: expected 0 in all layers, got {max(network.bias_variance):g}")
    widths = np.array(network.widths(width), dtype=np.float64)
    gain = math.prod(homogeneous_gain(phi) for phi in network.activation)
    weights = np.array(network.weight_variance)
    others = np.array([np.prod(np.delete(weights, l)) for l in range(network.depth)])
    trace = number("input_trace", input_trace, 0.0)
    return np.asarray(network.outputs * widths[:-1] / widths[0] * others * gain * trace)


def homogeneous_gain(activation: Activation) -> float:
    """g = E φ²/q = E φ'² = (a² + b²)/2 of φ(u) = a max(u, 0) + b min(u, 0): 1/2 for relu, 1 for linear and abs.

    On the real line these are all functions with φ(au) = a φ(u) for a >= 0.

    Raises
    ------
    ValueError
        For any other activation.
    """
    u = np.array([1e-3, 0.37, 1.0, 2.9, 1e3])
    with np.errstate(all="ignore"):
        right, left = activation.function()(u) / u, activation.function()(-u) / -u
    if not (np.ptp(right) <= 1e-12 * abs(right[0]) and np.ptp(left) <= 1e-12 * abs(left[0])):
        raise ValueError(f"activation: expected φ(au) = a φ(u) for a >= 0, as of relu or leaky_relu, got {activation}")
    return float(right[0] ** 2 + left[0] ** 2) / 2


def block_bounds(eigenvalues: ArrayLike, squares: ArrayLike, units: int, count: int | None = None) -> Floats:
    """Upper bounds on the eigenvalues λ_1 >= λ_2 >= … of a layer's block F^l: ``max_n |δ|² λ_⌈i/M_l⌉((1/N) Σ hhᵀ)``.

    By symmetry the same function gives ``max_n |h|² λ_⌈i/M_{l-1}⌉((1/N) Σ δδᵀ)``; each bound is M-fold. The claim with
    the same index on both sides, λ_i(F^l) <= c λ_i((1/N) Σ hhᵀ), is false: docs/bounds.md has a counterexample.

    Parameters
    ----------
    eigenvalues
        Those of (1/N) Σ_n h hᵀ (or δ δᵀ), in any order; ones left out count as 0.
    squares
        |δ|² (or |h|²) of each sample. For C outputs at once, the squared spectral norms of the matrices δ_1..δ_C (or
        |h|², with (1/N) Σ_n Σ_k δ_k δ_kᵀ).
    units
        M_l, the length of δ (or M_{l-1}, that of h): how often each eigenvalue counts.
    count
        How many bounds, the largest first; by default as many as there are ``squares``, which is the rank of the block
        of one output.

    Raises
    ------
    ValueError, TypeError
        For arrays that are no vectors of finite numbers >= 0 (eigenvalues: up to rounding), or sizes that are no
        positive integers.
    """
    levels, c = _spectrum(eigenvalues), _vector("squares", squares)
    wanted = len(c) if count is None else integer("count", count, 1)
    place = np.arange(wanted) // positive_integer("units", units)
    return np.asarray(c.max() * np.where(place < len(levels), levels[np.minimum(place, len(levels) - 1)], 0.0))


def partial_sum_bounds(eigenvalues: ArrayLike, squares: ArrayLike) -> Floats:
    """Upper bounds on λ_1 + … + λ_i of a layer's block of one output, i = 1..N: ``Σ_{j<=i} |δ|²_[j] λ_j((1/N) Σ hhᵀ)``.

    Of a Schur product: the block's non-zero spectrum is that of (1/N) (h·h') ∘ (δ·δ'), and ``|δ|²_[j]`` are the sorted
    diagonal entries of the second factor (Horn and Johnson, Topics in Matrix Analysis, 5.5.19). h and δ may change
    places. Parameters as for :func:`block_bounds`.

    Raises
    ------
    ValueError, TypeError
        For arrays that are no vectors of finite numbers >= 0 (eigenvalues: up to rounding), or more eigenvalues than
        squares that are not 0.
    """
    levels, c = _spectrum(eigenvalues), _vector("squares", squares)
    if np.any(levels[len(c) :] > 1e-12 * levels[0]):
        raise ValueError(f"squares: expected one for each sample, got {len(c)} for {len(levels)} eigenvalues")
    padded = np.append(levels, np.zeros(len(c)))[: len(c)]
    return np.cumsum(np.sort(c)[::-1] * padded)


def _vector(field: str, values: ArrayLike) -> Floats:
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{field}: expected an array of numbers, got {type(values).__name__}") from None
    if found.ndim != 1 or found.size == 0:
        raise ValueError(f"{field}: expected one axis with at least one number, got the shape {found.shape}")
    wrong = found[~(np.isfinite(found) & (found >= 0))]
    if wrong.size:
        raise ValueError(f"{field}: expected finite numbers of at least 0, got {wrong[0]}")
    return found


def _spectrum(eigenvalues: ArrayLike) -> Floats:
    """Descending; a negative number that an eigensolver may have made of 0 counts as 0."""
    values = np.asarray(eigenvalues, dtype=np.float64)
    rounding = 1e-12 * float(np.abs(values).max(initial=0.0))
    return np.sort(_vector("eigenvalues", np.where((values < 0) & (values >= -rounding), 0.0, values)))[::-1]
