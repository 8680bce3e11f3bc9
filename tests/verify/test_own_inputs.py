"""``spectrum(..., inputs=X)`` against networks on the same X: where the law of their covariance holds, and where it
says that it doesn't."""

from __future__ import annotations

import numpy as np
import pytest

from empirical import measure
from meanfield import FIM, Network, spectrum


@pytest.mark.parametrize(("activation", "law"), [("tanh", (3.0, 0.64)), ("relu", (2.0, 0.1))])
def test_planted_covariance(activation: str, law: tuple[float, float]) -> None:
    """300 samples of 150 features, scaled and with a mean. Where the ridge spreads by less than 0.6, distances up to
    0.09 were measured (docs/bulk_spectrum.md); without the inputs' covariance the law is twice as far."""
    scales = 3 * np.exp(-0.015 * np.arange(150))
    x = 0.5 + np.random.default_rng(81).standard_normal((300, 150)) * scales
    network = Network(3, activation, *law, width_ratios=[0.25, 1, 1])
    m = measure(network, FIM(), width=600, inputs=x, seed=82, spectrum="full")
    own = spectrum(network, FIM(), width=600, inputs=x, kernels=m.order_parameters)
    plain = spectrum(network, FIM(), width=600, samples=300, kernels=m.order_parameters)
    assert own.status == "ok"
    assert own.distance(m.eigenvalues) < 0.09
    assert own.distance(m.eigenvalues) < plain.distance(m.eigenvalues) / 2
    assert own.order_parameters.forward[0] == pytest.approx(np.mean(x**2), rel=1e-12)


def test_real_inputs_are_said_to_be_outside() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    x = datasets.load_digits().data[:200] / 8
    network = Network(3, "tanh", 3.0, 0.64, width_ratios=[0.25, 1, 1])
    law = spectrum(network, FIM(), width=256, inputs=x)
    m = measure(network, FIM(), width=256, inputs=x, seed=83, spectrum="full")
    assert law.distance(m.eigenvalues) > 0.1
    assert law.status != "ok"
    assert any("is not described" in w for w in law.warnings)
