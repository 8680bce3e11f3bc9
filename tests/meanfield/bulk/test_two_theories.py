"""The whole spectrum against the finite-width theory: two derivations that share nothing but the order parameters.

The one gives a limiting law of the bulk and outliers, the other means over networks to order 1/M. What they say of the
same number differs by a relative c/M, since each leaves out other terms of that order.
"""

from __future__ import annotations

import numpy as np
import pytest

from meanfield import FIM, NTK, Network, order_parameters, predict, spectrum
from meanfield.spec import Metric

CASES = [
    (Network(2, "tanh", 3.0, 0.64), FIM()),
    (Network(3, "relu", 2.0, 0.1), FIM()),
    (Network(3, "silu", 2.5, 0.3), NTK()),
]


def differences(network: Network, metric: Metric, width: int) -> np.ndarray:
    """Relative, of Σλ² of the bulk, of Σλ² and of the outlier; the two agree on it as M → ∞.

    Given kernels, ``spectrum`` has the outliers by linear response, the mean network's own ones here.
    """
    law = spectrum(network, metric, width=width, samples=width // 2, kernels=order_parameters(network))
    refined = predict(network, metric, width=width, samples=width // 2, order="refined")
    bulk = law.multiplicity * law.moments(2)[1]
    squares = float(np.sum(law.outliers.values**2 + law.outliers.std**2))
    assert refined.networks is not None
    expected = float(refined.second_moment * refined.dimension)
    its_squares = float(np.mean(np.sum(refined.networks["outliers"] ** 2, axis=-1)))
    return np.array(
        [
            bulk / (expected - its_squares) - 1,
            (bulk + squares) / expected - 1,
            law.outliers.values[0] / refined.outliers[0] - 1,
        ]
    )


@pytest.mark.parametrize(("network", "metric"), CASES)
def test_second_moment_and_outlier_agree_to_order_one_over_the_width(network: Network, metric: Metric) -> None:
    narrow, wide = (np.abs(differences(network, metric, width)) for width in (1000, 4000))
    assert np.all(narrow < 5 / 1000)
    assert np.all(wide < np.maximum(narrow / 2, 5e-5))  # a quarter, but for the sampled law's own error
