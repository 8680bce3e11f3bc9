"""Far out a linear activation's closed form meets quadrature, within both errors."""

from __future__ import annotations

import math
import time

import pytest

from meanfield import FIM, Network, order_parameters, predict
from meanfield.gaussian.asymptotic import asymptotic_moments
from meanfield.gaussian.closed import closed_form
from meanfield.spec.activations import as_activation


@pytest.mark.parametrize("name", ["relu", "leaky_relu(0.3)", "abs"])
@pytest.mark.parametrize("share", [0.0, 1e-20, 1e-6, 1e-3, 0.02, 0.5, 1.0, 1.7, 2.0])
def test_against_the_derived_forms(name: str, share: float) -> None:
    """The symbolic engine derives the same by Price's theorem."""
    form = closed_form(as_activation(name))
    assert form is not None
    for order in (0, 1):
        found = asymptotic_moments(as_activation(name), 2e3, share * 2e3, order)
        assert found is not None
        for value, (exact, error) in zip(
            (found.square, found.product, found.gap), form.moments(order, 2e3, share * 2e3), strict=True
        ):
            assert abs(value - exact) <= 4 * float(error) + 1e-13 * found.square * (share if exact < 1e-3 else 1)


@pytest.mark.parametrize("name", ["tanh", "sin", "exp", "squared_relu", "u + sqrt(1 + Abs(u))"])
def test_others_are_integrated(name: str) -> None:
    assert asymptotic_moments(as_activation(name), 1e30, 1e29, 0) is None


def test_gelu_far_out_is_relu() -> None:
    assert asymptotic_moments(as_activation("gelu"), 1e6, 1e5, 0) is None  # the rest counts
    found = asymptotic_moments(as_activation("gelu"), 1e40, 1e40, 0)
    assert found is not None
    assert found.square == pytest.approx(0.5e40, rel=1e-12)
    assert found.product == pytest.approx(1e40 / (2 * math.pi), rel=1e-12)


def test_deep_networks_cost_by_the_layer() -> None:
    start = time.process_time()
    parameters = order_parameters(Network(500, "linear", 3.0, 0.1))
    assert time.process_time() - start < 10
    assert parameters.q[-1] == pytest.approx(3.0**500 * (1 + 0.05) - 0.05, rel=1e-9)  # q + .05 triples


def test_overflows_are_named() -> None:
    for network in (Network(1000, "relu", 8.0), Network(800, "linear", 3.0, 0.1)):
        with pytest.raises(ValueError, match="below 1e308, got an overflow"):
            predict(network, FIM(), width=100, samples=10)
