"""The weight layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from meanfield.spec.checks import POSITIVE, number
from meanfield.spec.layers.base import Layer

__all__ = ["Linear"]

Units = TypeVar("Units", int, NDArray[np.float64])
"""A number of units, or one for each of several widths."""


@dataclass(frozen=True)
class Linear(Layer):
    """``u = W h + b`` with ``W_ij ~ N(0, σ_w²/fan_in)`` and ``b_i ~ N(0, σ_b²)``: theory.md §1.

    Parameters
    ----------
    weight_variance, bias_variance
        σ_w² and σ_b².
    width_ratio
        α: it has α M units at width M. 1 for a network's last one, whose units are the outputs.

    Raises
    ------
    ValueError, TypeError
        For a number that is not finite or negative.
    """

    weight_variance: float
    bias_variance: float = 0.0
    width_ratio: float = 1.0

    kind = "linear"

    def __post_init__(self) -> None:
        for name, minimum in (("weight_variance", 0.0), ("bias_variance", 0.0), ("width_ratio", POSITIVE)):
            object.__setattr__(self, name, number(name, getattr(self, name), minimum))

    @property
    def linear(self) -> tuple[Linear, ...]:
        return (self,)

    def fan_in(self, entering: Units) -> Units:
        """The weights of one unit, where so many units enter."""
        return entering

    def parameters(self, entering: Units, leaving: Units) -> Units:
        """Weights and biases of the whole layer."""
        return leaving * (self.fan_in(entering) + 1)
