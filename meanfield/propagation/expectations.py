"""Where the Gaussian expectations of an activation come from: quadrature for one network, a table for many."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from meanfield.gaussian.mean import variance_slope
from meanfield.gaussian.moments import Moments, gaussian_moments
from meanfield.propagation.state import Covariance
from meanfield.spec.activations import Activation

if TYPE_CHECKING:
    from meanfield.gaussian.interpolants import MomentTable

__all__ = ["Expectations", "Found", "Quadrature", "Table", "table_status"]


_TABLE_GOAL = 1e-8  # relative error of a table's moments
_GRAVITY = ("ok", "unresolved", "overflow", "infinite")


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
    """One network: quadrature or closed form. ``status`` is the gravest."""

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
        self.status = max(self.status, found.status, key=_GRAVITY.index)
        return found


class Table:
    """Many networks: interpolants, whose error is the largest of any table's, and their status the gravest."""

    def __init__(self) -> None:
        self.error, self.status = 0.0, "ok"

    def __call__(self, activation: Activation, u: Covariance) -> Found:
        from meanfield.gaussian.interpolants import moment_table

        table = moment_table(activation)
        square, product, gap = table.moments(np.asarray(u.same), np.asarray(u.gap))
        self.error = max(self.error, table.error)
        self.status = max(self.status, table_status(table), key=_GRAVITY.index)
        feature, slope = (Covariance(square[order], product[order], gap[order]) for order in (0, 1))
        return Found(feature, slope)


def table_status(table: MomentTable) -> str:
    """Whether the panels in use are as good as asked."""
    return "ok" if table.error <= _TABLE_GOAL else "unresolved"


def _covariance(moments: Moments) -> Covariance:
    square, product, gap = (np.float64(x) for x in (moments.square, moments.product, moments.gap))
    return Covariance(square, product, gap)
