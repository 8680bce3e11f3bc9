"""What passes between two layers: covariances of samples, exchangeable ones or given ones."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from meanfield.spec.states import LayerState, Number

__all__ = ["Block", "Covariance", "SecondMoments", "State"]

Floats = NDArray[np.float64]


class Covariance(NamedTuple):
    """Of exchangeable samples: R(s,s), R(s,t) and their difference, which is a quantity of its own: in the ordered
    phase the two inputs become one, and 1 - c would be lost in the last digit of c."""

    same: Number
    other: Number
    gap: Number

    def affine(self, weight: Number, bias: Number) -> Covariance:
        """``w R + b``: what is common to all samples drops out of the gap."""
        return Covariance(weight * self.same + bias, weight * self.other + bias, weight * self.gap)

    def times(self, slope: Covariance) -> Covariance:
        """The elementwise product."""
        return Covariance(
            same=self.same * slope.same,
            other=self.other * slope.other,
            gap=self.gap * slope.same + self.other * slope.gap,
        )

    def inverse(self) -> Covariance:
        """1/√(R(s,s) R(t,t))."""
        return Covariance(1 / self.same, 1 / self.same, 0 * self.same)

    def layer(self, forward: Covariance, backward: Covariance) -> LayerState:
        """What a weight layer knows that makes this of ``forward``."""
        return LayerState(
            q=self.same, q_st=self.other, q_gap=self.gap,
            forward=forward.same, forward_st=forward.other, forward_gap=forward.gap,
            backward=backward.same, backward_st=backward.other, backward_gap=backward.gap,
        )  # fmt: skip

    def relative(self, error: Number) -> float:
        """An absolute error in units of the variance, at most on a grid; a variance of 0 has none."""
        same = np.asarray(self.same)
        return float(np.max(np.divide(error, same, out=np.zeros_like(same), where=~(same <= 0))))


class Block(NamedTuple):
    """Of given samples: R(s,s) of all N, and R(s,t) for some rows s and columns t of the N × N matrix."""

    variances: Floats
    cross: Floats
    rows: slice
    columns: slice

    def affine(self, weight: Number, bias: Number) -> Block:
        """``w R + b``."""
        return self._replace(variances=weight * self.variances + bias, cross=weight * self.cross + bias)

    def times(self, slope: Block) -> Block:
        """The elementwise product."""
        return self._replace(variances=self.variances * slope.variances, cross=self.cross * slope.cross)

    def inverse(self) -> Block:
        """1/√(R(s,s) R(t,t))."""
        return self._replace(variances=1 / self.variances, cross=1 / self.unit())

    def layer(self, forward: Block, backward: Block) -> LayerState:
        """What a weight layer knows that makes this of ``forward``: ``q`` (N,) and the like, ``q_st`` (S, T), and as
        the gap half the mean squared difference of two samples."""
        names = ("q", "forward", "backward")
        parts = {name: part.parts() for name, part in zip(names, (self, forward, backward), strict=True)}
        return LayerState(**{name + end: x for name, part in parts.items() for end, x in part.items()})

    def parts(self) -> dict[str, Floats]:
        """``same``, ``_st`` and ``_gap``."""
        s, t = self.variances[self.rows], self.variances[self.columns]
        with np.errstate(invalid="ignore"):  # infinite ones have none
            return {"": self.variances, "_st": self.cross, "_gap": (s[:, None] + t) / 2 - self.cross}

    def unit(self) -> Floats:
        """√(R(s,s) R(t,t)), (S, T)."""
        deviations = np.sqrt(self.variances)
        unit: Floats = deviations[self.rows, None] * deviations[self.columns]
        return unit

    def relative(self, error: Number) -> float:
        """An absolute error (S, T) in units of √(R(s,s) R(t,t)), at most."""
        unit = self.unit()
        return float(np.max(np.divide(error, unit, out=np.zeros_like(unit), where=unit > 0), initial=0.0))


SecondMoments: TypeAlias = Covariance | Block


class State(NamedTuple):
    """The units between two layers (architectures.md §1): their covariance per unit, whether they are jointly Gaussian,
    and estimates of the absolute numerical errors of variances and of covariances."""

    covariance: SecondMoments
    gaussian: bool
    same_error: Number = np.float64(0.0)
    other_error: Number = np.float64(0.0)
