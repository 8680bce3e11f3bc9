"""Through a weight layer, and the part of a dual matrix that its own parameters make."""

from __future__ import annotations

from collections.abc import Iterator

from meanfield.propagation.state import Covariance, State
from meanfield.spec import LayerState
from meanfield.spec.states import Number

__all__ = ["LinearMap", "gradient"]


class LinearMap:
    """One weight layer. Its fresh weights make jointly Gaussian units of whatever enters."""

    error = 0.0

    def __init__(self, weight_variance: Number, bias_variance: Number) -> None:
        self._weight, self._bias = weight_variance, bias_variance

    def forward(self, given: State) -> State:
        """``q = σ_w² q̂ + σ_b²``; the bias is common to all samples and drops out of the gap."""
        h, weight = given.covariance, self._weight
        made = Covariance(weight * h.same + self._bias, weight * h.other + self._bias, weight * h.gap)
        self._given, self._made = h, made
        return State(made, True, given.same_error * weight, given.other_error * weight)

    def backward(self, gradient: Covariance) -> Covariance:
        """From ∂f/∂u to ∂f/∂h: times σ_w²."""
        self._gradient = gradient
        weight = self._weight
        return Covariance(weight * gradient.same, weight * gradient.other, weight * gradient.gap)

    def states(self) -> Iterator[LayerState]:
        """What the layer has seen on the way up and down."""
        q, forward, backward = self._made, self._given, self._gradient
        yield LayerState(
            q=q.same, q_st=q.other, q_gap=q.gap,
            forward=forward.same, forward_st=forward.other, forward_gap=forward.gap,
            backward=backward.same, backward_st=backward.other, backward_gap=backward.gap,
        )  # fmt: skip


def gradient(state: LayerState, weight: Number, bias: Number) -> Covariance:
    """``q̃ (w q̂ + β)``: what the layer adds to a kernel whose coefficients for it are w and β (theory.md §3)."""
    same = weight * state.forward + bias
    return Covariance(
        same=state.backward * same,
        other=state.backward_st * (weight * state.forward_st + bias),
        gap=state.backward_gap * same + state.backward_st * weight * state.forward_gap,
    )
