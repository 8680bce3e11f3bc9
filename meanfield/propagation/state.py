"""What passes between two layers: the covariance of a sample with itself and with another one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from meanfield.spec.states import Number

__all__ = ["Covariance", "State"]


class Covariance(NamedTuple):
    """R(s,s), R(s,t) and their difference, which is a quantity of its own: in the ordered phase the two inputs become
    one, and 1 - c would be lost in the last digit of c."""

    same: Number
    other: Number
    gap: Number


class State(NamedTuple):
    """The units between two layers (architectures.md §1): their covariance per unit, whether they are jointly Gaussian,
    and estimates of the absolute numerical errors of ``same`` and ``other``."""

    covariance: Covariance
    gaussian: bool
    same_error: Number = np.float64(0.0)
    other_error: Number = np.float64(0.0)

    def relative_error(self, error: Number) -> float:
        """An absolute error in units of the variance, at most on a grid; a variance of 0 has none."""
        same = np.asarray(self.covariance.same)
        return float(np.max(np.divide(error, same, out=np.zeros_like(same), where=~(same <= 0))))
