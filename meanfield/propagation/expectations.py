"""Where the Gaussian expectations of an activation come from: quadrature for one network, a table for many."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

import numpy as np

from meanfield.gaussian.mean import variance_slope
from meanfield.gaussian.moments import Moments, gaussian_moments
from meanfield.propagation.state import Covariance, SecondMoments, State
from meanfield.spec.activations import Activation
from meanfield.spec.states import Number

if TYPE_CHECKING:
    from meanfield.gaussian.interpolants import MomentTable

__all__ = ["Expectations", "Found", "Quadrature", "Table", "gravest", "table_status"]


_TABLE_GOAL = 1e-8  # relative error of a table's moments
_GRAVITY = ("ok", "unresolved", "overflow", "infinite")


class Found(NamedTuple):
    """E φφ and E φ'φ' at one activation, the absolute errors of the former with what was handed on to them, and the
    relative error of a backward product through the latter.

    An error of q is handed on by dE[φ²]/dq (Stein), one of q_st by E[φ'φ'] (Price), and counts once in E φ'φ'.
    """

    feature: SecondMoments
    slope: SecondMoments
    same_error: Number = np.float64(0.0)
    other_error: Number = np.float64(0.0)
    slope_error: Number = np.float64(0.0)


class Expectations(Protocol):
    """A source of them."""

    def __call__(self, activation: Activation, given: State) -> Found:
        """The expectations for preactivations in the state ``given``."""


class Quadrature:
    """One network: quadrature or closed form. ``status`` is the gravest."""

    def __init__(self) -> None:
        self.status = "ok"

    def __call__(self, activation: Activation, given: State) -> Found:
        u = cast(Covariance, given.covariance)  # of exchangeable samples: given ones have their own source
        q, gap = float(u.same), float(u.gap)
        feature, slope = (self._moments(activation, q, gap, order) for order in (0, 1))
        if not math.isfinite(feature.square + slope.square):
            infinite = np.float64(math.inf)
            return Found(_covariance(feature), _covariance(slope), infinite, infinite, infinite)
        rate = abs(variance_slope(activation, q)[0]) if q > 0 else 0.0
        own = max(feature.square_error, feature.product_error) + rate * given.same_error
        slope_error = max(slope.square_error, slope.product_error) / (slope.square or 1.0)
        return Found(
            feature=_covariance(feature),
            slope=_covariance(slope),
            same_error=own,
            other_error=own + abs(slope.product) * given.other_error,
            slope_error=np.float64(slope_error + u.relative(given.same_error + given.other_error)),
        )

    def _moments(self, activation: Activation, q: float, gap: float, order: int) -> Moments:
        if not math.isfinite(q + gap):
            found = Moments(*(math.nan,) * 3, *(math.inf,) * 3, "overflow")
        else:
            found = gaussian_moments(activation, q, min(gap, 2 * q), order)
        self.status = gravest(self.status, found.status)
        return found


class Table:
    """Many networks: interpolants, whose error is the largest of any table's, and their status the gravest."""

    def __init__(self) -> None:
        self.error, self.status = 0.0, "ok"

    def __call__(self, activation: Activation, given: State) -> Found:
        from meanfield.gaussian.interpolants import moment_table

        table, u = moment_table(activation), cast(Covariance, given.covariance)  # as above
        square, product, gap = table.moments(np.asarray(u.same), np.asarray(u.gap))
        self.error = max(self.error, table.error)
        self.status = gravest(self.status, table_status(table))
        feature, slope = (Covariance(square[order], product[order], gap[order]) for order in (0, 1))
        return Found(feature, slope)


def gravest(*statuses: str) -> str:
    """Of several statuses."""
    return max(statuses, key=_GRAVITY.index)


def table_status(table: MomentTable) -> str:
    """Whether the panels in use are as good as asked."""
    return "ok" if table.error <= _TABLE_GOAL else "unresolved"


def _covariance(moments: Moments) -> Covariance:
    square, product, gap = (np.float64(x) for x in (moments.square, moments.product, moments.gap))
    return Covariance(square, product, gap)
