"""The order parameters of the bulk's law as the stationary point of a potential, and the explicit inverse z(p).

p(z) = ∫ dμ(λ)/(λ - z) is the Stieltjes transform of the bulk. At fixed p the order parameters y = (s_0..s_{L-1},
S_0..S_{L-1}, t_1..t_{L-1}, T_1..T_{L-1}) make

    Ψ(y, p) = Σ_l (S_l - c_l) s_l + Σ_l (T_l - d_l) t_l / C - E_λ log(1 + ρ_0 λ S_0 p)/ρ_0
              - Σ_{l>0} E_l[(C - 1) log a + log D] / (C ρ_l),   a = 1 + ρ S_l A,  D = a (1 + ρ T_l G) - ρ² S_l T_l B²

stationary (A, B, G: :mod:`meanfield.refinements.features`; λ: eigenvalues of the inputs' covariance), and then

    z(p) = R + X - 1/p,   X = -∂Ψ/∂p,   R = r² / (r + (v₀ + v₁ k + v₂ k²) p),  k = X/X(0)

where v are finite-size terms (:mod:`meanfield.refinements.sample_noise`; 0 in the limit, R = r). One Hessian serves
Newton's method at fixed p, Newton's method at fixed z, and dz/dp. Compiled code takes node values; the same code runs
on the real axis and in the complex plane.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["at_p", "at_z", "descend", "fold", "follow", "solve_between", "start", "trace"]

_CONVERGED = 1e-8  # of a Newton step, relative: what is left is of the order of its square
_NOTHING = 1e-14  # what an order parameter is where rounding alone makes it different from 0


@njit(cache=True, error_model="numpy")
def _layer(s: Any, t: Any, p: Any, S: Any, T: Any, rho: Any, C: Any, rows: Any, first: Any, second: Any) -> None:
    """First and second derivatives of E[(C - 1) log a + log D] with respect to (s, t, p, S, T), added up."""
    D1, D2, rS, rT = first.copy(), second.copy(), rho * S, rho * T
    first[:] = 0
    second[:] = 0
    D2[:] = 0
    for k in range(rows.shape[0]):
        w = rows[k, 0]
        As, Ap, Bs, Bp, Gs, Gt, Gp = rows[k, 1], rows[k, 2], rows[k, 3], rows[k, 4], rows[k, 5], rows[k, 6], rows[k, 7]
        A, B, G = As * s + Ap * p, Bs * s + Bp * p, Gs * s + Gt * t + Gp * p
        a, g = 1 + rS * A, 1 + rT * G
        rB = rho * B
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
        if C > 1:
            v, ia = w * (C - 1), 1 / a
            fs, fp, fS = rS * As * ia, rS * Ap * ia, rho * A * ia
            first[0] += v * fs
            first[2] += v * fp
            first[3] += v * fS
            second[0, 0] -= v * fs * fs
            second[0, 2] -= v * fs * fp
            second[2, 2] -= v * fp * fp
            second[0, 3] += v * (rho * As * ia - fs * fS)
            second[2, 3] += v * (rho * Ap * ia - fp * fS)
            second[3, 3] -= v * fS * fS
    for i in range(5):
        for j in range(i):
            second[i, j] = second[j, i]


@njit(cache=True, error_model="numpy")
def _derivatives(y: Any, p: Any, law: Any, gradient: Any, hessian: Any) -> bool:
    """The gradient and Hessian of Ψ with respect to (y, p); and whether they are finite."""
    C, rho, c, d, _, inputs, table, starts = law
    L = len(rho)
    n = 4 * L - 2
    gradient[:] = 0
    hessian[:] = 0
    first, second = np.zeros(5, y.dtype), np.zeros((5, 5), y.dtype)
    place = np.empty(5, np.int64)
    for l in range(L):
        gradient[l] += y[L + l] - c[l]
        gradient[L + l] += y[l]
        hessian[l, L + l] += 1
        hessian[L + l, l] += 1
        if l > 0:
            t, T = 2 * L + l - 1, 3 * L + l - 2
            gradient[t] += (y[T] - d[l]) / C
            gradient[T] += y[t] / C
            hessian[t, T] += 1 / C
            hessian[T, t] += 1 / C
    S = y[L]
    for k in range(inputs.shape[1]):
        x, w = inputs[0, k], inputs[1, k]
        inverse = 1 / (1 + rho[0] * x * S * p)
        gradient[L] -= w * x * p * inverse
        gradient[n] -= w * x * S * inverse
        hessian[L, L] += w * rho[0] * (x * p * inverse) ** 2
        hessian[n, n] += w * rho[0] * (x * S * inverse) ** 2
        hessian[L, n] -= w * x * inverse * inverse
        hessian[n, L] -= w * x * inverse * inverse
    for l in range(1, L):
        last = l == L - 1
        t = y[l - 1] * 0 if last else y[2 * L + l]
        _layer(y[l - 1], t, p, y[L + l], y[3 * L + l - 2], rho[l], C, table[starts[l] : starts[l + 1]], first, second)
        place[0], place[1], place[2], place[3], place[4] = l - 1, 2 * L + l, n, L + l, 3 * L + l - 2
        factor = 1 / (C * rho[l])
        for i in range(5):
            if last and i == 1:
                continue
            gradient[place[i]] -= factor * first[i]
            for j in range(5):
                if not (last and j == 1):
                    hessian[place[i], place[j]] -= factor * second[i, j]
    return bool(np.isfinite(np.sum(np.abs(hessian)) + np.sum(np.abs(gradient))))


@njit(cache=True, error_model="numpy")
def _ridge(p: Any, X: Any, r: Any) -> Any:
    """R with its derivatives with respect to p and to X; ``r`` = (r, v₀, v₁, v₂, X(0))."""
    zero = 0 * p * X
    if r[0] <= 0:
        return zero, zero, zero
    k = X / r[4]
    v = r[1] + r[2] * k + r[3] * k * k
    below = r[0] + v * p
    slope = -((r[0] / below) ** 2)
    return r[0] * r[0] / below + zero, slope * v, slope * p * (r[2] + 2 * r[3] * k) / r[4]


@njit(cache=True, error_model="numpy")
def start(law: Any) -> Any:
    """y at p = 0, where s = t = 0 and the others follow from the top layer down and from the bottom layer up."""
    C, rho, c, d, _, _, table, starts = law
    L = len(rho)
    y = np.zeros(4 * L - 2)
    for l in range(1, L):
        T = 0.0 if l == 1 else y[3 * L + l - 3]
        back = 0.0
        if l > 1:
            rows = table[starts[l - 1] : starts[l]]
            for k in range(rows.shape[0]):
                back += rows[k, 0] * rows[k, 6]
        y[3 * L + l - 2] = d[l] + T * back
    y[2 * L - 1] = c[L - 1]
    for l in range(L - 1, 0, -1):
        rows = table[starts[l] : starts[l + 1]]
        total = 0.0
        for k in range(rows.shape[0]):
            total += rows[k, 0] * (C * y[L + l] * rows[k, 1] + y[3 * L + l - 2] * rows[k, 5])
        y[L + l - 1] = c[l - 1] + total / C
    return y


@njit(cache=True, error_model="numpy")
def at_p(p: Any, y: Any, law: Any, steps: int) -> Any:
    """Newton's method for y at fixed p, in place: z, dz/dp, X and the last relative step."""
    n = len(y)
    gradient, hessian = np.zeros(n + 1, y.dtype), np.zeros((n + 1, n + 1), y.dtype)
    change = np.inf
    for _ in range(steps):
        if not _derivatives(y, p, law, gradient, hessian):
            change = np.inf
            break
        step = np.linalg.solve(hessian[:n, :n].copy(), gradient[:n].copy())
        change = 0.0
        for i in range(n):
            change = max(change, abs(step[i]) / (abs(y[i]) + abs(y[i] - step[i]) + _NOTHING))
        if not np.isfinite(change):
            break
        y -= step
        if change < _CONVERGED:
            break
    if not _derivatives(y, p, law, gradient, hessian):
        return np.nan * p, np.nan * p, np.nan * p, np.inf
    X = -gradient[n]
    response = np.linalg.solve(hessian[:n, :n].copy(), hessian[:n, n].copy())
    slope = -hessian[n, n] + np.sum(hessian[n, :n] * response)
    R, R_p, R_X = _ridge(p, X, law[4])
    return R + X - 1 / p, (1 + R_X) * slope + R_p + 1 / (p * p), X, change


@njit(cache=True, error_model="numpy")
def at_z(z: Any, p: Any, y: Any, law: Any, steps: int) -> Any:
    """Newton's method for (y, p) at fixed z; ``y`` in place: p, the tangent dp/dz, dy/dz and the last relative step."""
    n = len(y)
    gradient, hessian = np.zeros(n + 1, y.dtype), np.zeros((n + 1, n + 1), y.dtype)
    right = np.zeros((n + 1, 2), y.dtype)
    change = np.inf
    for _ in range(steps):
        if not _derivatives(y, p, law, gradient, hessian):
            change = np.inf
            break
        X = -gradient[n]
        R, R_p, R_X = _ridge(p, X, law[4])
        right[:n, 0] = gradient[:n]
        right[n, 0] = R + X - 1 / p - z
        right[n, 1] = 1
        # The last row turns from that of X = -∂Ψ/∂p to that of z.
        hessian[n] *= -(1 + R_X)
        hessian[n, n] += R_p + 1 / (p * p)
        solved = np.linalg.solve(hessian, right)
        change = abs(solved[n, 0]) / (abs(p) + _NOTHING)
        for i in range(n):
            change = max(change, abs(solved[i, 0]) / (abs(y[i]) + abs(y[i] - solved[i, 0]) + _NOTHING))
        if not np.isfinite(change):
            break
        y -= solved[:n, 0]
        p -= solved[n, 0]
        if change < _CONVERGED:
            break
    return p, solved[:, 1].copy(), change


@njit(cache=True, error_model="numpy")
def follow(z: Any, p: Any, y: Any, tangent: Any, goal: Any, law: Any) -> Any:
    """Walk from a solution at z to one at ``goal`` on a straight line in the upper half-plane, in steps as long as
    Newton's method bears. ``y`` and ``tangent`` in place: p and the last relative step (inf: it did not arrive)."""
    n = len(y)
    fraction, length = 0.0, 1.0
    there = goal - z
    trial = y.copy()
    for _ in range(400):
        length = min(length, 1 - fraction)
        step = there * length
        trial[:] = y + step * tangent[:n]
        found, slope, change = at_z(z + there * (fraction + length), p + step * tangent[n], trial, law, 8)
        if change < _CONVERGED and found.imag > 0:
            fraction += length
            p = found
            y[:] = trial
            tangent[:] = slope
            if fraction >= 1 - 1e-14:
                return p, change
            length *= 2
        else:
            length /= 4
            if length < 1e-7:
                break
    return p, np.inf


@njit(cache=True, error_model="numpy")
def _regular(p: Any, y: Any, law: Any) -> bool:
    """Whether a real solution lies where it is connected to p = 0: before any logarithm of Ψ has become singular."""
    _, rho, _, _, _, inputs, table, starts = law
    L = len(rho)
    for k in range(inputs.shape[1]):
        if not 1 + rho[0] * inputs[0, k] * y[L] * p > 0:
            return False
    for l in range(1, L):
        s, S, T = y[l - 1], rho[l] * y[L + l], rho[l] * y[3 * L + l - 2]
        t = 0.0 if l == L - 1 else y[2 * L + l]
        for k in range(starts[l], starts[l + 1]):
            A, B = table[k, 1] * s + table[k, 2] * p, table[k, 3] * s + table[k, 4] * p
            a, g = 1 + S * A, 1 + T * (table[k, 5] * s + table[k, 6] * t + table[k, 7] * p)
            if not (a > 0 and a * g > S * T * B * B):
                return False
    return True


@njit(cache=True, error_model="numpy")
def fold(p: Any, y: Any, factor: Any, limit: Any, law: Any) -> Any:
    """Walk on the real axis from p by powers of ``factor`` until dz/dp > 0 ends, then find where: (p, z, y).

    Without such a place: (p, z, y) at |p| = ``limit``; NaN for z where Newton's method no longer arrives.
    """
    inside, at_inside = y.copy(), p
    z, slope, _, change = at_p(p, inside, law, 30)
    slope_inside = slope * p * p
    outside = inside.copy()
    stop = False
    while not stop:
        if (factor > 1) == (abs(p * factor) > limit):
            return p, z, inside
        outside[:] = inside
        p = at_inside * factor
        z, slope, _, change = at_p(p, outside, law, 12)
        if change > 1e-7 or not np.isfinite(z) or (factor > 1 and not _regular(p, outside, law)):
            factor = factor**0.5
            if abs(factor - 1) < 1e-6:
                return p, np.nan, inside
        elif slope > 0:
            inside[:], at_inside, slope_inside = outside, p, slope * p * p
        else:
            stop = True
    at_outside, slope_outside = p, slope * p * p
    trial = inside.copy()
    for _ in range(60):  # bisection and the secant method in turns, on dz/d(1/p)
        share = 0.5 if _ % 3 == 2 else slope_inside / (slope_inside - slope_outside)
        p = at_inside + share * (at_outside - at_inside)
        trial[:] = inside
        z, slope, _, change = at_p(p, trial, law, 20)
        if slope > 0:
            inside[:], at_inside, slope_inside = trial, p, slope * p * p
        else:
            at_outside, slope_outside = p, slope * p * p
        if abs(at_outside - at_inside) < 1e-10 * abs(p) or abs(slope * p * p) < 1e-10:
            break
    return p, z, trial


@njit(cache=True, error_model="numpy")
def descend(z: Any, law: Any) -> Any:
    """The solution at z, Im z > 0, reached from far above: (p, y, tangent, last relative step)."""
    y = start(law).astype(np.complex128)
    height = max(100.0, 10 * abs(z))
    here = z.real + 1j * height
    p = 1 / (1 - here)
    p, tangent, change = at_z(here, p, y, law, 40)
    while here.imag > z.imag:
        goal = z.real + 1j * max(z.imag, here.imag / 2)
        p, change = follow(here, p, y, tangent, goal, law)
        if not np.isfinite(change):
            break
        here = goal
    return p, y, tangent, change


@njit(cache=True, error_model="numpy")
def trace(zs: Any, p: Any, y: Any, law: Any) -> Any:
    """Solutions at each of ``zs``, neighbours near each other: p, y, and the last relative steps.

    The first starts from ``p`` and ``y``, the others from their two predecessors, and where that fails from afar.
    """
    count, n = len(zs), len(y)
    ps, ys, changes = np.zeros(count, np.complex128), np.zeros((count, n), np.complex128), np.zeros(count)
    for i in range(count):
        guess, trial = p, y.copy()
        if i == 1:
            guess, trial = ps[0], ys[0].copy()
        elif i > 1:
            guess, trial = 2 * ps[i - 1] - ps[i - 2], 2 * ys[i - 1] - ys[i - 2]
        if guess.imag <= 0 and i > 0:
            guess, trial = ps[i - 1], ys[i - 1].copy()
        ps[i], ys[i], changes[i] = _solved(zs[i], guess, trial, law)
    return ps, ys, changes


@njit(cache=True, error_model="numpy")
def _solved(z: Any, p: Any, y: Any, law: Any) -> Any:
    found, _, change = at_z(z, p, y, law, 12)
    if not change < _CONVERGED or found.imag <= 0 or abs(found - p) > 0.5 * abs(p):
        found, y, _, change = descend(z, law)
    return found, y, change


@njit(cache=True, error_model="numpy")
def solve_between(zs: Any, left: Any, share: Any, ps: Any, ys: Any, law: Any) -> Any:
    """Solutions at each of ``zs`` from known ones: first guess (1 - share) of ``left`` and share of its neighbour."""
    found, changes = np.zeros(len(zs), np.complex128), np.zeros(len(zs))
    for i in range(len(zs)):
        j, x = left[i], share[i]
        p, y = (1 - x) * ps[j] + x * ps[j + 1], (1 - x) * ys[j] + x * ys[j + 1]
        found[i], _, changes[i] = _solved(zs[i], p, y, law)
    return found, changes
