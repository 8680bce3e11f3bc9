"""The order parameters of the bulk's law as the stationary point of a potential, and the explicit inverse z(p).

p(z) = ∫ dμ(λ)/(λ - z) is the Stieltjes transform of the bulk. At fixed p the order parameters y = (s_0..s_{L-1},
S_0..S_{L-1}, t_1..t_{L-1}, T_1..T_{L-1}) make

    Ψ(y, p) = Σ_l (S_l - c_l) s_l + Σ_l (T_l - d_l) t_l / C - E_λ log(1 + ρ_0 λ S_0 p)/ρ_0
              - Σ_{l>0} E_l[(C - 1) log a + log D] / (C ρ_l),   a = 1 + ρ S_l A,  D = a (1 + ρ T_l G) - ρ² S_l T_l B²

stationary (A, B, G: :mod:`meanfield.bulk.features`; λ: eigenvalues of the inputs' covariance), and then

    z(p) = R + X - 1/p,   X = -∂Ψ/∂p,   R = r² / (r + (v₀ + v₁ k + v₂ k²) p),  k = X/X(0)

where v are finite-size terms (:mod:`meanfield.bulk.sample_noise`; 0 in the limit, R = r). One Hessian serves
Newton's method at fixed p, Newton's method at fixed z, and dz/dp. Compiled code takes node values:
who calls it where is :mod:`meanfield.bulk.paths`.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from meanfield.bulk.elimination import eliminate
from meanfield.bulk.equations import Equations, Ridge
from meanfield.bulk.unknowns import at_S, at_s, at_T, at_t, count

__all__ = ["CONVERGED", "at_p", "at_z", "derivatives", "largest_step", "regular"]

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

CONVERGED = 1e-8  # of a Newton step, relative: what is left is of the order of its square
_NOTHING = 1e-14  # what an order parameter is where rounding alone makes it different from 0


@njit(cache=True, error_model="numpy")
def _log_d(
    s: complex, t: complex, p: complex, S: complex, T: complex, rho: float, rows: Floats, first: Complexes,
    second: Complexes,
) -> None:  # fmt: skip
    """First and second derivatives of E[log D] with respect to (s, t, p, S, T), the latter above the diagonal."""
    D1, D2, rS, rT = first.copy(), second.copy(), rho * S, rho * T
    first[:] = 0
    second[:] = 0
    D2[:] = 0
    for k in range(rows.shape[0]):
        w, As, Ap, Bs = rows[k, 0], rows[k, 1], rows[k, 2], rows[k, 3]
        Bp, Gs, Gt, Gp = rows[k, 4], rows[k, 5], rows[k, 6], rows[k, 7]
        A, B, G = As * s + Ap * p, Bs * s + Bp * p, Gs * s + Gt * t + Gp * p
        a, g, rB = 1 + rS * A, 1 + rT * G, rho * B
        inverse = 1 / (a * g - rS * rT * B * B)
        D1[0] = (rS * As * g + rT * Gs * a - 2 * rS * rT * B * Bs) * inverse
        D1[1] = rT * Gt * a * inverse
        D1[2] = (rS * Ap * g + rT * Gp * a - 2 * rS * rT * B * Bp) * inverse
        D1[3] = (rho * A * g - rT * rB * B) * inverse
        D1[4] = (rho * G * a - rS * rB * B) * inverse
        both = rS * rT * inverse
        D2[0, 0] = 2 * both * (As * Gs - Bs * Bs)
        D2[0, 1] = both * As * Gt
        D2[0, 2] = both * (As * Gp + Ap * Gs - 2 * Bs * Bp)
        D2[1, 2] = both * Ap * Gt
        D2[2, 2] = 2 * both * (Ap * Gp - Bp * Bp)
        D2[0, 3] = (rho * As * g + rT * rho * A * Gs - 2 * rT * rB * Bs) * inverse
        D2[1, 3] = rT * Gt * rho * A * inverse
        D2[2, 3] = (rho * Ap * g + rT * rho * A * Gp - 2 * rT * rB * Bp) * inverse
        D2[0, 4] = (rS * As * rho * G + rho * Gs * a - 2 * rS * rB * Bs) * inverse
        D2[1, 4] = rho * Gt * a * inverse
        D2[2, 4] = (rS * Ap * rho * G + rho * Gp * a - 2 * rS * rB * Bp) * inverse
        D2[3, 4] = (rho * rho * A * G - rB * rB) * inverse
        for i in range(5):
            first[i] += w * D1[i]
            for j in range(i, 5):
                second[i, j] += w * (D2[i, j] - D1[i] * D1[j])


@njit(cache=True, error_model="numpy")
def _add_log_a(
    s: complex, p: complex, S: complex, rho: float, C: float, rows: Floats, first: Complexes, second: Complexes
) -> None:
    """Those of E[(C - 1) log a], added."""
    for k in range(rows.shape[0]):
        w, As, Ap = rows[k, 0] * (C - 1), rows[k, 1], rows[k, 2]
        rS, A = rho * S, As * s + Ap * p
        inverse = 1 / (1 + rS * A)
        fs, fp, fS = rS * As * inverse, rS * Ap * inverse, rho * A * inverse
        first[0] += w * fs
        first[2] += w * fp
        first[3] += w * fS
        second[0, 0] -= w * fs * fs
        second[0, 2] -= w * fs * fp
        second[2, 2] -= w * fp * fp
        second[0, 3] += w * (rho * As * inverse - fs * fS)
        second[2, 3] += w * (rho * Ap * inverse - fp * fS)
        second[3, 3] -= w * fS * fS


@njit(cache=True, error_model="numpy")
def _add_products(y: Complexes, law: Equations, gradient: Complexes, hessian: Complexes) -> None:
    """The derivatives of Σ_l (S_l - c_l) s_l + Σ_l (T_l - d_l) t_l / C."""
    C, L = law.outputs, len(law.ratio)
    for l in range(L):
        s, S = at_s(l, L), at_S(l, L)
        gradient[s] += y[S] - law.features[l]
        gradient[S] += y[s]
        hessian[s, S] += 1
        hessian[S, s] += 1
        if l > 0:
            t, T = at_t(l, L), at_T(l, L)
            gradient[t] += (y[T] - law.gradients[l]) / C
            gradient[T] += y[t] / C
            hessian[t, T] += 1 / C
            hessian[T, t] += 1 / C


@njit(cache=True, error_model="numpy")
def _add_inputs(y: Complexes, p: complex, law: Equations, gradient: Complexes, hessian: Complexes) -> None:
    """The derivatives of -E_λ log(1 + ρ_0 λ S_0 p)/ρ_0."""
    L, rho = len(law.ratio), law.ratio[0]
    n, S = count(L), at_S(0, L)
    for k in range(law.inputs.shape[1]):
        x, w = law.inputs[0, k], law.inputs[1, k]
        inverse = 1 / (1 + rho * x * y[S] * p)
        gradient[S] -= w * x * p * inverse
        gradient[n] -= w * x * y[S] * inverse
        hessian[S, S] += w * rho * (x * p * inverse) ** 2
        hessian[n, n] += w * rho * (x * y[S] * inverse) ** 2
        hessian[S, n] -= w * x * inverse * inverse
        hessian[n, S] -= w * x * inverse * inverse


@njit(cache=True, error_model="numpy")
def derivatives(y: Complexes, p: complex, law: Equations, gradient: Complexes, hessian: Complexes) -> None:
    """The gradient and Hessian of Ψ with respect to (y, p)."""
    C, rho, L = law.outputs, law.ratio, len(law.ratio)
    gradient[:] = 0
    hessian[:] = 0
    _add_products(y, law, gradient, hessian)
    _add_inputs(y, p, law, gradient, hessian)
    first, second = np.zeros(5, y.dtype), np.zeros((5, 5), y.dtype)
    place = np.empty(5, np.int64)
    for l in range(1, L):
        last = l == L - 1
        s, t, S, T = at_s(l - 1, L), at_t(l + 1, L), at_S(l, L), at_T(l, L)
        rows = law.table[law.starts[l] : law.starts[l + 1]]
        _log_d(y[s], y[s] * 0 if last else y[t], p, y[S], y[T], rho[l], rows, first, second)
        if C > 1:
            _add_log_a(y[s], p, y[S], rho[l], C, rows, first, second)
        place[0], place[1], place[2], place[3], place[4] = s, t, count(L), S, T
        factor = 1 / (C * rho[l])
        for i in range(5):
            if last and i == 1:
                continue
            gradient[place[i]] -= factor * first[i]
            for j in range(5):
                if not (last and j == 1):
                    hessian[place[i], place[j]] -= factor * second[min(i, j), max(i, j)]


@njit(cache=True, error_model="numpy")
def _ridge(p: complex, X: complex, ridge: Ridge) -> tuple[complex, complex, complex]:
    """R with its derivatives with respect to p and to X."""
    zero = 0 * p * X
    r = ridge.level
    if r <= 0:
        return zero, zero, zero
    k = X / ridge.slope
    v = ridge.own + ridge.mixed * k + ridge.linear * k * k
    below = r + v * p
    slope = -((r / below) ** 2)
    return r * r / below + zero, slope * v, slope * p * (ridge.mixed + 2 * ridge.linear * k) / ridge.slope


@njit(cache=True, error_model="numpy")
def largest_step(y: Complexes, step: Complexes) -> float:
    change = 0.0
    for i in range(len(y)):
        share = abs(step[i, 0]) / (abs(y[i]) + abs(y[i] - step[i, 0]) + _NOTHING)
        if not share <= change:  # NaN stays
            change = share
    return change


@njit(cache=True, error_model="numpy")
def at_p(p: complex, y: Complexes, law: Equations, steps: int) -> tuple[complex, complex, complex, float]:
    """Newton's method for y at fixed p, in place: z, dz/dp, X and the last relative step (NaN: it ended)."""
    n = len(y)
    gradient, hessian = np.zeros(n + 1, y.dtype), np.zeros((n + 1, n + 1), y.dtype)
    right = np.zeros((n, 1), y.dtype)
    change = np.inf
    for _ in range(steps):
        derivatives(y, p, law, gradient, hessian)
        right[:, 0] = gradient[:n]
        eliminate(hessian[:n, :n], right)
        change = largest_step(y, right)
        if not np.isfinite(change):
            break
        y -= right[:, 0]
        if change < CONVERGED:
            break
    derivatives(y, p, law, gradient, hessian)
    X = -gradient[n]
    slope = -hessian[n, n]
    right[:, 0] = hessian[:n, n]
    eliminate(hessian[:n, :n], right)
    slope += np.sum(hessian[n, :n] * right[:, 0])
    R, R_p, R_X = _ridge(p, X, law.ridge)
    return R + X - 1 / p, (1 + R_X) * slope + R_p + 1 / (p * p), X, change


@njit(cache=True, error_model="numpy")
def at_z(z: complex, p: complex, y: Complexes, law: Equations, steps: int) -> tuple[complex, Complexes, float]:
    """Newton's method for (y, p) at fixed z; ``y`` in place: p, the tangent d(y, p)/dz and the last relative step."""
    n = len(y)
    gradient, hessian = np.zeros(n + 1, y.dtype), np.zeros((n + 1, n + 1), y.dtype)
    right = np.zeros((n + 1, 2), y.dtype)
    change = np.inf
    for _ in range(steps):
        derivatives(y, p, law, gradient, hessian)
        X = -gradient[n]
        R, R_p, R_X = _ridge(p, X, law.ridge)
        right[:n, 0] = gradient[:n]
        right[n, 0] = R + X - 1 / p - z
        right[:, 1] = 0
        right[n, 1] = 1
        # The last row turns from that of X = -∂Ψ/∂p to that of z.
        hessian[n] *= -(1 + R_X)
        hessian[n, n] += R_p + 1 / (p * p)
        eliminate(hessian, right)
        change = max(abs(right[n, 0]) / (abs(p) + _NOTHING), largest_step(y, right))
        if not np.isfinite(change):
            break
        y -= right[:n, 0]
        p -= right[n, 0]
        if change < CONVERGED:
            break
    return p, right[:, 1].copy(), change


@njit(cache=True, error_model="numpy")
def regular(p: float, y: Complexes, law: Equations) -> bool:
    """Whether a real solution lies where it is connected to p = 0: before any logarithm of Ψ has become singular."""
    rho, L = law.ratio, len(law.ratio)
    for k in range(law.inputs.shape[1]):
        if not 1 + rho[0] * law.inputs[0, k] * y[at_S(0, L)].real * p > 0:
            return False
    for l in range(1, L):
        s, S, T = y[at_s(l - 1, L)].real, rho[l] * y[at_S(l, L)].real, rho[l] * y[at_T(l, L)].real
        t = 0.0 if l == L - 1 else y[at_t(l + 1, L)].real
        for k in range(law.starts[l], law.starts[l + 1]):
            row = law.table[k]
            As, Ap, Bs, Bp, Gs, Gt, Gp = row[1], row[2], row[3], row[4], row[5], row[6], row[7]
            a, g, B = 1 + S * (As * s + Ap * p), 1 + T * (Gs * s + Gt * t + Gp * p), Bs * s + Bp * p
            if not (a > 0 and a * g > S * T * B * B):
                return False
    return True
