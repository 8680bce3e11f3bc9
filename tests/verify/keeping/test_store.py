"""The store: what goes in comes out, bit for bit; what isn't one is refused in a line."""

from __future__ import annotations

import math
import os
import sqlite3
import threading

import numpy as np
import pytest

from meanfield.spec import OrderParameters
from verify.asking.records import Sample, Trial
from verify.keeping.store import Store, StoreError


def trial_of(cell, index: int, **change) -> Trial:
    random = np.random.default_rng(index)
    outliers, spectrum = tuple(random.normal(size=3)), random.normal(size=5)
    sample = Sample(random.normal(), math.nan, math.inf, outliers, 7, spectrum)
    samples = {metric.label: sample for metric in cell.metrics}
    provenance = {"code": "a" * 64, "dtype": "float64"}
    layers = OrderParameters.of(
        dict(zip(OrderParameters.NAMES, random.normal(size=(6, cell.network.depth)), strict=True))
    )
    values = {
        "status": "done", "seconds": 0.25, "samples": samples, "provenance": provenance, "order_parameters": layers,
    }  # fmt: skip
    return Trial(cell.key, index, **{**values, **change})


def plain(trial: Trial) -> tuple:
    """A trial as something that compares bit for bit, NaN included."""
    samples = [
        (label, np.array([s.mean, s.second_moment, s.largest, *s.outliers]).tobytes(), s.dimension,
         None if s.eigenvalues is None else s.eigenvalues.tobytes())
        for label, s in trial.samples.items()
    ]  # fmt: skip
    layers = trial.order_parameters and trial.order_parameters.to_dict()
    return (trial.cell, trial.index, trial.status, trial.reason, trial.seconds, samples, layers, dict(trial.provenance))


def test_trials_come_back_as_they_went_in_whatever_the_order(tmp_path, make_sweep) -> None:
    sweep = make_sweep(3)
    trials = [trial_of(cell, n) for cell in sweep.cells() for n in range(3)]
    trials[4] = trial_of(
        sweep.cells()[1], 1, status="failed", reason="ValueError: no", samples={}, order_parameters=None
    )
    with Store.create(tmp_path / "a.sqlite", sweep) as store:
        store.begin({"workers": 2})
        store.append(trials[7:][::-1])
        store.append(trials[:7])
        assert store.counts() == {"done": 11, "failed": 1, "pending": 0}
    with Store.open(tmp_path / "a.sqlite") as store:
        assert store.sweep() == sweep
        assert list(map(plain, store.trials())) == list(map(plain, trials))
        assert store.finished(sweep.cells()[1]) == {0: "done", 1: "failed", 2: "done"}
        assert store.run_facts()["trials"] == {"done": 11, "failed": 1, "pending": 0}
        assert store.run_facts()["trial_seconds"] == 3.0
        assert store.codes() == {"a" * 64}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.sqlite", "a.sqlite.lock"]


def test_a_trial_of_other_settings_is_not_taken_for_one_of_this_sweep(tmp_path, make_sweep) -> None:
    path, cells = tmp_path / "a.sqlite", make_sweep().cells()
    with Store.create(path, make_sweep(2)) as store:
        store.append([trial_of(cells[0], n) for n in range(2)])
    with Store.create(path, make_sweep(2, seed=6)) as store:
        assert store.counts() == {"done": 0, "failed": 0, "pending": 8}
        assert list(store.trials()) == []
    with Store.create(path, make_sweep(1)) as store:
        assert store.counts() == {"done": 1, "failed": 0, "pending": 3}
        assert [trial.index for trial in store.trials()] == [0]


def test_the_file_keeps_its_sweep_until_a_run_of_the_new_one_begins(tmp_path, make_sweep) -> None:
    path = tmp_path / "a.sqlite"
    with Store.create(path, make_sweep(2)) as store:
        store.append([trial_of(cell, n) for cell in make_sweep().cells() for n in range(2)])
    for begin in (lambda store: store.begin({"workers": 1}), Store.take):
        with Store.create(path, make_sweep(2, seed=6)) as store:
            assert (store.sweep(), store.others()) == (make_sweep(2, seed=6), 8)
        with Store.open(path) as store:
            assert (store.sweep(), store.counts()["done"]) == (make_sweep(2), 8)
        with Store.create(path, make_sweep(2, seed=6)) as store:
            begin(store)
        with Store.open(path) as store:
            assert (store.sweep(), store.counts()["done"]) == (make_sweep(2, seed=6), 0)
        with Store.create(path, make_sweep(2)) as store:
            store.take()


def test_a_trial_written_again_replaces_the_first(tmp_path, make_sweep) -> None:
    cell = make_sweep().cells()[0]
    with Store.create(tmp_path / "a.sqlite", make_sweep()) as store:
        store.append([trial_of(cell, 0, status="failed", reason="no", samples={})])
        store.append([trial_of(cell, 0)])
        store.append([trial_of(cell, 0)])
        assert [plain(t) for t in store.trials()] == [plain(trial_of(cell, 0))]


def test_a_group_is_stored_whole_or_not_at_all(tmp_path, make_sweep) -> None:
    cell = make_sweep().cells()[0]
    with Store.create(tmp_path / "a.sqlite", make_sweep()) as store:
        with pytest.raises(TypeError):
            store.append([trial_of(cell, 0), trial_of(cell, 1, provenance={"x": object()})])
        assert list(store.trials()) == []
        store.append([trial_of(cell, 0)])
        assert store.counts()["done"] == 1


def test_it_can_be_read_while_it_is_written(tmp_path, make_sweep) -> None:
    path, cell = tmp_path / "a.sqlite", make_sweep().cells()[0]
    with Store.create(path, make_sweep()) as store, Store.open(path) as reader:
        for n in range(3):
            store.append([trial_of(cell, n)])
            assert [trial.index for trial in reader.trials()] == list(range(n + 1))


def test_a_store_keeps_to_sweeps_of_one_name(tmp_path, make_sweep) -> None:
    path = tmp_path / "a.sqlite"
    Store.create(path, make_sweep()).close()
    other = make_sweep().model_copy(update={"name": "other"})
    with pytest.raises(StoreError, match="store: expected one of the sweep 'other', got one of 'tiny'"):
        Store.create(path, other)
    with Store.open(path) as store:
        assert store.sweep() == make_sweep()


def test_a_second_writer_is_refused_until_the_first_is_gone(tmp_path, make_sweep) -> None:
    path = tmp_path / "a.sqlite"
    with Store.create(path, make_sweep()), pytest.raises(StoreError, match="expected no other run to be writing"):
        Store.create(path, make_sweep())
    Store.create(path, make_sweep()).close()
    (tmp_path / "other").symlink_to(path)
    with Store.create(path, make_sweep()), pytest.raises(StoreError, match="expected no other run to be writing"):
        Store.create(tmp_path / "other", make_sweep())


@pytest.mark.parametrize("how", ["text", "other application", "other schema", "missing", "folder"])
def test_what_is_not_a_store_of_this_schema_is_refused_and_left_alone(tmp_path, make_sweep, how) -> None:
    path = tmp_path / "a.sqlite"
    if how == "text":
        path.write_text("time,value\n" * 100)
    elif how == "folder":
        path.mkdir()
    elif how != "missing":
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE t (x)")
        if how == "other schema":
            connection.executescript("PRAGMA application_id = 0x4D466C64; PRAGMA user_version = 99")
        connection.close()
    before = path.read_bytes() if path.is_file() else None
    ways = [lambda: Store.open(path)] + ([] if how == "missing" else [lambda: Store.create(path, make_sweep())])
    for way in ways:
        with pytest.raises(StoreError, match=r"^store: expected .*, got .*") as caught:
            way()
        assert str(path) in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_damaged_store_is_refused_in_a_line(tmp_path, make_sweep) -> None:
    path = tmp_path / "a.sqlite"
    cells = make_sweep(60).cells()
    with Store.create(path, make_sweep(60)) as store:
        store.append([trial_of(cell, n) for cell in cells for n in range(60)])
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(bytes(data))
    with pytest.raises(StoreError, match=r"store: expected a store, got .*malformed"):
        Store.create(path, make_sweep(60))


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM provenance",
        "UPDATE provenance SET json = '{'",
        "UPDATE trial SET seconds = 'soon'",
        "UPDATE sample SET outliers = x'00'",
        "UPDATE sample SET mean = 'large'",
        "UPDATE sample SET metric = CAST(x'ff41' AS TEXT) WHERE rowid = 1",
        "UPDATE sweep SET json = '{\"name\": 3}'",
        "UPDATE sweep SET json = '[]'",
        "DELETE FROM sweep",
    ],
)
def test_damage_that_sqlite_does_not_see_is_a_line_too(tmp_path, make_sweep, damage) -> None:
    path = tmp_path / "a.sqlite"
    with Store.create(path, make_sweep(1)) as store:
        store.append([trial_of(cell, 0) for cell in make_sweep().cells()])
    connection = sqlite3.connect(path)
    connection.execute(damage)
    connection.commit()
    connection.close()
    with Store.open(path) as store, pytest.raises(StoreError, match=r"^store: expected .*a\.sqlite") as caught:
        list(store.trials())
    assert len(str(caught.value).splitlines()) == 1


def test_a_path_below_a_file_is_refused_in_a_line(tmp_path, make_sweep) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="store: expected a usable path, got"):
        Store.create(tmp_path / "file" / "a.sqlite", make_sweep())


def test_an_empty_file_left_by_a_killed_process_becomes_a_store(tmp_path, make_sweep) -> None:
    path = tmp_path / "a.sqlite"
    path.touch()
    with Store.create(path, make_sweep()) as store:
        assert store.counts()["pending"] == 12


def test_clocks_that_go_backwards_touch_no_duration(tmp_path, make_sweep, monkeypatch) -> None:
    import verify.keeping.store

    class Clock(verify.keeping.store.datetime):
        years = iter((2026, 1990))

        @classmethod
        def now(cls, tz=None):
            return cls(next(cls.years), 1, 1, tzinfo=tz)

    monkeypatch.setattr(verify.keeping.store, "datetime", Clock)
    for n in range(2):
        with Store.create(tmp_path / "a.sqlite", make_sweep()) as store:
            store.begin({})
            store.append([trial_of(make_sweep().cells()[0], n)])
    with Store.open(tmp_path / "a.sqlite") as store:
        facts = store.run_facts()
    assert [session["started"][:4] for session in facts["sessions"]] == ["2026", "1990"]
    assert facts["started"].startswith("2026")
    assert facts["seconds"] >= 0
    assert facts["trials"]["done"] == 2


def test_a_reader_waits_for_nobody(tmp_path, make_sweep) -> None:
    """A reader in another thread sees what is committed while a transaction is open."""
    path, cell = tmp_path / "a.sqlite", make_sweep().cells()[0]
    seen = []

    def slow():
        yield trial_of(cell, 1)
        reader = threading.Thread(target=lambda: seen.append(len(list(Store.open(path).trials()))))
        reader.start()
        reader.join(timeout=20)

    with Store.create(path, make_sweep()) as store:
        store.append([trial_of(cell, 0)])
        store.append(slow())
    assert seen == [1]
