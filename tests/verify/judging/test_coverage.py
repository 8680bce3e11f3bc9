"""The share of single networks in the predicted interval."""

from __future__ import annotations

from typing import Any

import numpy as np

from meanfield.spec import FIM, Network
from verify.asking.records import Cell
from verify.judging.coverage import coverage
from verify.judging.observations import Observation

CELL = Cell(Network(2, "linear", 1.5, 0.2, 4), 64, 20, (FIM(),))


def seen(statistic: str, values: list[float], band: tuple[float, float] | None, reason: str = "") -> Observation:
    extra: dict[str, Any] = {"order": "refined", "leading": 1.0, "band": band}
    return Observation(CELL, FIM(), statistic, 1.0, np.array(values), reason, (0.0, 0.0), None, **extra)


def test_networks_are_counted_over_all_cells_by_statistic() -> None:
    found = coverage(
        [
            seen("mean", [0.5, 1.0, 1.5, 9.0], (0.9, 2.0)),
            seen("mean", [1.0], (0.9, 2.0)),
            seen("largest", [3.0, 0.0], (0.0, 3.0)),
        ]
    )
    assert {k: (c.inside, c.networks) for k, c in found.items()} == {"mean": (3, 5), "largest": (2, 2)}
    assert found["mean"].share == 0.6


def test_void_predictions_those_without_a_law_and_cells_without_networks_do_not_count() -> None:
    assert coverage([seen("mean", [1.0], None), seen("mean", [1.0], (0, 2), "void"), seen("mean", [], (0, 2))]) == {}
