"""Given inputs of a sweep: what names them, their hash in a cell's key, their control."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from empirical.data import load
from verify.asking.inputs import Named
from verify.asking.sweep import Sweep, SweepError

GRID = {
    "activation": ["tanh"], "depth": [2], "weight_variance": [1.5], "bias_variance": [0.1], "width": [6, 9],
    "metric": ["fim"],
}  # fmt: skip
FILE = 'schema = 1\nname = "own"\n[grid]\n' + "\n".join(
    [*(f"{key} = {value}" for key, value in GRID.items()), 'inputs = ["x.npy"]']
)


def sweep_of(**grid: Any) -> Sweep:
    return Sweep(name="given", grid={**GRID, **grid}, run={"seed": 3})


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A sweep file beside a file of five samples."""
    np.save(tmp_path / "x.npy", np.arange(20.0).reshape(5, 4))
    (tmp_path / "own.toml").write_text(FILE)
    return tmp_path / "own.toml"


def test_inputs_are_those_of_the_data_set_by_the_seed_of_the_sweep() -> None:
    sweep = sweep_of(data=[{"name": "sloppy", "d": 5, "c": 0.3}], samples=[7])
    cell = sweep.cells()[0]
    assert cell.inputs is not None
    expected = load("sloppy", 7, seed=3, d=5, c=0.3)
    np.testing.assert_array_equal(cell.inputs.array, expected.inputs)
    assert (cell.inputs.digest, cell.samples) == (expected.digest, 7)
    assert cell.law.data == "sloppy, d = 5, c = 0.3"


def test_the_first_layer_has_as_many_inputs_as_the_data_have_features_at_every_width() -> None:
    cells = sweep_of(data=["gaussian:standard"], d=[5], samples=[7]).cells()
    assert {cell.drawn.widths(cell.width) for cell in cells} == {(5, 6, 1), (5, 9, 1)}
    assert len({cell.law for cell in cells if cell.inputs and not cell.inputs.control}) == 1


def test_cells_of_all_widths_hold_one_copy_of_the_samples() -> None:
    cells = sweep_of(data=["gaussian"], d=[5], samples=[7]).cells()
    assert len({id(cell.inputs.array) for cell in cells if cell.inputs}) == 2 < len(cells)  # the data and their control


def test_axes_of_a_drawn_set_may_stand_in_the_grid() -> None:
    table = sweep_of(data=[{"name": "sloppy", "d": 5, "c": c} for c in (0.0, 0.2)], samples=[7])
    axes = sweep_of(data=["sloppy"], d=[5], c=[0, 0.2], samples=[7])
    assert {cell.key for cell in table.cells()} == {cell.key for cell in axes.cells()}


def test_each_size_and_scale_has_one_control_of_the_same_shape_and_mean_square() -> None:
    cells = sweep_of(data=["gaussian:none", "gaussian", "sloppy"], d=[5], samples=[40], width=[6]).cells()
    data = [cell for cell in cells if cell.inputs and not cell.inputs.control]
    controls = [cell for cell in cells if cell.inputs and cell.inputs.control]
    assert (len(data), len(controls)) == (3, 2)  # raw ones have the same scale, and share theirs
    for cell in data:
        assert cell.inputs is not None
        (control,) = (c.inputs for c in controls if c.inputs and c.inputs.twins == cell.inputs.twins)
        assert control.array.shape == cell.inputs.array.shape
        assert np.mean(control.array**2) == pytest.approx(np.mean(cell.inputs.array**2), rel=1e-10)
        assert abs(np.corrcoef(control.array.ravel(), cell.inputs.array.ravel())[0, 1]) < 4 / np.sqrt(200)
        assert control.label.startswith("control: isotropic, d = 5")


def test_other_bytes_under_the_same_name_are_another_cell(own: Path) -> None:
    before = Sweep.from_toml(own)
    x = np.load(own.with_name("x.npy"))
    x[4, 3] = np.nextafter(x[4, 3], 99)
    np.save(own.with_name("x.npy"), x)
    after = Sweep.from_toml(own)
    data = [next(c for c in s.cells() if c.inputs and not c.inputs.control) for s in (before, after)]
    assert data[0].law == data[1].law
    assert data[0].key != data[1].key
    assert before.question(data[0]) != after.question(data[1])


def test_a_file_is_found_beside_the_sweep_file_and_its_rows_are_drawn_at_random(own: Path) -> None:
    x = np.load(own.with_name("x.npy"))
    every = Sweep.from_toml(own).cells()[0].inputs
    some = Sweep.from_toml(own, ["grid.samples=[3]"]).cells()[0].inputs
    other = Sweep.from_toml(own, ["grid.samples=[3]", "run.seed=1"]).cells()[0].inputs
    assert every is not None
    assert some is not None
    assert other is not None
    assert sorted(map(tuple, every.array)) == sorted(map(tuple, x))
    np.testing.assert_array_equal(some.array, every.array[:3])  # those of a smaller N are the first of a larger
    assert set(map(tuple, other.array)) <= set(map(tuple, x))
    assert not np.array_equal(other.array, some.array)
    assert some.digest == hashlib.sha256(some.array.tobytes()).hexdigest()


def test_the_same_bytes_under_two_names_are_one_cell(own: Path) -> None:
    np.save(own.with_name("again.npy"), np.load(own.with_name("x.npy")))
    both = Sweep.from_toml(own, ['grid.inputs=["x.npy", "again.npy"]'])
    assert len(both.cells()) == len(Sweep.from_toml(own).cells())


def test_json_gives_the_same_sweep_back_and_notices_other_bytes(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = Sweep.from_toml(own)
    text = sweep.to_json()
    known = {cell.inputs.digest: cell.inputs.array for cell in sweep.cells() if cell.inputs}
    monkeypatch.chdir(own.parent)
    assert Sweep.from_json(text) == sweep
    np.save("x.npy", np.ones((5, 4)))
    with pytest.raises(SweepError, match=r"hashes: expected inputs of the hash .*, got .* for x.npy, N = all"):
        Sweep.from_json(text)
    own.with_name("x.npy").unlink()
    again = Sweep.from_json(text, known)
    assert (again, again.cells(), again.to_json()) == (sweep, sweep.cells(), text)


def test_a_sweep_without_given_inputs_is_spelled_as_ever() -> None:
    text = sweep_of(samples=[7]).to_json()
    assert not any(f'"{key}"' in text for key in ("data", "inputs", "hashes", "c", "d"))


def test_a_table_of_data_is_what_it_gives() -> None:
    for named in (Named("digits", "standard"), Named("sloppy", "raw", 5, 0.25)):
        assert Named.of(named.to_dict()) == named
    assert Named.of("digits:standard") == Named("digits", "standard")


@pytest.mark.parametrize(
    ("grid", "line"),
    [
        ({"data": ["digit"]}, "grid.data[0]: expected a name that is one of digits, .*; got 'digit'"),
        ({"data": ["digits:log"]}, "grid.data[0]: expected a scaling that is one of raw, .*; got 'log'"),
        ({"data": [3]}, "grid.data[0]: expected name, name:scaling, or a table of .*; got 3"),
        ({"data": [{"name": "sloppy", "c": -1}]}, "grid.data[0].c: expected a finite number of at least 0, got -1"),
        ({"data": [{"name": ["sloppy"]}]}, "grid.data[0]: expected a word, got ['sloppy']"),
        ({"data": ["sloppy"], "c": [-0.1]}, "grid.c[0]: expected a finite number of at least 0, got -0.1"),
        ({"data": ["gaussian"], "c": [0.1]}, "grid.c: expected none for gaussian, got 0.1"),
        ({"data": [{"name": "sloppy", "d": 4}], "d": [5]},
         "grid.d: expected it in one place, got it in the table of data and beside it"),
        ({"c": [0.1], "samples": [3]}, "grid.c: expected none without data, got 0.1"),
        ({"data": ["gaussian"], "inputs": ["x.npy"]}, "grid.inputs: expected none beside data, got 'x.npy'"),
        ({"inputs": ["none.npy"]}, "grid.inputs: expected a .npy or .csv file, got none.npy .*"),
        ({"data": ["gaussian"], "d": [5], "samples": [4], "depth": [1], "width_ratios": [[0.5]]},
         "grid.width_ratios: expected α_0 M = 5, .*"),
    ],
)  # fmt: skip
def test_what_can_not_be_is_said_in_a_line(grid: dict[str, Any], line: str) -> None:
    with pytest.raises(SweepError) as caught:
        sweep_of(**grid)
    first, *_ = str(caught.value).splitlines()
    start, _, end = line.partition(".*")
    assert first.startswith(start)
    assert first.endswith(end)


def test_more_samples_than_there_are_is_said_in_a_line(own: Path) -> None:
    with pytest.raises(SweepError, match=r"grid\.samples: expected at most 5, the rows of x\.npy, got 6"):
        Sweep.from_toml(own, ["grid.samples=[6]"])


def test_a_hash_of_inputs_that_the_sweep_has_not_is_refused() -> None:
    with pytest.raises(SweepError, match=r"hashes: expected names of inputs of the sweep .*, got 'digits'"):
        Sweep(name="given", grid={**GRID, "samples": [3]}, hashes={"digits": "ab"})
