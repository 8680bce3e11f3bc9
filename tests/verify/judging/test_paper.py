"""The preset `paper-fig4`: predicted outliers and the paper's bounds against stored networks (tests/data)."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import meanfield.prediction.asking
from verify.asking.records import Cell, Sample, Trial
from verify.asking.sweep import Sweep
from verify.judging.pairing import pair
from verify.judging.ranks import Ranks, ranks

DATA = Path(__file__).parents[2] / "data" / "paper_outliers.json"


@pytest.fixture(scope="module")
def stored() -> tuple[list[Cell], list[Trial]]:
    sweep = Sweep.preset("paper-fig4")
    cells = [c for c in sweep.cells() if c.width == max(cell.width for cell in sweep.cells())]
    networks = json.loads(DATA.read_text("utf-8"))
    assert {c.key for c in cells} == set(networks)
    (metric,) = {m for c in cells for m in c.metrics}
    trials = [
        Trial(c.key, i, "done", samples={metric.label: Sample(1.0, 1.0, values[0], tuple(values), parameters(c))})
        for c in cells
        for i, values in enumerate(networks[c.key])
    ]
    assert len(trials) == len(cells) * sweep.run.trials
    return cells, trials


def parameters(cell: Cell) -> int:
    """Weights and biases, P of the FIM."""
    widths = cell.network.widths(cell.width)
    return sum(leaving * (entering + 1) for entering, leaving in pairwise(widths))


def outside(found: list[Ranks]) -> int:
    """Outliers outside their measured intervals, which together hold with 95 %."""
    level = 1 - 0.05 / sum(len(r.predicted) for r in found)
    missed = 0
    for r in found:
        for predicted, measured in zip(r.predicted, r.measured, strict=True):
            low, high = measured.interval(level)
            missed += not low <= predicted <= high
    return missed


def test_predicted_outliers_lie_in_the_measured_intervals_where_the_paper_has_a_factor_of_two(
    stored: tuple[list[Cell], list[Trial]],
) -> None:
    found = list(ranks(pair(*stored, "leading")))
    assert [len(r.predicted) for r in found] == [5, 6, 8]
    assert outside(found) == 0
    for r in found:
        assert r.bounds is not None
        lower, upper = r.bounds
        assert upper / lower > 1.85
        low, high = r.measured[0].interval()
        assert high / low < 1.1
        assert lower < low < high < upper


@pytest.mark.parametrize("factor", [1.1, 1 / 1.1])
def test_a_tenth_more_or_less_of_the_common_part_lies_outside(
    stored: tuple[list[Cell], list[Trial]], factor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = meanfield.kernels.setting.exchangeable_kernel

    def wrong(*args: Any, **options: Any) -> Any:
        kernel = true(*args, **options)
        changed = replace(kernel, other=factor * kernel.other)
        return replace(changed, gap=changed.same - changed.other)

    monkeypatch.setattr(meanfield.kernels.setting, "exchangeable_kernel", wrong)
    assert outside(list(ranks(pair(*stored, "leading")))) >= 9
