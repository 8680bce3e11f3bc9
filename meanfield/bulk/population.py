"""The spectrum of a population's covariance from that of a sample: the Marchenko-Pastur law, inverted.

n samples x = Σ^½ z of d features, c = d/n. The sample covariance's eigenvalues λ_i are spread around those of Σ. By
Marchenko, Pastur and Silverstein, with the weights w of Σ's eigenvalues τ and v(z) = (c (1 + z m(z)) - 1)/z,

    Σ_k w_k τ_k v/(1 + τ_k v) = 1 + z m(z),     m(z) = d⁻¹ Σ_i 1/(λ_i - z).

Both m and v are measured, so that this is linear in w: over a grid of τ and of z around the support, non-negative least
squares find w (El Karoui, Ann. Statist. 36, 2757 (2008), by squares in place of the largest deviation). Such a solution
sits on few atoms, each the better resolved the more samples there are. Hence replicas: samples drawn from that solution
are inverted in the same way. Their mean is the estimate, and smooth where the data don't say where the atoms are; the
largest distance of a replica from what it was drawn from is the error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.spec.checks import positive_integer

__all__ = ["PopulationSpectrum", "population_spectrum"]

Floats = NDArray[np.float64]

_REPLICAS = 8
_ATOMS, _POINTS = 120, 60  # of the grids of τ and of |z|
_ANGLES = (0.1, 0.5, np.pi)  # of z: near the support, above it, and the negative axis
_LEAST = 1e-4  # of the largest eigenvalue: where the grid of τ begins if n <= d, which hides the least eigenvalues
_ZERO = 1e-12  # of the largest eigenvalue: rounding
_FIRM = 10.0  # weight of mass and mean, relative to that of all other equations
_ROUGH = 0.25  # relative error from which the estimate is no more than a hint


@dataclass(frozen=True, eq=False)
class PopulationSpectrum:
    """Estimated eigenvalues of a population's covariance.

    Attributes
    ----------
    eigenvalues
        d of them, descending; their mean is that of the sample's.
    error
        Of the whole: the Wasserstein distance d⁻¹ Σ|τ_i - τ̂_i| that estimates from samples of this size have at most,
        as far as eight replicas show. Over planted spectra (``benchmarks/bench_population.py``) the true distance was
        beyond it in 10 of 540 cases.
    status
        ``"ok"``, or ``"rough"``: the error is above a quarter of the mean.
    """

    eigenvalues: Floats
    error: float
    status: str


def population_spectrum(sample_eigenvalues: ArrayLike, samples: int, features: int) -> PopulationSpectrum:
    """Estimate a covariance's eigenvalues from those of a sample covariance.

    Parameters
    ----------
    sample_eigenvalues
        Eigenvalues of XᵀX/n, or of the centred X with n - 1 in place of n: all d, or the non-zero ones.
    samples
        n, the degrees of freedom: N for mean-zero inputs, N - 1 after the mean's subtraction.
    features
        d. Where the sample has more zeros than n < d explains, the population has them, too.

    Raises
    ------
    ValueError, TypeError
        Unless there are between one and d finite eigenvalues, none negative beyond rounding and some positive, of which
        at most n are non-zero.
    """
    n, d = positive_integer("samples", samples), positive_integer("features", features)
    values = _positive(sample_eigenvalues, min(n, d), d)
    mean = float(values.sum()) / d
    # Zeros that n doesn't explain are the population's: the others are estimated in the space without them.
    rank = d if len(values) == n else len(values)
    found = np.zeros(d)
    first = _inverted(values / mean, n, rank)
    replicas = np.array([_inverted(_sample(first, n, seed), n, rank) for seed in range(_REPLICAS)])
    found[:rank] = np.sort(replicas.mean(axis=0))[::-1]
    error = float(np.max(np.abs(replicas - first).sum(axis=1))) / d
    found *= d / found.sum()
    return PopulationSpectrum(mean * found, mean * error, "ok" if error <= _ROUGH else "rough")


def _positive(given: ArrayLike, most: int, features: int) -> Floats:
    """The eigenvalues above rounding, ascending."""
    try:
        values = np.sort(np.asarray(given, dtype=np.float64))
    except (TypeError, ValueError):
        raise TypeError(f"sample_eigenvalues: expected numbers, got {given!r:.60}") from None
    least = _ZERO * float(np.max(values, initial=0.0))
    wrong = values.ndim != 1 or not 1 <= len(values) <= features or not np.all(np.isfinite(values))
    if wrong or not (least > 0 and np.all(values > -features * least)):
        raise ValueError(
            f"sample_eigenvalues: expected 1..{features} finite eigenvalues of at least 0, not all of them 0, got "
            f"{given!r:.60}"
        )
    positive = values[values > least]
    if len(positive) > most:
        raise ValueError(f"sample_eigenvalues: expected at most {most} above 0, got {len(positive)}")
    return positive


def _inverted(values: Floats, n: int, d: int) -> Floats:
    """d eigenvalues, descending, of the weights that solve the equation for non-zero sample eigenvalues."""
    atoms = _atoms(values, n, d)
    return _descending(atoms, _weights(values, atoms, d / n, d), d)


def _atoms(values: Floats, n: int, d: int) -> Floats:
    """The grid of τ: no eigenvalue lies beyond the sample's, whose law is wider."""
    least = values.min() if n > d else _LEAST * values.max()
    return np.geomspace(least, values.max(), _ATOMS)


def _weights(values: Floats, atoms: Floats, ratio: float, d: int) -> Floats:
    """w: least squares of the equation at all z, with the mass 1 and the mean as two firm equations."""
    from scipy.optimize import nnls

    radius = np.geomspace(values.min() / 2, 2 * values.max(), _POINTS)
    z = np.concatenate([radius * np.exp(1j * angle) for angle in _ANGLES])
    right = np.sum(values / (values - z[:, None]), axis=1) / d  # 1 + z m(z), without cancellation
    v = (ratio * right - 1) / z
    left = atoms * v[:, None] / (1 + atoms * v[:, None])
    firm = _FIRM * np.sqrt(2 * len(z)) * np.array([np.ones(len(atoms)), atoms * d / values.sum()])
    matrix = np.concatenate([left.real, left.imag, firm])
    target = np.concatenate([right.real, right.imag, firm[0, :1], firm[0, :1]])
    return np.asarray(nnls(matrix, target, maxiter=30 * len(atoms))[0])


def _descending(atoms: Floats, weights: Floats, d: int) -> Floats:
    """d values, each the mean of the quantile function over a share 1/d of the mass."""
    mass = np.concatenate([[0.0], np.cumsum(weights)]) / weights.sum()
    first = np.concatenate([[0.0], np.cumsum(weights * atoms)]) / weights.sum()
    return np.asarray(np.diff(np.interp(np.arange(d + 1) / d, mass, first))[::-1] * d)


def _sample(population: Floats, n: int, seed: int) -> Floats:
    """The non-zero eigenvalues of a sample covariance. For n >= d from Bartlett's triangle: QᵀZ of the same law."""
    random, d = np.random.default_rng((2008, seed)), len(population)
    if n >= d:
        z = np.triu(random.standard_normal((d, d)), 1) + np.diag(np.sqrt(random.chisquare(n - np.arange(d))))
    else:
        z = random.standard_normal((n, d))
    values = np.linalg.svd(z * np.sqrt(population / n), compute_uv=False) ** 2
    return np.asarray(values[values > _ZERO * values.max()][::-1])
