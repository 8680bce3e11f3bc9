"""Through an activation: R' = E φφ forward, T = T' ∘ E φ'φ' backward."""

from __future__ import annotations

from collections.abc import Iterator

from meanfield.propagation.expectations import Expectations
from meanfield.propagation.linear import Seen
from meanfield.propagation.state import SecondMoments, State
from meanfield.spec.activations import Activation

__all__ = ["ActivateMap"]


class ActivateMap:
    """One activation, elementwise on jointly Gaussian units.

    ``error`` is the relative error that it adds to a backward product.
    """

    def __init__(self, activation: Activation, expectations: Expectations) -> None:
        self._activation, self._expectations = activation, expectations

    def forward(self, given: State) -> State:
        """Raises ``ValueError`` if the units are not Gaussian."""
        if not given.gaussian:
            raise ValueError(
                f"layers: expected Gaussian units (those of a Linear) to enter {self._activation}, got others"
            )
        found = self._expectations(self._activation, given)
        self._slope, self.error = found.slope, found.slope_error
        return State(found.feature, False, found.same_error, found.other_error)

    def backward(self, gradient: SecondMoments) -> SecondMoments:
        """From ∂f/∂h to ∂f/∂u."""
        return gradient.times(self._slope)  # type: ignore[arg-type]

    def seen(self) -> Iterator[Seen]:
        """None: it has no weights."""
        return iter(())
