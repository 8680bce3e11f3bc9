"""The schedule of looks, and that looking often keeps the level."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from verify.asking.records import Trial
from verify.asking.sweep import Sweep
from verify.judging.sequential import looks, until_decided
from verify.judging.verdict import compare

World = Callable[..., list[Trial]]


def sweep(trials: int) -> Sweep:
    grid = {
        "activation": ["linear"], "depth": [2], "weight_variance": [1.5], "bias_variance": [0.2], "width": [64],
        "samples": [20], "outputs": [1], "metric": ["ntk"],
    }  # fmt: skip
    verdict = {"theory": "leading", "delta": 0.05, "slope": 0.0}
    return Sweep(name="looks", grid=grid, run={"trials": trials}, verdict=verdict)


class Shelf:
    """A store that has all trials from the beginning, and keeps a record of what was asked."""

    def __init__(self, trials: list[Trial]) -> None:
        self.all, self.asked, self.closed, self.now = trials, [], 0, 0

    def run(self, look: Sweep) -> Any:
        self.asked.append((look.run.trials, look.verdict.alpha))
        self.now = look.run.trials
        return self

    def trials(self) -> list[Trial]:
        return [t for t in self.all if t.index < self.now]

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize(
    ("first", "most", "schedule"), [(5, 40, [5, 10, 20, 40]), (5, 30, [5, 10, 20, 30]), (5, 5, [5]), (1, 1, [1])]
)
def test_looks_double_from_the_first_to_the_most_and_share_the_level(
    first: int, most: int, schedule: list[int]
) -> None:
    found = looks(sweep(first), most)
    assert [s.run.trials for s in found] == schedule
    assert {s.verdict.alpha for s in found} == {0.05 / len(schedule)}
    assert all(s.cells() == sweep(first).cells() for s in found)


@pytest.mark.parametrize(("first", "most", "field"), [(1, 8, "run.trials"), (8, 4, "until_decided")])
def test_a_schedule_that_makes_no_sense_is_refused(first: int, most: int, field: str) -> None:
    with pytest.raises(ValueError, match=f"{field}: expected"):
        looks(sweep(first), most)


def test_it_stops_at_the_first_look_that_decides_everything(world: World) -> None:
    shelf = Shelf(world(sweep(64), bias=0.0, spread=0.02))
    until_decided(sweep(4), 64, shelf.run)
    assert [trials for trials, _ in shelf.asked] == [4]
    assert not shelf.closed


def test_undecided_it_goes_to_the_last_look_and_leaves_only_that_store_open(world: World) -> None:
    shelf = Shelf(world(sweep(16), spread=3.0))
    until_decided(sweep(4), 16, shelf.run)
    assert shelf.asked == [(4, 0.05 / 3), (8, 0.05 / 3), (16, 0.05 / 3)]
    assert shelf.closed == 2


@pytest.mark.slow
def test_all_looks_together_keep_the_level(world: World) -> None:
    # Every ratio lies exactly on the edge of the tolerance, so that a "fail" is wrong (and so is a "pass").
    repeats, wrong, edge = 200, 0, {"mean": 1.05, "second_moment": 1.05, "largest": 1.05}
    for seed in range(repeats):
        shelf = Shelf(world(sweep(32), edge, bias=0.0, spread=1.0, seed=seed))
        until_decided(sweep(4), 32, shelf.run)
        wrong += compare(looks(sweep(4), 32)[0], shelf.trials()).verdict == "fail"
    assert wrong / repeats < 0.05 + 4 * np.sqrt(0.05 * 0.95 / repeats)
