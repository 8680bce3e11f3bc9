"""Where given inputs leave the bulk's law: what is measured of them, and what a result says.

The law takes from the inputs what is linear in them; what φ bends of them it puts at one eigenvalue, the ridge. So it
needs powers of ρ_st = (x_s - m)·(x_t - m)/tr Σ to be a multiple of the identity, which is looked at in the lowest.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.bulk.population import PopulationSpectrum
from meanfield.text import applying

__all__ = ["NARROW_RIDGE", "WIDE_RIDGE", "OwnParts", "input_warnings"]

Floats = NDArray[np.float64]

NARROW_RIDGE, WIDE_RIDGE = 0.3, 0.6
"""Spreads of the ridge up to which the law holds, and from which it doesn't (``benchmarks/bench_given_bulk.py``)."""
_MOST = 1000  # samples whose pairs are looked at
_UNEQUAL = 1.5  # times the spread of Gaussian norms
_MEAN = 0.01  # share of |x|² in the mean from which it is worth a word


@dataclass(frozen=True, eq=False)
class OwnParts:
    """What is each sample's own: ``rows`` x - m, (N_0, d)."""

    rows: Floats

    @functools.cached_property
    def norms(self) -> Floats:
        """|x - m|²/d."""
        return np.asarray(np.mean(self.rows**2, axis=1))

    @property
    def variance(self) -> float:
        """tr Σ/d, without bias."""
        return float(self.norms.sum() / (len(self.rows) - 1))

    @property
    def norm_spread(self) -> float:
        """Relative standard deviation of the norms."""
        return float(self.norms.std() / self.norms.mean())

    def ridge_spread(self, samples: int) -> float:
        """How far the eigenvalues of (ρ_st²), less its common part, are from their mean on average, relative to it.

        0 for a ridge, below 2 always; of N samples. Beyond the rows there are (or a thousand) it is taken to grow by
        √N, as it does while it is small.
        """
        count = min(len(self.rows), samples, _MOST)
        squares = _evenly(self.rows, count)
        squares = (squares @ squares.T) ** 2
        common = (squares.sum() - np.trace(squares)) / (count * (count - 1))
        values = np.linalg.eigvalsh(squares - common)
        spread = float(np.mean(np.abs(values / values.mean() - 1)))
        return min(spread * math.sqrt(samples / count), 2.0)


def _evenly(rows: Floats, count: int) -> Floats:
    """Rows at equal distances, in case that they are sorted by class."""
    return rows[np.linspace(0, len(rows) - 1, count).round().astype(np.int64)]


def input_warnings(own: OwnParts, mean: float, population: PopulationSpectrum) -> tuple[str, ...]:
    """What to know of given inputs, in sentences. ``mean``: |m|²/|x|²."""
    values, (n, d) = population.eigenvalues, own.rows.shape
    gaussian = math.sqrt(2 * float(values @ values)) / float(values.sum())
    error, constant = population.error / float(values.mean()), d - int(np.any(own.rows, axis=0).sum())
    return applying(
        {
            _NORMS.format(own.norm_spread, gaussian): own.norm_spread > _UNEQUAL * gaussian,
            _COMMON.format(mean): mean > _MEAN,
            _CONSTANT.format(constant, d): constant > 0,
            _POPULATION.format(n, d, error): population.status != "ok",
        }
    )


_NORMS = (
    "inputs: their norms differ: |x - m|² has a relative spread of {:.2g}, and {:.2g} if they were Gaussian with their "
    "covariance; order parameters are those of the mean norm"
)
_COMMON = "inputs: they have a mean, {:.2g} of |x|² on average: it adds to the outliers, not to the bulk"
_CONSTANT = "inputs: {} of {} features are constant: they add to the mean, not to the bulk"
_POPULATION = (
    "inputs: {} samples of {} features leave their covariance's eigenvalues uncertain by {:.2g} of their mean "
    "(Wasserstein distance)"
)
