"""Gaussian moments of a layer's neurons at a pair of given samples, as averages over sampled neurons.

Needed are the covariances of φ_s², φ_t² and φ_sφ_t with these and with φ'_sφ'_t. Their Monte-Carlo error is one of dK,
which is itself a correction of order 1/M.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.given_layers import HiddenLayer
from meanfield.finite_width.given_neurons import SHIFT, root, sampled, stream
from meanfield.finite_width.given_response import Response

__all__ = ["Features", "Sampled", "sampled_features"]

Floats = NDArray[np.float64]

_NUMBERS = 4_000_000  # preactivations sampled of a layer
_FEWEST, _MOST = 2000, 200_000  # neurons


@dataclass(frozen=True)
class Features:
    """Over neurons, in a block of rows s: Var φ_s² of all samples; covariances of φ_s² (own) with φ_t² (other),
    φ_sφ_t (across) and φ'_sφ'_t (slope), and so on; and E φ_s² φ'_sφ'_t, E φ_t² φ'_sφ'_t, E φ_sφ_t φ'_sφ'_t."""

    rows: slice
    variance: Floats
    own_other: Floats
    own_across: Floats
    other_across: Floats
    across_across: Floats
    own_with_slope: Floats
    other_with_slope: Floats
    across_with_slope: Floats
    slope_own: Floats
    slope_other: Floats
    slope_across: Floats

    def with_own(self, r: Response) -> Floats:
        """The covariance of φ_s² with the change δ_st."""
        variance = self.variance[self.rows, None]
        changed: Floats = r.own * variance + r.other * self.own_other + r.across * self.own_across
        return changed + r.slope * self.own_with_slope

    def with_other(self, r: Response) -> Floats:
        """The covariance of φ_t² with the change δ_st."""
        changed: Floats = r.own * self.own_other + r.other * self.variance + r.across * self.other_across
        return changed + r.slope * self.other_with_slope

    def with_across(self, r: Response) -> Floats:
        """The covariance of φ_s φ_t with the change δ_st."""
        changed: Floats = r.own * self.own_across + r.other * self.other_across + r.across * self.across_across
        return changed + r.slope * self.across_with_slope


@dataclass(frozen=True)
class Sampled:
    """φ and φ' of sampled neurons (neurons, N), and Var φ_s² (N,)."""

    phi: Floats
    slope: Floats
    variance: Floats

    def block(self, rows: slice) -> Features:
        """The moments of the pairs with s among ``rows``."""
        phi, slope = self.phi, self.slope
        count, square = len(phi), phi**2

        def mean(x: Floats, y: Floats) -> Floats:
            found: Floats = x[:, rows].T @ y / count
            return found

        F, chi = mean(phi, phi), mean(slope, slope)
        own_slope, other_slope = mean(square * slope, slope), mean(slope, square * slope)
        across_slope, both = mean(phi * slope, phi * slope), mean(square, square)
        squares = square.mean(axis=0)
        own, other = squares[rows, None], squares
        return Features(
            rows=rows,
            variance=self.variance,
            own_other=both - own * other,
            own_across=mean(square * phi, phi) - own * F,
            other_across=mean(phi, square * phi) - other * F,
            across_across=both - F**2,
            own_with_slope=own_slope - own * chi,
            other_with_slope=other_slope - other * chi,
            across_with_slope=across_slope - F * chi,
            slope_own=own_slope,
            slope_other=other_slope,
            slope_across=across_slope,
        )


def sampled_features(layer: HiddenLayer, number: int) -> Sampled:
    """Neurons of hidden layer ``number``, the same for the same question."""
    count = int(np.clip(_NUMBERS // len(layer.q), _FEWEST, _MOST))
    phi, slope = sampled(layer, root(layer.q), count, stream(SHIFT, number))
    return Sampled(phi, slope, np.var(phi**2, axis=0))
