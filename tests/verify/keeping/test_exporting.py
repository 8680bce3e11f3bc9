"""A store as a table of another tool's, read back."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest

from verify.asking.sweep import Sweep
from verify.cli import main
from verify.keeping.exporting import export, rows
from verify.keeping.store import Store
from verify.running.runner import run


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".nc"])
def test_an_export_read_back_has_every_row_and_figure(tmp_path, make_sweep, fill, suffix) -> None:
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
def test_netcdf_can_be_read_whatever_was_measured(tmp_path, make_sweep, fill, case) -> None:
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
    tmp_path, make_sweep, fill
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


def test_there_is_nothing_to_export_before_the_first_trial(tmp_path, make_sweep, fill) -> None:
    fill(tmp_path / "a.sqlite", make_sweep(1), [])
    with Store.open(tmp_path / "a.sqlite") as store:
        for suffix in (".csv", ".parquet", ".nc"):
            with pytest.raises(ValueError, match="store: expected finished trials, got none"):
                export(store, tmp_path / f"a{suffix}")


def full_disk(_frame, path, **_) -> None:
    path.write_text("half")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_an_export_that_fails_leaves_nothing(tmp_path, make_sweep, fill, monkeypatch) -> None:
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
