"""Outliers one by one: for which metrics, which cells, and what is in them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from meanfield import predict
from meanfield.spec import FIM, Network
from verify.asking.records import Cell, Sample, Trial
from verify.judging.pairing import pair
from verify.judging.ranks import ranks

CROSS = FIM(loss="cross_entropy")
NETWORK = Network(2, "relu", 2.0, 0.1, 4)
CELLS = [Cell(NETWORK, width, 40, (FIM(), CROSS)) for width in (64, 256, 128)]


def trial(cell: Cell, index: int, factor: float) -> Trial:
    def sample(metric: FIM) -> Sample:
        prediction = predict(cell.network, metric, width=cell.width, samples=cell.samples)
        outliers = factor * prediction.outliers
        return Sample(1.0, 1.0, float(outliers[0]), tuple(outliers), int(prediction.dimension))

    return Trial(cell.key, index, "done", samples={m.label: sample(m) for m in cell.metrics})


def test_only_outliers_that_theory_tells_apart_are_ranked_and_only_at_the_widest_networks() -> None:
    trials = [trial(cell, index, factor) for cell in CELLS for index, factor in enumerate((0.9, 1.1))]
    (found,) = ranks(pair(CELLS, trials, "leading"))
    prediction = predict(NETWORK, CROSS, width=256, samples=40)
    theory = prediction.outliers[:2]
    assert np.isnan(prediction.outliers[2])  # merged with the bulk: nothing to set beside the third
    assert (found.cell.width, found.metric) == (256, CROSS)
    assert found.predicted == pytest.approx(tuple(theory))
    assert [e.value for e in found.measured] == pytest.approx(list(theory))
    assert [e.standard_error for e in found.measured] == pytest.approx(list(0.1 * theory))
    assert found.bounds is not None
    assert np.allclose(found.bounds, prediction.bounds)
    assert found.bounds[0] < found.predicted[0] < found.bounds[1]


def test_networks_without_eigenvalues_have_no_ranks() -> None:
    bare = [replace(trial(CELLS[0], 0, 1.0), samples={CROSS.label: Sample(1.0, 1.0, float("nan"), (), 9)})]
    assert ranks(pair(CELLS[:1], bare, "leading")) == ()
