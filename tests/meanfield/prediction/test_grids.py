from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from meanfield.kernels.setting import Setting
from meanfield.prediction import grids
from meanfield.prediction.asking import predict
from meanfield.prediction.grids import predict_grid
from meanfield.spec import FIM, NTK, InputMetric, Network, OrderParameters

WEIGHTS, BIASES = np.array([[1.0, 2.0, 3.0]]), np.array([[0.0], [0.3]])
SIZES = {"depth": 3, "width": 200, "samples": 20, "outputs": 2}


@pytest.mark.parametrize("metric", [FIM(), NTK(), InputMetric(), FIM(layer=2), NTK(centered=True)], ids=str)
@pytest.mark.parametrize("activation", ["erf", "relu"])
def test_every_point_is_what_predict_says_of_its_network(activation, metric):
    grid = predict_grid(activation, WEIGHTS, BIASES, metric, **SIZES)
    assert grid.largest.shape == (2, 3)
    for index in np.ndindex(2, 3):
        network = Network(3, activation, WEIGHTS[0, index[1]], BIASES[index[0], 0], outputs=2)
        point = predict(network, metric, width=200, samples=20)
        for name in ("mean", "second_moment", "largest"):
            np.testing.assert_allclose(getattr(grid, name)[index], getattr(point, name), rtol=1e-9, err_msg=name)
        if point.critical_learning_rate is None:
            assert grid.critical_learning_rate is None
        else:
            np.testing.assert_allclose(grid.critical_learning_rate[index], point.critical_learning_rate, rtol=1e-9)


def test_the_error_is_the_largest_of_all_points():
    """Beside one that the table does not reach, which is integrated by itself."""
    table, beyond = (predict_grid("relu", w, 0.0, FIM(), **SIZES) for w in ([1.0, 2.0], [1.0, 300.0]))
    assert 0 < table.error < 1e-9
    assert (table.status, beyond.status) == ("ok", "ok")
    assert beyond.error >= predict(Network(3, "relu", 300.0), FIM(), width=200, samples=20).error


def test_the_overlap_is_that_of_the_kernel():
    grid = predict_grid("relu", WEIGHTS, BIASES, NTK(), **SIZES)
    network = Network(3, "relu", 3.0, 0.3, outputs=2)
    parameters = predict(network, NTK(), width=200, samples=20).order_parameters
    kernel = Setting.of(network, NTK(), parameters, 200, 20).kernel
    assert grid.overlap[1, 2] == pytest.approx(kernel.other / kernel.same, rel=1e-9)
    assert 0 < grid.overlap[1, 2] < 1


def test_void_points_are_nan_and_say_why_and_the_others_stand():
    grid = predict_grid("tanh", WEIGHTS, BIASES, NTK(), **SIZES)  # σ_b = 0: centred networks, K₂ = 0
    assert np.isnan(grid.largest).tolist() == [[True] * 3, [False] * 3]
    np.testing.assert_allclose(grid.overlap[0], 0, atol=1e-12)
    assert any(reason.startswith("largest, outliers: void for NTK") for reason in grid.warnings)
    assert predict_grid("tanh", WEIGHTS, 0.3, NTK(), **SIZES).warnings == ()


def test_points_beyond_the_table_are_integrated_one_by_one():
    grid = predict_grid("relu", [2.0, 400.0], 0.1, NTK(), **SIZES)
    point = predict(Network(3, "relu", 400.0, 0.1, outputs=2), NTK(), width=200, samples=20)
    assert grid.largest[1] == pytest.approx(point.largest, rel=1e-9)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"weight_variance": [1.0, -1.0]}, "weight_variance: expected finite numbers of at least 0"),
        ({"metric": FIM(loss="cross_entropy")}, "metric.loss: expected mse on a grid, got 'cross_entropy'"),
        ({"width": [100, 200]}, "width, samples: expected one of each on a grid"),
        ({"samples": 0}, "samples: expected positive integers, got 0"),
        ({"metric": FIM(layer=4)}, "layer: expected"),
        ({"activation": "step"}, "activation: expected"),
    ],
)
def test_bad_questions_are_one_sentence(changed, message):
    asked = {"activation": "tanh", "weight_variance": 1.0, "bias_variance": 0.1, "metric": NTK(), **SIZES} | changed
    with pytest.raises(ValueError, match=message):
        predict_grid(**asked)


def test_a_point_that_is_not_resolved_is_the_status_of_all(monkeypatch):
    """One beyond the table's range, which is integrated by itself."""
    poor = OrderParameters.of(
        predict(Network(3, "relu", 300.0), FIM(), width=200, samples=20).order_parameters.to_dict()
    )
    monkeypatch.setattr(grids, "order_parameters", lambda network: replace(poor, error=0.25, status="unresolved"))
    grid = predict_grid("relu", [1.0, 300.0, 2.0], 0.0, FIM(), **SIZES)
    assert (grid.error, grid.status) == (0.25, "unresolved")


@pytest.mark.parametrize("depth", [200, 900], ids=["too large to square", "overflow"])
def test_one_point_that_explodes_leaves_the_others(depth):
    grid = predict_grid("relu", [1.0, 8.0], 0.1, FIM(), depth=depth, width=100, samples=10)
    assert np.isfinite(grid.mean).tolist() == [True, False]
    assert any(w.startswith("void at σ_w² = 8, σ_b² = 0.1: weight_variance: ") for w in grid.warnings)
