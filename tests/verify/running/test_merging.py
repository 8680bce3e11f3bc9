"""Stores of one sweep become one."""

from __future__ import annotations

import pytest

from verify.asking.sweep import Agreement, Sweep
from verify.cli import main
from verify.keeping.store import Store, StoreError
from verify.running.merging import merge


def test_merged_stores_hold_the_trials_of_all_and_finished_ones_win(tmp_path, make_sweep, fill, capsys) -> None:
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
    said = capsys.readouterr().out
    assert "all.sqlite: 4 cells of 3 stores, 12 trials done, 2 failed, 2 pending; " in said
    assert said.endswith("; 2 were in more than one store\n")
    assert not list(tmp_path.glob(".*"))
    assert main(["merge", *stores, "--out", str(out)]) == 2
    with Store.create(out, whole) as store:
        assert store.counts() == {"done": 12, "failed": 2, "pending": 2}


def test_stores_of_other_settings_or_code_are_not_merged(tmp_path, make_sweep, fill) -> None:
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
