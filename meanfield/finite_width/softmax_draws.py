"""Networks drawn from the joint law of logits and kernels at finite width, to order 1/M.

(S, θ), the covariance of the logits and the mean of the dual matrix given the hidden layers, fluctuate together
(:class:`meanfield.finite_width.covariance.Outputs`). Exchangeable samples part their covariance into a mode common to
all samples and one of each sample's own:

    S_st = S_o + r_s + r_t,   S_ss = S_d + d_s,   the same of θ

What belongs to a pair alone averages out but for its covariance between S and θ. Given them the logits are Gaussian,
f_k(s) = (1 + r_s/S_o) √S_o ζ_k + ξ_k(s), and K_kk'(s,t) = θ_st δ_kk' + G_kk'. Logits and K share the output weights:
given the logits' common part, E K_kk' is moved by Q (ζ_k ζ_k' - δ_kk')/S_o, with Q = Cov(f_k(p) f_k'(q), K_kk'(st)) at
four different samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.classes import CLASSES, class_of, occurrences
from meanfield.finite_width.covariance import Outputs
from meanfield.finite_width.outliers import average, wishart_units

__all__ = ["Draws", "draw_networks"]

Floats = NDArray[np.float64]

_SEED = 20203
_REPLICATES = 8  # whose scatter is the error estimate
_LOGITS = 2048  # a replicate, of one sample
_FEWEST, _MOST = 32, 256  # networks a replicate; powers of 2
_SAMPLES = 128  # drawn at most, as at leading order
_AXES = 256  # of the low-discrepancy set
_LEAST = 0.05  # of the variance of ξ: how little a fluctuation may leave of it
_EXACT = 1e6  # units above which χ is Gaussian to rounding

# X_st - r_s - r_t of X_st has the variance G(st;st) - 2 G(st;sp) + G(st;pq).
_PAIR_ALONE = np.zeros(len(CLASSES))
_PAIR_ALONE[[class_of(0, 1, 0, 1), class_of(0, 1, 0, 2), class_of(0, 1, 2, 3)]] = 1.0, -2.0, 1.0


@dataclass(frozen=True)
class Draws:
    """Networks on the first axis, in equal ``replicates`` one after the other.

    ``f`` are the logits, × C × samples; ``same`` (× samples) is θ_ss and ``other`` θ_st. ``shared`` (× C × C) is what
    K_kk'(s,t) has beside, on average over all s, t, and ``diagonal`` the same over s = t. ``rows`` (× samples) is r_θ,
    and ``pair`` the covariance of S_st and θ_st that belongs to the pair alone.
    """

    f: Floats
    same: Floats
    other: Floats
    shared: Floats
    diagonal: Floats
    rows: Floats
    pair: float
    replicates: int = _REPLICATES


def draw_networks(law: Outputs, coupling: Floats, outputs: int, samples: int) -> Draws:
    """Networks of N samples (represented by fewer, if many), the same for the same input. ``coupling`` is σ_w⁴ Q."""
    count = min(samples, _SAMPLES)
    points = 2 ** int(np.log2(np.clip(_LOGITS / outputs, _FEWEST, _MOST)))
    uniform = _uniform(points, outputs + 4 + outputs * (outputs + 1))
    zeta, modes, of_wishart, of_diagonal = np.split(
        uniform, np.cumsum([outputs, 4, outputs * (outputs + 1) // 2]), axis=1
    )
    rng = np.random.default_rng(_SEED)
    mean = (law.mean + law.shift).T.reshape(-1)  # S_d, θ_d, S_o, θ_o
    covariance = law.covariance.sum(axis=0)
    gap_variance, gap, variance, other = _common(mean, covariance, _normal(modes)).T
    own = rng.standard_normal((len(gap), count, 4)) @ _factor(_own(covariance)).T
    along = np.divide(own[..., 2], variance[:, None], out=np.zeros_like(own[..., 2]), where=variance[:, None] > 0)
    along = 1 + np.clip(along, -1, 1)
    spread = (variance + gap_variance)[:, None] + own[..., 0] - along**2 * variance[:, None]
    spread = np.maximum(spread, _LEAST * gap_variance[:, None])
    zeta = _normal(zeta)
    xi = np.sqrt(spread)[:, None] * rng.standard_normal((len(gap), outputs, count))
    shared, diagonal = _shared(law, float(samples), outputs, of_wishart, of_diagonal)
    between = float(coupling[class_of(0, 1, 2, 3)])
    if mean[2] > 0:
        shared = shared + between / mean[2] * (zeta[:, :, None] * zeta[:, None] - np.eye(outputs))
    return Draws(
        f=along[:, None] * (np.sqrt(variance)[:, None] * zeta)[:, :, None] + xi,
        same=(gap + other)[:, None] + own[..., 1],
        other=other,
        shared=shared,
        diagonal=diagonal,
        rows=own[..., 3],
        pair=float(covariance[0, 1] @ _PAIR_ALONE),
    )


def _uniform(points: int, dimensions: int) -> Floats:
    """Randomly shifted copies of a low-discrepancy set in the open unit cube (behind its first axes: random points)."""
    from scipy.stats import qmc

    rng = np.random.default_rng(_SEED)
    lattice = np.zeros((points, dimensions))
    lattice[:, :_AXES] = qmc.Sobol(min(dimensions, _AXES), scramble=False).random(points)
    lattice = lattice + np.where(np.arange(dimensions) < _AXES, 0.0, rng.random((points, dimensions)))
    shifted = (lattice + rng.random((_REPLICATES, 1, dimensions))) % 1.0
    return np.clip(shifted.reshape(-1, dimensions), 1e-15, 1 - 1e-15)


def _normal(uniform: Floats) -> Floats:
    from scipy.special import ndtri

    values: Floats = ndtri(uniform)
    return values


def _factor(covariance: Floats) -> Floats:
    """A with A Aᵀ = covariance, what rounding or the expansion makes negative taken as 0."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    factor: Floats = vectors * np.sqrt(np.maximum(values, 0.0))
    return factor


def _common(mean: Floats, covariance: Floats, normal: Floats) -> Floats:
    """(S_d - S_o, θ_d - θ_o, S_o, θ_o), a network a row: log-normal where the mean is positive."""
    gaps = np.kron(np.array([[1.0, -1.0], [0.0, 1.0]]), np.eye(2))
    factor = _factor(gaps @ _blocks(covariance, (0, 0, 1, 1), (0, 0, 1, 2), (0, 1, 2, 3)) @ gaps.T)
    mean, deviation = gaps @ mean, np.sqrt(np.sum(factor**2, axis=1))
    positive = mean > 0
    ratio = np.divide(deviation, mean, out=np.zeros(4), where=positive)
    standard = np.divide(normal @ factor.T, deviation, out=np.zeros_like(normal), where=deviation > 0)
    width = np.sqrt(np.log1p(ratio**2))
    values: Floats = np.where(
        positive, mean * np.exp(width * standard - width**2 / 2), np.maximum(mean, 0.0) + deviation * standard
    )
    values[:, [0, 2]] = np.maximum(values[:, [0, 2]], 0.0)
    return values


def _own(covariance: Floats) -> Floats:
    """Of (d_S, d_θ, r_S, r_θ)."""
    of_one = _blocks(covariance, (0, 0, 0, 0), (0, 0, 0, 1), (0, 1, 0, 2))
    return of_one - _blocks(covariance, (0, 0, 1, 1), (0, 0, 1, 2), (0, 1, 2, 3))


def _blocks(covariance: Floats, same: tuple[int, ...], mixed: tuple[int, ...], other: tuple[int, ...]) -> Floats:
    """(S, θ) of equal samples and of different ones, from the classes of their covariances."""
    crossed = covariance[..., class_of(*mixed)]
    return np.block([[covariance[..., class_of(*same)], crossed], [crossed.T, covariance[..., class_of(*other)]]])


def _shared(law: Outputs, n: float, outputs: int, wishart: Floats, diagonal: Floats) -> tuple[Floats, Floats]:
    """G, a generalised Wishart matrix less its mean, and what it is on average over s = t."""
    variance = max(average(law.crossing, n), 0.0)
    joint = float(occurrences("st,pp", n) @ law.crossing) / n**3
    alone = float(occurrences("ss,pp", n) @ law.crossing) / n**2
    step, units = wishart_units(variance, law)
    matrices = step * _wishart(units, outputs, wishart) if step > 0 else np.zeros((len(wishart), outputs, outputs))
    slope = joint / variance if variance > 0 else 0.0
    rest = np.sqrt(max(alone - slope * joint, 0.0))
    return matrices, slope * matrices + rest * _symmetric(outputs, diagonal)


def _wishart(units: float, outputs: int, uniform: Floats) -> Floats:
    """W_C(μ) - μ 1, real μ, by Bartlett's decomposition."""
    from scipy.special import gammaincinv

    freedom = np.maximum(units - np.arange(outputs), 1e-3)
    first = uniform[:, :outputs]
    factor = np.zeros((len(uniform), outputs, outputs))
    index, below = np.arange(outputs), np.tril_indices(outputs, -1)
    if units < _EXACT:
        factor[:, index, index] = np.sqrt(2 * gammaincinv(freedom / 2, first))
    else:
        factor[:, index, index] = np.sqrt(freedom) + _normal(first) / np.sqrt(2)
    factor[:, below[0], below[1]] = _normal(uniform[:, outputs:])
    centred: Floats = factor @ np.swapaxes(factor, 1, 2) - units * np.eye(outputs)
    return centred


def _symmetric(outputs: int, uniform: Floats) -> Floats:
    """GOE: variance 1, and 2 on the diagonal."""
    matrices = np.zeros((len(uniform), outputs, outputs))
    at = np.tril_indices(outputs)
    matrices[:, at[0], at[1]] = matrices[:, at[1], at[0]] = _normal(uniform)
    index = np.arange(outputs)
    matrices[:, index, index] *= np.sqrt(2.0)
    return matrices
