"""The inputs as the bulk's law sees them: a norm, an overlap, and the spectrum of their covariance.

For samples x = m + Σ^½ z the mean m is the part that all samples share: q̂_st^0 = |m|²/d beside q̂^0 = |x|²/d, and with
it a part of the kernel's outliers. What differs from sample to sample has the covariance Σ, tr Σ/d = q̂^0 - q̂_st^0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.bulk.input_checks import OwnParts, input_warnings
from meanfield.bulk.population import PopulationSpectrum, population_spectrum
from meanfield.text import plain

__all__ = ["InputLaw", "given_inputs", "inputs_of_covariance", "mean_inputs"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class InputLaw:
    """What is known of the inputs, d = M_0 features.

    Attributes
    ----------
    eigenvalues, shares
        Of the covariance Σ, ascending, and their weights; their mean is ``norm - overlap``.
    levels
        (2, 2): the covariance over samples of |x - m|²/d and m·(x - m)/d.
    norm, overlap
        q̂^0 and q̂_st^0: |x|²/d and |m|²/d on average.
    error
        Of the eigenvalues: Wasserstein distance, in their units; 0 where they were given.
    norm_spread
        Relative standard deviation of |x - m|²/d over samples.
    ridge_spread
        How far what is bent of them is from a multiple of the identity, as the law takes it to be:
        :meth:`meanfield.bulk.input_checks.OwnParts.ridge_spread`; 0 where no inputs are given.
    warnings
        What to know of them.
    """

    eigenvalues: Floats
    shares: Floats
    levels: Floats
    norm: float = 1.0
    overlap: float = 0.0
    error: float = 0.0
    norm_spread: float = 0.0
    ridge_spread: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def standard(self) -> bool:
        """Whether they are those of i.i.d. standard inputs."""
        return len(self.eigenvalues) == 1 and (self.norm, self.overlap) == (1.0, 0.0)

    @property
    def rank(self) -> float:
        """The share of Σ's eigenvalues that are not zero."""
        return float(self.shares[self.eigenvalues > 0].sum())

    def to_dict(self) -> dict[str, object]:
        """Everything but the warnings, JSON-ready."""
        numbers = ("eigenvalues", "shares", "norm", "overlap", "error", "norm_spread", "ridge_spread")
        return {name: plain(getattr(self, name)) for name in numbers}


def inputs_of_covariance(eigenvalues: Floats, features: int) -> InputLaw:
    """Gaussian inputs of mean 0 whose covariance has these eigenvalues, of mean 1."""
    values, shares = _weighted(eigenvalues)
    levels = np.diag([2 * float(shares @ values**2) / features, 0.0])
    return InputLaw(values, shares, levels, norm_spread=float(np.sqrt(levels[0, 0])))


def given_inputs(x: Floats, samples: int) -> InputLaw:
    """The law that the rows of x (N_0, d) are drawn from, as far as they show it; N samples of it are meant."""
    mean, varying = x.mean(axis=0), np.ptp(x, axis=0) > 0
    own = OwnParts(np.where(varying, x - mean, 0.0))  # rounding is no variance
    norm, overlap = _levels(x, own)
    population = _population(own.rows, int(varying.sum()))
    scale = (norm - overlap) / own.variance
    return InputLaw(
        *_weighted(scale * population.eigenvalues),
        levels=np.cov(own.norms, own.rows @ mean / len(mean)),
        norm=norm,
        overlap=overlap,
        error=scale * population.error,
        norm_spread=own.norm_spread,
        ridge_spread=own.ridge_spread(samples),
        warnings=input_warnings(own, overlap / norm, population),
    )


def mean_inputs(x: Floats) -> InputLaw:
    """Only the norm and overlap of the rows of x, as if they were orthogonal beside their mean."""
    norm, overlap = _levels(x, OwnParts(x - x.mean(axis=0)))
    return InputLaw(np.array([norm - overlap]), np.ones(1), np.zeros((2, 2)), norm, overlap)


def _levels(x: Floats, own: OwnParts) -> tuple[float, float]:
    """|x|²/d, and x·x'/d of two different samples, on average over samples and pairs."""
    norm = float(np.mean(x**2))
    return norm, max(norm - own.variance, 0.0)


def _population(own: Floats, varying: int) -> PopulationSpectrum:
    """That of the covariance, of which constant features are known to be zeros."""
    freedom, d = len(own) - 1, own.shape[1]
    values = np.linalg.svd(own, compute_uv=False)[: min(freedom, varying)] ** 2 / freedom
    found = population_spectrum(values, freedom, varying)
    return PopulationSpectrum(
        np.concatenate([found.eigenvalues, np.zeros(d - varying)]), found.error * varying / d, found.status
    )


def _weighted(eigenvalues: Floats) -> tuple[Floats, Floats]:
    values, counts = np.unique(eigenvalues, return_counts=True)
    return values, counts / eigenvalues.size
