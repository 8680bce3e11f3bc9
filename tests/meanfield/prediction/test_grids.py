from __future__ import annotations

import pytest

from meanfield.prediction.asking import predict
from meanfield.prediction.grids import predict_grid
from meanfield.spec import NTK, Network

AXES = {"depth": [2, 3], "weight_variance": [1.0, 2.0, 3.0]}
FIXED = {"activation": "erf", "bias_variance": 0.3, "outputs": 2}


def test_every_point_is_a_prediction_of_its_own():
    grid = predict_grid(AXES, NTK(), width=[50, 100], samples=10, **FIXED)
    assert grid.predictions.shape == (2, 3)
    assert grid.values("largest").shape == (2, 3, 2)
    assert grid.values("outliers").shape == (2, 3, 2, 2)
    point = predict(Network(depth=3, weight_variance=2.0, **FIXED), NTK(), width=100, samples=10)
    assert grid.values("largest")[1, 1, 1] == point.largest
    frame = grid.to_frame()
    assert len(frame) == 12
    row = frame[(frame.depth == "3") & (frame.weight_variance == "2.0") & (frame.width == 100)]
    assert row.largest.item() == point.largest


@pytest.mark.parametrize("values", ["tanh", [], 3])
def test_refuses_an_axis_without_values(values):
    with pytest.raises(TypeError, match=r"^axes: expected a sequence of values for depth"):
        predict_grid({"depth": values}, NTK(), width=10, samples=10, **FIXED)


def test_bad_points_are_named():
    with pytest.raises(ValueError, match=r"^weight_variance: expected"):
        predict_grid({"weight_variance": [1.0, -1.0]}, NTK(), width=10, samples=10, depth=2, activation="tanh")
