"""What order parameters lack in digits, every answer that rests on them says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from meanfield import FIM, NTK, Activation, Network, order_parameters, predict
from meanfield.gaussian.moments import Moments
from meanfield.prediction.orders import ORDERS
from meanfield.propagation import recursion
from meanfield.propagation.expectations import Quadrature
from meanfield.propagation.recursion import numerical_warnings
from meanfield.propagation.state import Covariance, State
from meanfield.spec.activations import as_activation

NET = Network(3, "tanh", 1.5, 0.1, outputs=2)


@pytest.mark.parametrize("text", ["sqrt(Abs(u))", "Abs(u)**(1/3)", "log(Abs(u))", "sign(u)"])
def test_divergent_slopes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"E\[φ'²\] is infinite"):
        predict(Network(3, Activation("steep", text), 1.0, 0.1), FIM(), width=100, samples=10)


def test_an_infinite_second_moment_is_refused_as_such() -> None:
    """E[exp(u²/4)] is infinite from q = 2 on, which the first layer has."""
    with pytest.raises(ValueError, match=r"E\[φ²\] or E\[φ'²\] is infinite or too large"):
        predict(Network(3, Activation("bump", "exp(u**2/8)"), 2.0, 0.0), FIM(), width=100, samples=10)


@pytest.mark.parametrize("order", ORDERS)
def test_unresolved_reaches_the_warnings(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rough = replace(order_parameters(NET), status="unresolved", error=3e-5)
    monkeypatch.setattr("meanfield.prediction.asking.order_parameters", lambda *_, **__: rough)
    found = predict(NET, NTK(), width=200, samples=20, order=order)
    assert any("unresolved" in w and "3e-05" in w for w in found.warnings)
    assert found.error >= 3e-5


def test_unresolved_reaches_the_density(monkeypatch: pytest.MonkeyPatch) -> None:
    from meanfield import spectrum

    rough = replace(order_parameters(NET), status="unresolved", error=3e-5)
    monkeypatch.setattr("meanfield.bulk.whole.order_parameters", lambda *_, **__: rough)
    assert any("unresolved" in w for w in spectrum(NET, NTK(), width=200, samples=20).warnings)


def test_nothing_is_said_of_what_is_resolved() -> None:
    assert numerical_warnings(order_parameters(NET)) == ()
    assert "rough" in numerical_warnings(replace(order_parameters(NET), error=10 * recursion._NOTICEABLE))[0]


@pytest.mark.parametrize("statuses", [("unresolved", "infinite"), ("overflow", "ok"), ("infinite", "overflow")])
def test_the_gravest_status_is_told(statuses: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is unresolved forward must not hide what is infinite backward."""
    told = iter(statuses)
    resolved = Moments(1.0, 0.5, 0.5, 0.0, 0.0, 0.0)
    monkeypatch.setattr(
        "meanfield.propagation.expectations.gaussian_moments", lambda *_: replace(resolved, status=next(told))
    )
    quadrature = Quadrature()
    quadrature(as_activation("tanh"), State(Covariance(np.float64(1), np.float64(0.5), np.float64(0.5)), True))
    assert quadrature.status == {"ok": "overflow"}.get(statuses[1], "infinite")


@pytest.mark.parametrize(
    ("activation", "weight_variance", "depth"), [("sin(7*u)*exp(u/9)", 1.0, 2000), ("relu", 3.0, 700)]
)
@pytest.mark.parametrize("order", ["leading", "refined"])
def test_moments_beyond_all_numbers_are_refused(activation, weight_variance, depth, order) -> None:
    """Order parameters are numbers, the squares of their products are not: a warning for an answer of inf before."""
    network = Network(depth, activation, weight_variance)
    assert order_parameters(network).status == "ok"
    with pytest.raises(ValueError, match=r"^weight_variance: expected order parameters below 1e\+70.*less depth"):
        predict(network, FIM(), width=100, samples=10, order=order)
