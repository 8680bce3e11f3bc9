"""Where the Gaussian expectations of an activation come from: quadrature for one network, a table for many."""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np

from meanfield.gaussian.mean import variance_slope
from meanfield.gaussian.moments import Moments, gaussian_moments
from meanfield.propagation.state import Covariance
from meanfield.spec.activations import Activation

__all__ = ["Expectations", "Found", "Quadrature", "Table"]


class Found(NamedTuple):
    """E φφ and E φ'φ' at one activation; the absolute error of the former, the relative one of the latter, and
    |dE[φ²]/dq|."""

    feature: Covariance
    slope: Covariance
    feature_error: float = 0.0
    slope_error: float = 0.0
    rate: float = 0.0


class Expectations(Protocol):
    """A source of them."""

    def __call__(self, activation: Activation, u: Covariance) -> Found:
        """The expectations at the covariance ``u`` of the preactivations."""


class Quadrature:
    """One network: quadrature or closed form. ``status`` is the first that is not ``"ok"``."""

    def __init__(self) -> None:
        self.status = "ok"

    def __call__(self, activation: Activation, u: Covariance) -> Found:
        q, gap = float(u.same), float(u.gap)
        feature, slope = (self._moments(activation, q, gap, order) for order in (0, 1))
        if not math.isfinite(feature.square + slope.square):
            return Found(_covariance(feature), _covariance(slope), math.inf, math.inf)
        return Found(
            feature=_covariance(feature),
            slope=_covariance(slope),
            feature_error=max(feature.square_error, feature.product_error),
            slope_error=max(slope.square_error, slope.product_error) / (slope.square or 1.0),
            rate=abs(variance_slope(activation, q)[0]) if q > 0 else 0.0,
        )

    def _moments(self, activation: Activation, q: float, gap: float, order: int) -> Moments:
        if not math.isfinite(q + gap):
            found = Moments(*(math.nan,) * 3, *(math.inf,) * 3, "overflow")
        else:
            found = gaussian_moments(activation, q, min(gap, 2 * q), order)
        self.status = found.status if self.status == "ok" else self.status
        return found


class Table:
    """Many networks: interpolants, whose error is the largest of any table's."""

    def __init__(self) -> None:
        self.error = 0.0

    def __call__(self, activation: Activation, u: Covariance) -> Found:
        from meanfield.gaussian.interpolants import moment_table

        table = moment_table(activation)
        square, product, gap = table.moments(np.asarray(u.same), np.asarray(u.gap))
        self.error = max(self.error, table.error)
        feature, slope = (Covariance(square[order], product[order], gap[order]) for order in (0, 1))
        return Found(feature, slope)


def _covariance(moments: Moments) -> Covariance:
    square, product, gap = (np.float64(x) for x in (moments.square, moments.product, moments.gap))
    return Covariance(square, product, gap)
