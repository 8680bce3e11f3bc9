"""Values changed from the command line."""

from __future__ import annotations

import pytest

from verify.asking.overrides import changed
from verify.asking.sweep import Sweep


def test_set_changes_values_and_says_what_it_cannot() -> None:
    sweep = Sweep.preset("quick", ["run.trials=5", "grid.width=[8, 16]", "run.backend = torch", "name=mine"])
    assert (sweep.name, sweep.run.trials, sweep.run.backend) == ("mine", 5, "torch")
    assert {cell.width for cell in sweep.cells()} == {8, 16}
    table = {"run": {"trials": 1}, "name": "a"}
    assert changed(table, ["run.seed=3"]) == {"run": {"trials": 1, "seed": 3}, "name": "a"}
    assert table == {"run": {"trials": 1}, "name": "a"}
    for bad in ("run.trials", "=3", ".x=3", "name.x=3"):
        with pytest.raises(ValueError, match=r"set: expected .*, got"):
            changed(table, [bad])


def test_a_size_replaces_values_of_the_file_and_a_change_those_of_the_size() -> None:
    table = {"name": "a", "run": {"trials": 1, "seed": 4}, "sizes": {"paper": {"name": "b", "run": {"trials": 9}}}}
    assert changed(table) == {"name": "a", "run": {"trials": 1, "seed": 4}}
    assert changed(table, size="paper") == {"name": "b", "run": {"trials": 9, "seed": 4}}
    assert changed(table, ["run.trials=5"], "paper") == {"name": "b", "run": {"trials": 5, "seed": 4}}
    with pytest.raises(ValueError, match=r"size: expected one that the sweep has \(paper\), got 'large'"):
        changed(table, size="large")
