"""The verdict."""

from __future__ import annotations

import numpy as np
import pytest

from meanfield import FIM, NTK, InputMetric, Network, predict


def refined(network, metric, width, samples):
    return predict(network, metric, width=width, samples=samples, order="refined")


def test_wide_network_holds():
    p = refined(Network(3, "tanh", 3.0, 0.64, outputs=10), FIM(), 400, 100)
    assert p.validity.moments
    assert p.validity.outliers
    assert not p.warnings
    assert np.all(np.isfinite(p.outliers))


@pytest.mark.parametrize(
    ("network", "metric", "width", "samples", "reason"),
    [
        (Network(3, "erf", 5.0, 0.1, outputs=10), FIM(), 100, 20, "outliers merge with the bulk"),
        (Network(3, "tanh", 2.0, 0.0, outputs=3), NTK(), 100, 50, "outliers merge with the bulk"),
        (Network(3, "relu", 2.0, 0.1, outputs=5), NTK(layer=1), 100, 50, "outliers merge with the bulk"),
        (Network(3, "tanh", 1.5, 0.2, outputs=25), InputMetric(), 40, 40, "for each independent unit"),
        (Network(8, "relu", 2.0, 0.1, outputs=3), FIM(), 30, 20, "order 1/M² count"),
    ],
)
def test_beyond_the_limits(network, metric, width, samples, reason):
    p = refined(network, metric, width, samples)
    assert any(reason in w for w in p.warnings)
    assert not p.validity.outliers
    assert np.all(np.isnan(p.outliers))
    assert np.isnan(p.largest)
    assert np.all(np.isnan(p.interval()["outliers"]))
    assert np.isfinite(p.second_moment)  # mean and second moment hold, or are flagged, but never void
    assert p.validity.moments == ("1/M²" not in reason)


@pytest.mark.parametrize("name", ["tanh", "erf", "sin", "linear"])
def test_no_common_part_is_never_an_outlier(name):
    """Odd φ without bias: θ_o is rounding, at few samples too, where (θ_d - θ_o)/N is most of the lowest eigenvalue."""
    network = Network(3, name, 1.0 if name == "linear" else 3.0, 0.0, outputs=2)
    for metric in (FIM(), NTK(), NTK(layer=2)):
        p = refined(network, metric, 400, [2, 3, 5, 10, 20])
        assert not np.any(p.validity.outliers)
        assert np.all(np.isnan(p.outliers))


@pytest.mark.parametrize("bias", [1e-20, 1e-8, 1e-4])
def test_hardly_any_common_part(bias):
    p = refined(Network(3, "tanh", 3.0, bias, outputs=2), NTK(), 400, [2, 3, 5, 10, 20])
    assert not np.any(p.validity.outliers)


def test_centered_has_no_outliers():
    p = refined(Network(3, "tanh", 3.0, 0.64, outputs=10), FIM(centered=True), 100, 100)
    assert p.validity.moments
    assert not p.validity.outliers
    assert p.outliers.shape == (0,)
    assert np.isnan(p.largest)
    assert len(p.warnings) == 1


def test_one_verdict_for_each_cell():
    network = Network(3, "tanh", 3.0, 0.64, outputs=10)
    p = refined(network, NTK(), [[100], [400]], [5, 100])
    assert p.validity.edge.shape == (2, 2)
    assert np.array_equal(p.validity.outliers, np.all(np.isfinite(p.outliers), axis=-1))
    assert not p.validity.outliers[0, 0]
    assert p.validity.outliers[1, 1]
