"""Sweep files: what they say, and what is said about bad ones."""

from __future__ import annotations

import math

import pytest
import sympy

from meanfield import FIM, NTK, Network
from verify.asking.records import Cell
from verify.asking.sweep import Sweep, SweepError, preset_names, trial_seed

GRID = {
    "activation": ["tanh", "relu"],
    "depth": [3],
    "weight_variance": [2.0],
    "bias_variance": [0.1],
    "width": [8, 16, 32],
    "samples": [5],
    "outputs": [2],
    "metric": ["fim", {"family": "ntk", "layer": 1}],
}
CELL = {"activation": "tanh", "depth": 2, "weight_variance": 1.0, "width": 8, "samples": 4, "metric": ["fim"]}


def errors_of(**values: object) -> list[str]:
    with pytest.raises(SweepError) as caught:
        Sweep(**{"name": "bad", **values})
    return str(caught.value).splitlines()


def test_a_grid_is_the_product_of_its_lists_with_the_width_fastest() -> None:
    cells = Sweep(name="a", grid=GRID).cells()
    expected = [
        Cell(Network(3, activation, 2.0, 0.1, 2), width, 5, (FIM(), NTK(layer=1)))
        for activation in ("tanh", "relu")
        for width in (8, 16, 32)
    ]
    assert list(cells) == expected


def test_network_tables_couple_what_belongs_together() -> None:
    tables = [{"activation": "tanh", "weight_variance": 3.0}, {"activation": "relu", "weight_variance": [2, 1, 1]}]
    grid = {k: v for k, v in GRID.items() if k not in {"activation", "weight_variance"}}
    networks = {cell.network for cell in Sweep(name="a", grid={**grid, "network": tables}).cells()}
    assert networks == {Network(3, "tanh", 3.0, 0.1, 2), Network(3, "relu", (2.0, 1.0, 1.0), 0.1, 2)}


def test_samples_may_be_tied_to_the_width() -> None:
    cells = Sweep(name="a", cells=[{**CELL, "width": 300, "samples": None, "samples_per_width": 1 / 3}]).cells()
    assert [cell.samples for cell in cells] == [100]
    (line,) = errors_of(cells=[{**CELL, "samples": None, "samples_per_width": 0.3}])
    assert line.startswith("cells[0].samples_per_width: expected samples_per_width * width to be an integer")


def test_cells_that_draw_the_same_networks_are_one_cell_with_all_their_metrics() -> None:
    cells = Sweep(name="a", cells=[CELL, {**CELL, "metric": ["ntk", "fim"]}, {**CELL, "activation": "relu"}]).cells()
    assert [cell.metrics for cell in cells] == [(FIM(), NTK()), (FIM(),)]


def test_json_gives_the_same_sweep_back() -> None:
    u = sympy.Symbol("u")
    activations = ["tanh", "leaky_relu(0.2)", u * sympy.tanh(u), ["relu", "swish"]]
    sweep = Sweep(name="a", grid={**GRID, "activation": activations}, run={"seed": 2**70}, verdict={"slope": 2})
    again = Sweep.from_json(sweep.to_json())
    assert again == sweep
    assert again.cells() == sweep.cells()
    assert again.to_json() == sweep.to_json()


@pytest.mark.parametrize("name", preset_names())
def test_presets_are_sweeps_named_like_their_file(name: str) -> None:
    sweep = Sweep.preset(name)
    assert sweep.name == name
    assert sweep.cells()


@pytest.mark.parametrize("name", [name for name in preset_names() if name.startswith("paper-")])
def test_the_presets_of_the_paper_have_its_size_in_a_store_of_its_own(name: str) -> None:
    laptop, paper = Sweep.preset(name), Sweep.preset(name, size="paper")
    assert paper.name != laptop.name
    assert len(paper.cells()) >= len(laptop.cells())
    assert max(c.width for c in paper.cells()) > max(c.width for c in laptop.cells())
    assert paper.run.trials > laptop.run.trials
    assert {c.network for c in paper.cells()} == {c.network for c in laptop.cells()}


def test_all_errors_of_a_file_come_at_once_one_line_each(tmp_path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(
        """
        schema = 2
        name = "has a space"
        colour = "red"
        [grid]
        activation = ["tahn"]
        depth = [0]
        weight_varience = [1.0]
        width = [true]
        samples = 5
        metric = [{family = "fim", lyer = 2}]
        [run]
        trials = 0
        [engine]
        jobs = 0
        [verdict]
        alpha = 1.5
        """
    )
    with pytest.raises(SweepError) as caught:
        Sweep.from_toml(path)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}: ") and ": expected " in line and " got " in line for line in lines)
    fields = [line.removeprefix(f"{path}: ").split(":")[0] for line in lines]
    assert fields == [
        "schema", "name", "grid.activation[0]", "grid.depth[0]", "grid.samples", "grid.width[0]", "grid.metric[0]",
        "grid.weight_varience", "run.trials", "engine.jobs", "verdict.alpha", "colour",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"weight_variance": -1.0}, "cells[0].weight_variance: expected a finite number of at least 0, got -1.0"),
        ({"weight_variance": math.nan}, "cells[0].weight_variance: expected a finite number of at least 0, got nan"),
        ({"weight_variance": [1, 2, 3]}, "cells[0].weight_variance: expected one value by itself or a sequence of 2 "
            "(one per layer), got one of 3"),
        ({"width": 0}, "cells[0].width: expected an integer of at least 1, got 0"),
        ({"width": None}, "cells[0].width: expected a value, got none"),
        ({"metric": []}, "cells[0].metric: expected a value, got none"),
        ({"metric": [{"family": "fim", "layer": 3}]}, "cells[0].layer: expected 1..2 for fim at depth 2, got 3"),
        ({"samples": None}, "cells[0].samples: expected either samples or samples_per_width, got none"),
        ({"samples_per_width": 0.5}, "cells[0].samples: expected either samples or samples_per_width, got both"),
        ({"activation": {"name": "f"}},
         "cells[0].activation: expected a table of name and text (and breakpoints), got {'name': 'f'}"),
    ],
)  # fmt: skip
def test_a_bad_setting_of_a_cell_is_named(change: dict, line: str) -> None:
    assert errors_of(cells=[{**CELL, **change}]) == [line]


def test_what_is_no_sweep_file_is_said_in_a_line(tmp_path) -> None:
    broken, binary = tmp_path / "broken.toml", tmp_path / "binary.toml"
    broken.write_text("name = \n")
    binary.write_bytes(b"\xff\xfe")
    for path in (broken, binary, tmp_path / "absent.toml", tmp_path):
        with pytest.raises(SweepError, match=r"sweep: expected .*, got") as caught:
            Sweep.from_toml(path)
        assert len(str(caught.value).splitlines()) == 1
    assert "network" in errors_of(grid={**GRID, "network": [{"depth": 3}]})[0]
    assert errors_of() == ["grid: expected a [grid] or at least one [[cells]], got none"]
    with pytest.raises(SweepError, match=r"presets .*quick.*; got 'nothing'"):
        Sweep.preset("nothing")


def test_the_seed_of_a_trial_follows_from_seed_physics_and_number_alone() -> None:
    cells = Sweep(name="a", grid=GRID).cells()
    states = {(seed, i, n): tuple(trial_seed(seed, cell, n).generate_state(4))
              for seed in (0, 1) for i, cell in enumerate(cells) for n in range(3)}  # fmt: skip
    assert len(set(states.values())) == len(states)
    renamed = Cell(cells[0].network, cells[0].width, cells[0].samples, (FIM(layer=1),))
    assert tuple(trial_seed(0, renamed, 2).generate_state(4)) == states[0, 0, 2]


def test_a_question_changes_with_all_that_changes_a_trial_and_with_nothing_else() -> None:
    def question(run: dict, **change: object) -> str:
        sweep = Sweep(name="a", cells=[{**CELL, **change}], run=run)
        return sweep.question(sweep.cells()[0])

    run = {"seed": 1, "trials": 3}
    same = {question(run), question({**run, "trials": 9})}
    others = [
        question({**run, "seed": 2}),
        question({**run, "spectrum": "full"}),
        question({**run, "dtype": "float32"}),
    ]
    others += [question({**run, "backend": "torch"}), question(run, metric=["ntk"]), question(run, width=9)]
    assert len(same) == 1
    assert len({*same, *others}) == 1 + len(others)
