"""Through a weight layer, and the part of a dual matrix that its own parameters make."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from meanfield.propagation.state import Covariance, SecondMoments, State
from meanfield.spec import LayerState
from meanfield.spec.states import Number

__all__ = ["LinearMap", "Seen", "gradient"]


class Seen(NamedTuple):
    """What one weight layer has seen: R of what enters and of what leaves, and that of the gradients of what leaves."""

    forward: SecondMoments
    made: SecondMoments
    backward: SecondMoments

    def state(self) -> LayerState:
        """The same as the record that theory, measurement and stores exchange."""
        return self.made.layer(self.forward, self.backward)  # type: ignore[arg-type]


class LinearMap:
    """One weight layer. Its fresh weights make jointly Gaussian units of whatever enters."""

    error: Number = np.float64(0.0)

    def __init__(self, weight_variance: Number, bias_variance: Number) -> None:
        self._weight, self._bias = weight_variance, bias_variance

    def forward(self, given: State) -> State:
        """``q = σ_w² q̂ + σ_b²``."""
        self._given, self._made = given.covariance, given.covariance.affine(self._weight, self._bias)
        return State(self._made, True, given.same_error * self._weight, given.other_error * self._weight)

    def backward(self, gradient: SecondMoments) -> SecondMoments:
        """From ∂f/∂u to ∂f/∂h: times σ_w²."""
        self._gradient = gradient
        return gradient.affine(self._weight, 0.0)  # type: ignore[arg-type]

    def seen(self) -> Iterator[Seen]:
        """On the way up and down."""
        yield Seen(self._given, self._made, self._gradient)


def gradient(state: LayerState, weight: Number, bias: Number) -> Covariance:
    """``q̃ (w q̂ + β)``: what the layer adds to a kernel whose coefficients for it are w and β (theory.md §3)."""
    same = weight * state.forward + bias
    return Covariance(
        same=state.backward * same,
        other=state.backward_st * (weight * state.forward_st + bias),
        gap=state.backward_gap * same + state.backward_st * weight * state.forward_gap,
    )
