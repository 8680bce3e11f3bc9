"""The schedule of looks, and that looking often keeps the level."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from verify.records import Trial
from verify.sequential import looks, until_decided
from verify.sweep import Sweep

World = Callable[..., list[Trial]]


def sweep(trials: int, delta: float = 0.05) -> Sweep:
    grid = {
        "activation": ["linear"], "depth": [2], "weight_variance": [1.5], "bias_variance": [0.2], "width": [64],
        "samples": [20], "outputs": [1], "metric": ["ntk"],
    }  # fmt: skip
    return Sweep(name="looks", grid=grid, run={"trials": trials}, verdict={"delta": delta, "slope": 0.0})


def test_looks_double_from_the_first_to_the_most() -> None:
    assert looks(5, 40) == (5, 10, 20, 40)
    assert looks(5, 30) == (5, 10, 20, 30)
    assert looks(5, 5) == (5,)


@pytest.mark.parametrize(("first", "most", "field"), [(1, 8, "trials"), (8, 4, "most")])
def test_a_schedule_that_makes_no_sense_is_refused(first: int, most: int, field: str) -> None:
    with pytest.raises(ValueError, match=f"{field}: expected"):
        looks(first, most)


def test_it_stops_at_the_first_look_that_decides_everything(world: World) -> None:
    trials, asked = world(sweep(64), bias=0.0, spread=0.02), []

    def run(number: int) -> list[Trial]:
        asked.append(number)
        return trials

    found = list(until_decided(sweep(4), 4, 64, run))
    assert asked == [4]
    assert found[-1].comparison.verdict == "pass"


def test_each_look_sees_its_own_trials_at_its_share_of_the_level(world: World) -> None:
    trials = world(sweep(16), spread=3.0)
    found = list(until_decided(sweep(4), 4, 16, lambda number: trials))
    assert [look.trials for look in found] == [4, 8, 16]
    assert [{r.trials for r in look.comparison.rows} for look in found] == [{4}, {8}, {16}]
    assert {look.comparison.alpha for look in found} == {0.05 / 3}


@pytest.mark.slow
def test_all_looks_together_keep_the_level(world: World) -> None:
    # The mean lies exactly on the edge of the tolerance: every decision on it is wrong in one of the two directions.
    repeats, wrong, edge = 200, 0, {"mean": 1.05, "second_moment": 1.05, "largest": 1.05}
    for seed in range(repeats):
        trials = world(sweep(32), edge, bias=0.0, spread=1.0, seed=seed)
        *_, last = until_decided(sweep(4), 4, 32, lambda number, t=trials: t)  # type: ignore[misc]
        wrong += last.comparison.verdict == "fail"
    assert wrong / repeats < 0.05 + 4 * np.sqrt(0.05 * 0.95 / repeats)
