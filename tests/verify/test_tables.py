"""Export, merge, overrides and estimates."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest

from empirical import available_backends
from meanfield.spec import OrderParameters
from verify.asking.overrides import changed
from verify.asking.records import Sample, Trial
from verify.asking.sweep import Agreement, Sweep
from verify.cli import main
from verify.keeping.exporting import export, rows
from verify.keeping.store import Store, StoreError
from verify.running.estimates import _on_line, estimate, estimate_table
from verify.running.merging import merge
from verify.running.runner import run
from verify.running.standing import status


def fill(path, sweep, numbers, *, status: str = "done", code: str = "c") -> None:
    with Store.create(path, sweep) as store:
        store.begin({"workers": 1})
        for cell in sweep.cells():
            for n in numbers:
                sample = Sample(n + 0.5, 1 / 3, np.nan, (2.0, 1.0), 2**40, np.array([2.0, 1.0, 0.25]))
                samples = {m.label: sample for m in cell.metrics} if status == "done" else {}
                layers = OrderParameters.of({name: [n + 1.0, 2.0] for name in OrderParameters.NAMES})
                store.append(
                    [Trial(cell.key, n, status, "", 1.0, samples, {"code": code}, layers if samples else None)]
                )


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".nc"])
def test_an_export_read_back_has_every_row_and_figure(tmp_path, make_sweep, suffix) -> None:
    pd, xr = pytest.importorskip("pandas"), pytest.importorskip("xarray")
    fill(tmp_path / "a.sqlite", make_sweep(3), [0, 1])
    fill(tmp_path / "a.sqlite", make_sweep(3), [2], status="failed")
    out = tmp_path / f"a{suffix}"
    assert main(["export", str(tmp_path / "a.sqlite"), "--out", str(out)]) == 0
    with Store.open(tmp_path / "a.sqlite") as store:
        expected = list(rows(store))
    assert len(expected) == 4 * 3 * 2
    if suffix == ".nc":
        with xr.open_dataset(out, engine="scipy") as data:
            assert data["outliers"].shape == (24, 2)
            assert data["eigenvalues"].shape == (24, 3)
            np.testing.assert_array_equal(data["eigenvalues"][0], [2.0, 1.0, 0.25])
            assert np.isnan(data["eigenvalues"][-1]).all()
            assert Sweep.from_json(data.attrs["sweep"]) == make_sweep(3)
            np.testing.assert_array_equal(data["q_st"][2], [2.0, 2.0])
            lists = [name for name in data.dims if name.endswith(("_rank", "_layer"))]
            frame = data.drop_dims(lists).to_dataframe()
    else:
        frame = pd.read_csv(out) if suffix == ".csv" else pd.read_parquet(out)
        spectrum = frame["eigenvalues"][0]
        assert (spectrum == "2.0 1.0 0.25") if suffix == ".csv" else (list(spectrum) == [2.0, 1.0, 0.25])
        layers = frame["backward_st"][2]
        assert (layers == "2.0 2.0") if suffix == ".csv" else (list(layers) == [2.0, 2.0])
    for name in ("mean", "second_moment", "largest", "dimension", "trial", "width", "layer"):
        np.testing.assert_array_equal(frame[name], [row[name] for row in expected])
    for name in ("status", "code"):
        assert list(frame[name]) == [row[name] for row in expected]
    assert list(frame["metric"]) == [row["metric"] for row in expected]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["a.sqlite", "a.sqlite.lock", out.name])


@pytest.mark.parametrize("case", ["moments", "extremes", "full", "failed"])
def test_netcdf_can_be_read_whatever_was_measured(tmp_path, make_sweep, case) -> None:
    """With the real measurement: a list that no row has is left out, and every other variable reads back."""
    xr = pytest.importorskip("xarray")
    path, out = tmp_path / "a.sqlite", tmp_path / "a.nc"
    if case == "failed":
        fill(path, make_sweep(2), [0, 1], status="failed")
    else:
        run(make_sweep(2, spectrum=case), path, jobs=1, progress=False).close()
    with Store.open(path) as store:
        export(store, out)
        expected = list(rows(store))
    with xr.open_dataset(out, engine="scipy") as data:
        for name in expected[0]:
            column = [row[name] for row in expected]
            if name not in data:
                assert not any(map(len, column))
            elif isinstance(column[0], np.ndarray):
                for got, values in zip(data[name].values, column, strict=True):
                    np.testing.assert_array_equal(got[: len(values)], values)
                    assert np.isnan(got[len(values) :]).all()
            else:
                np.testing.assert_array_equal(data[name].values, column)
        assert np.isnan(data["dimension"]).all() == (case == "failed")
        spectra = {"extremes": {"outliers"}, "full": {"outliers", "eigenvalues"}}
        assert {"outliers", "eigenvalues"} & set(data) == spectra.get(case, set())
        assert ("q" in data) == (case != "failed")


def test_variances_are_numbers_where_layers_agree_and_text_where_one_network_has_layers_of_its_own(
    tmp_path, make_sweep
) -> None:
    pd = pytest.importorskip("pandas")
    text = make_sweep(1).to_json()
    for name, change, expected in (
        ("alike", text, {2.0}),
        ("layers", text.replace("[2.0]", "[2.0,[1.0,2.0]]"), {"2.0", "[1.0, 2.0]"}),
    ):
        fill(tmp_path / f"{name}.sqlite", Sweep.from_json(change), [0])
        for suffix in (".csv", ".parquet"):
            out = tmp_path / f"{name}{suffix}"
            with Store.open(tmp_path / f"{name}.sqlite") as store:
                export(store, out)
            frame = pd.read_csv(out) if suffix == ".csv" else pd.read_parquet(out)
            assert set(frame["weight_variance"]) == expected
            assert set(frame["bias_variance"]) == {0.5}
            assert set(frame["width_ratios"]) == {1.0}


def test_there_is_nothing_to_export_before_the_first_trial(tmp_path, make_sweep) -> None:
    fill(tmp_path / "a.sqlite", make_sweep(1), [])
    with Store.open(tmp_path / "a.sqlite") as store:
        for suffix in (".csv", ".parquet", ".nc"):
            with pytest.raises(ValueError, match="store: expected finished trials, got none"):
                export(store, tmp_path / f"a{suffix}")


def full_disk(_frame, path, **_) -> None:
    path.write_text("half")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_an_export_that_fails_leaves_nothing(tmp_path, make_sweep, monkeypatch) -> None:
    fill(tmp_path / "a.sqlite", make_sweep(1), [0])
    with Store.open(tmp_path / "a.sqlite") as store:
        with pytest.raises(ValueError, match=r"out: expected a name that ends in .csv, .parquet, .nc; got"):
            export(store, tmp_path / "a.xlsx")
        for out in (tmp_path / "no" / "a.csv", tmp_path / "a.sqlite" / "a.nc"):
            with pytest.raises(ValueError, match="out: expected a file in an existing, writable folder, got"):
                export(store, out)
        with monkeypatch.context() as patch:
            patch.setattr("pandas.DataFrame.to_csv", full_disk)
            with pytest.raises(ValueError, match=r"out: expected a file that can be written, got .*a.csv' \(No space"):
                export(store, tmp_path / "a.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.sqlite", "a.sqlite.lock"]


def test_merged_stores_hold_the_trials_of_all_and_finished_ones_win(tmp_path, make_sweep) -> None:
    whole = make_sweep(4)
    wide = Sweep.from_json(whole.to_json().replace('"width":[4,8]', '"width":[8]'))
    narrow = Sweep.from_json(whole.to_json().replace('"width":[4,8]', '"width":[4]'))
    fill(tmp_path / "wide.sqlite", wide, [0, 1])
    fill(tmp_path / "failed.sqlite", wide, [1, 2], status="failed")
    fill(tmp_path / "narrow.sqlite", narrow, [0, 1, 2, 3])
    stores = [str(tmp_path / f"{name}.sqlite") for name in ("failed", "wide", "narrow")]
    out = tmp_path / "all.sqlite"
    assert main(["merge", *stores, "--out", str(out)]) == 0
    with Store.open(out) as store:
        assert {cell.key for cell in store.sweep().cells()} == {cell.key for cell in whole.cells()}
        assert store.counts() == {"done": 2 * 4 + 2 * 2, "failed": 2, "pending": 2}
        assert len(store.sessions()) == 3
    assert not list(tmp_path.glob(".*"))
    assert main(["merge", *stores, "--out", str(out)]) == 2
    with Store.create(out, whole) as store:
        assert store.counts() == {"done": 12, "failed": 2, "pending": 2}


def test_stores_of_other_settings_or_code_are_not_merged(tmp_path, make_sweep) -> None:
    fill(tmp_path / "a.sqlite", make_sweep(1), [0])
    fill(tmp_path / "seed.sqlite", make_sweep(1, seed=6), [0])
    fill(tmp_path / "code.sqlite", make_sweep(2), [1], code="d")
    metric = make_sweep(1).to_json().replace('"family":"ntk","layer":null', '"family":"ntk","layer":1')
    fill(tmp_path / "metric.sqlite", Sweep.from_json(metric), [0])
    fill(tmp_path / "name.sqlite", make_sweep(1).model_copy(update={"name": "other"}), [0])
    fill(tmp_path / "verdict.sqlite", make_sweep(1).model_copy(update={"verdict": Agreement(alpha=0.01)}), [0])
    for other in ("seed", "code", "metric", "name", "verdict"):
        with pytest.raises(StoreError, match=r"store: expected .*, got"):
            merge([tmp_path / "a.sqlite", tmp_path / f"{other}.sqlite"], tmp_path / "all.sqlite")
        assert not list(tmp_path.glob("*all.sqlite*"))
    merge([tmp_path / "a.sqlite", tmp_path / "code.sqlite"], tmp_path / "all.sqlite", mix_code=True)


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


@pytest.mark.parametrize(
    ("timed", "flops", "seconds"),
    [
        ([(2.0, 3.0), (4.0, 4.0)], 10.0, 7.0),  # 2 s that every trial takes, and 0.5 s for each flop
        ([(2.0, 3.0), (4.0, 4.0)], 2.0, 3.0),
        ([(4.0, 2.0)], 6.0, 3.0),
        ([(2.0, 3.0), (4.0, 2.0)], 8.0, 4.0),  # a line that falls: the larger trial alone counts
    ],
)
def test_time_is_taken_to_be_linear_in_flops(timed, flops, seconds) -> None:
    assert _on_line(flops, timed) == seconds


def test_time_left_follows_from_finished_trials_their_work_and_the_workers(tmp_path, make_sweep) -> None:
    """Work is (L M + N C)(N C)² for each metric: 14 and 22 parts at widths 4 and 8, L = 2, N = 3, C = 2."""
    with Store.create(tmp_path / "a.sqlite", make_sweep(1)) as store:
        assert status(store)["seconds_left"] is None
        store.begin({"workers": 2})
        narrow, *_ = (cell for cell in store.sweep().cells() if cell.width == 4)
        store.append([Trial(narrow.key, 0, "done", seconds=7.0)])
        assert status(store)["seconds_left"] == pytest.approx((14 + 22 + 22) / 14 * 7 / 2, rel=1e-12)
        store.append([Trial(cell.key, 0, "done", seconds=7.0) for cell in store.sweep().cells()])
        assert status(store)["seconds_left"] == 0.0


def test_a_dry_run_lists_cells_memory_and_time_and_runs_nothing(tmp_path, make_sweep, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    estimates = estimate(make_sweep(3))
    assert all(e.plan is not None and e.plan.bytes > 0 and e.seconds > 0 for e in estimates)
    table = estimate_table(make_sweep(3), estimates, 2)
    assert len(table.splitlines()) == 2 + 4 + 1
    assert table.splitlines()[-1].startswith("12 trials, about 0.")
    small = ["--set", "run.memory=1e-9", "--set", "grid.width=[8]"]
    assert main(["run", "quick", "--dry-run", *small]) == 0
    printed = capsys.readouterr().out
    assert printed.count("too large") == 3
    assert "memory: expected a measurement that fits into" in printed
    if "cupy" not in available_backends():  # the workers of a cluster may have what this machine lacks
        assert main(["run", "quick", "--dry-run", "--set", "run.backend=cupy"]) == 0
        printed = capsys.readouterr().out
        assert "backend: expected one that can be used here, got cupy" in printed
        assert printed.splitlines()[-1].startswith("300 trials, unknown time and 0.")
    assert list(tmp_path.iterdir()) == []
