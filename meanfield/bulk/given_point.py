"""The bulk's equations for given inputs: the law's network, but what it makes of these inputs taken from their kernel.

For i.i.d. inputs the deterministic part of the kernel is S_0 H + (r + X) I: H = X̃X̃ᵀ/M_0 is what is linear in the
inputs, and what activations bend of them is a multiple of the identity. For given inputs that part is R, no multiple of
it: S_0 H + (r + X) R, which at p = 0 is the mean-field kernel itself. In the kernel's eigenvectors, with the diagonal
elements μ_i and ϱ_i of H and R, the equations are those of :mod:`meanfield.bulk.fixed_point` without their inputs, and

    s_0 = ⟨μ/g⟩,   p_R = ⟨ϱ/g⟩,   p(z) = ⟨1/g⟩,   g_i = S_0 μ_i + (r + X) ϱ_i - z,

p_R in the place of p: it is what the neurons' noise meets. For ϱ = 1 this is the law for one H.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from meanfield.bulk.elimination import eliminate
from meanfield.bulk.equations import Equations
from meanfield.bulk.fixed_point import CONVERGED, derivatives, largest_step
from meanfield.bulk.unknowns import at_S

__all__ = ["along"]

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

_STEPS = 60


@njit(cache=True, error_model="numpy")
def _averages(S: complex, w: complex, z: complex, pairs: Floats) -> tuple[complex, ...]:
    """⟨1/g⟩, ⟨μ/g⟩, ⟨ϱ/g⟩, ⟨μ²/g²⟩, ⟨μϱ/g²⟩ and ⟨ϱ²/g²⟩."""
    one, m, r, mm, mr, rr = 0j, 0j, 0j, 0j, 0j, 0j
    for k in range(pairs.shape[1]):
        mu, rho = pairs[0, k], pairs[1, k]
        inverse = 1 / (S * mu + w * rho - z)
        one += inverse
        m += mu * inverse
        r += rho * inverse
        mm += (mu * inverse) ** 2
        mr += mu * rho * inverse * inverse
        rr += (rho * inverse) ** 2
    n = pairs.shape[1]
    return one / n, m / n, r / n, mm / n, mr / n, rr / n


@njit(cache=True, error_model="numpy")
def _at(z: complex, p: complex, y: Complexes, law: Equations, pairs: Floats) -> tuple[complex, complex, float]:
    """Newton's method for (y, p_R) at z, y in place: p(z), p_R, and the last relative step."""
    n, S = len(y), at_S(0, len(law.ratio))
    gradient, hessian = np.zeros(n + 1, y.dtype), np.zeros((n + 1, n + 1), y.dtype)
    right = np.zeros((n + 1, 1), y.dtype)
    change, trace = np.inf, 0j
    for _ in range(_STEPS):
        derivatives(y, p, law, gradient, hessian)
        # w = r + X, X = -∂Ψ/∂p, and its derivatives.
        w, slope = law.ridge.level - gradient[n], -hessian[n].copy()
        trace, m, r, mm, mr, rr = _averages(y[S], w, z, pairs)
        gradient[S] -= m
        hessian[S] += mr * slope
        hessian[S, S] += mm
        gradient[n] = p - r
        hessian[n] = rr * slope
        hessian[n, S] += mr
        hessian[n, n] += 1
        right[:, 0] = gradient
        eliminate(hessian, right)
        change = max(abs(right[n, 0]) / abs(p), largest_step(y, right))
        if not np.isfinite(change):
            break
        y -= right[:n, 0]
        p -= right[n, 0]
        if change < CONVERGED:
            break
    return trace, p, change


@njit(cache=True, error_model="numpy")
def along(zs: Complexes, y: Complexes, law: Equations, pairs: Floats) -> tuple[Complexes, float]:
    """p at every z of a path from far out, in small steps; and the largest of the last relative steps (NaN: lost).

    ``y``: the solution at p = 0. ``pairs`` (2, ·): μ and ϱ. The law is one without inputs.
    """
    values, worst = np.empty(len(zs), y.dtype), 0.0
    p, at = -np.mean(pairs[1]) / zs[0], y.copy()
    for k in range(len(zs)):
        values[k], p, change = _at(zs[k], p, at, law, pairs)
        if not change <= worst:  # NaN stays
            worst = change
    return values, worst
