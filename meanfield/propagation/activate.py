"""Through an activation: R' = E φφ forward, T = T' ∘ E φ'φ' backward."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from meanfield.propagation.expectations import Expectations
from meanfield.propagation.state import Covariance, State
from meanfield.spec import LayerState
from meanfield.spec.activations import Activation

__all__ = ["ActivateMap"]


class ActivateMap:
    """One activation, elementwise on jointly Gaussian units.

    ``error`` is the relative error that it adds to a backward product; there an error of q counts once.
    """

    def __init__(self, activation: Activation, expectations: Expectations) -> None:
        self._activation, self._expectations = activation, expectations
        self.error = 0.0

    def forward(self, given: State) -> State:
        """An error of q is handed on by dE[φ²]/dq (Stein), one of q_st by E[φ'φ'] (Price).

        Raises
        ------
        ValueError
            If the units are not Gaussian.
        """
        if not given.gaussian:
            raise ValueError(
                f"layers: expected Gaussian units (those of a Linear) to enter {self._activation}, got others"
            )
        u = given.covariance
        found = self._expectations(self._activation, u)
        self._slope = found.slope
        own = found.feature_error + found.rate * given.same_error
        self.error = found.slope_error + given.relative_error(given.same_error + given.other_error)
        across = own + np.abs(found.slope.other) * given.other_error
        return State(found.feature, False, own, across)

    def backward(self, gradient: Covariance) -> Covariance:
        """From ∂f/∂h to ∂f/∂u."""
        slope = self._slope
        return Covariance(
            same=gradient.same * slope.same,
            other=gradient.other * slope.other,
            gap=gradient.gap * slope.same + gradient.other * slope.gap,
        )

    def states(self) -> Iterator[LayerState]:
        """None: it has no weights."""
        return iter(())
