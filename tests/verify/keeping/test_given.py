"""A store keeps the inputs that its sweep names, and a run measures on them."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from empirical import measure
from verify import Store, Sweep, run
from verify.asking.sweep import trial_seed
from verify.keeping.exporting import rows
from verify.keeping.store import StoreError
from verify.running.estimates import estimate
from verify.running.merging import merge

GRID = {
    "activation": ["tanh"], "depth": [2], "weight_variance": [1.5], "width": [6], "inputs": ["x.npy"],
    "metric": ["fim"],
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(5, 3)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sweep_of(**grid: object) -> Sweep:
    return Sweep(name="given", grid={**GRID, **grid}, run={"trials": 2, "seed": 4, "spectrum": "full"})


def test_a_trial_is_measured_on_the_inputs_of_its_cell(folder: Path) -> None:
    sweep = sweep_of()
    with run(sweep, folder / "a.sqlite", jobs=1, progress=False) as store:
        trials = list(store.trials())
    cells = {cell.key: cell for cell in sweep.cells()}
    assert len(trials) == 4
    for trial in trials:
        cell = cells[trial.cell]
        assert cell.inputs is not None
        again = measure(
            cell.drawn, "fim", width=6, inputs=cell.inputs.array, seed=trial_seed(4, cell, trial.index), spectrum="full"
        )
        (sample,) = trial.samples.values()
        np.testing.assert_array_equal(sample.eigenvalues, again.eigenvalues)
        assert trial.provenance["inputs"]["sha256"] == cell.inputs.digest


def test_a_store_needs_no_file_any_more(folder: Path) -> None:
    sweep = sweep_of()
    run(sweep, folder / "a.sqlite", jobs=1, progress=False).close()
    (folder / "x.npy").unlink()
    with Store.open(folder / "a.sqlite") as store:
        assert store.sweep() == sweep
        for cell, known in zip(store.sweep().cells(), sweep.cells(), strict=True):
            assert cell.inputs is not None
            assert known.inputs is not None
            np.testing.assert_array_equal(cell.inputs.array, known.inputs.array)
        assert {row["data"] for row in rows(store)} == {"x.npy", *(c.law.data for c in sweep.cells())}


def test_another_file_of_the_same_name_is_measured_anew_and_the_old_trials_stay(folder: Path) -> None:
    run(sweep_of(), folder / "a.sqlite", jobs=1, progress=False).close()
    np.save(folder / "x.npy", 2 * np.load(folder / "x.npy"))
    with run(sweep_of(), folder / "a.sqlite", jobs=1, progress=False) as store:
        assert store.counts() == {"done": 4, "failed": 0, "pending": 0}
        assert store.others() == 4
        (own, _) = store.sweep().cells()
        assert own.inputs is not None
        assert sorted(map(tuple, own.inputs.array)) == sorted(map(tuple, np.load(folder / "x.npy")))


def test_damaged_inputs_are_noticed(folder: Path) -> None:
    run(sweep_of(), folder / "a.sqlite", jobs=1, progress=False).close()
    with contextlib.closing(sqlite3.connect(folder / "a.sqlite")) as connection, connection:
        connection.execute("UPDATE inputs SET numbers = zeroblob(length(numbers))")
    with Store.open(folder / "a.sqlite") as store, pytest.raises(StoreError, match="damaged: inputs of the hash"):
        store.sweep()


def test_a_store_without_given_inputs_has_no_table_of_them(tmp_path: Path) -> None:
    drawn = Sweep(name="drawn", grid={**GRID, "inputs": None, "samples": [3]})
    Store.create(tmp_path / "a.sqlite", drawn).close()
    with contextlib.closing(sqlite3.connect(tmp_path / "a.sqlite")) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert names == {"sweep", "session", "provenance", "trial", "sample"}


def test_stores_of_the_same_inputs_are_merged_and_those_of_others_refused(folder: Path) -> None:
    run(sweep_of(), folder / "a.sqlite", jobs=1, progress=False).close()
    run(sweep_of(width=[8]), folder / "b.sqlite", jobs=1, progress=False).close()
    merge(["a.sqlite", "b.sqlite"], "all.sqlite")
    with Store.open("all.sqlite") as store:
        assert store.counts() == {"done": 8, "failed": 0, "pending": 0}
    np.save("x.npy", 2 * np.load("x.npy"))
    run(sweep_of(), folder / "c.sqlite", jobs=1, progress=False).close()
    with pytest.raises(StoreError, match=r"expected the bytes that x.npy, N = all has, got others: c.sqlite"):
        merge(["a.sqlite", "c.sqlite"], "none.sqlite")


def test_estimates_are_of_the_network_with_the_data_as_its_inputs(folder: Path) -> None:
    np.save("x.npy", np.ones((5, 400)))
    wide, narrow = estimate(sweep_of())[0], estimate(sweep_of(inputs=None, samples=[5]))[0]
    assert wide.plan is not None
    assert narrow.plan is not None
    assert wide.plan.bytes > 2 * narrow.plan.bytes
