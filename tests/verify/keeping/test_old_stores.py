"""A store that `verify run` wrote before the packages had rooms still opens, reports, exports, merges and goes on.

``tests/data/store_before_rooms.sql`` is that store as SQL: two networks (width ratios, an expression, unequal layers)
at three widths, four metrics each, whole spectra, three trials a cell.
"""

from __future__ import annotations

import contextlib
import csv
import json
import sqlite3
from pathlib import Path

import pytest

from verify import Store, compare, report, run
from verify.asking.sweep import Sweep
from verify.keeping.exporting import export
from verify.running.merging import merge

DUMP = Path(__file__).parents[2] / "data" / "store_before_rooms.sql"
TRIALS, METRICS = 18, 4


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "before.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(DUMP.read_text("utf-8"))
    connection.close()
    return path


def test_all_its_trials_are_found_by_the_questions_of_today(old: Path) -> None:
    with Store.open(old) as store:
        assert store.counts() == {"done": TRIALS, "failed": 0, "pending": 0}
        assert store.others() == 0
        assert {t.cell for t in store.trials()} == {c.key for c in store.sweep().cells()}
        assert all(len(t.samples) == METRICS and t.order_parameters is not None for t in store.trials())


def test_the_sweep_in_its_canonical_spelling_has_not_changed(old: Path) -> None:
    with contextlib.closing(sqlite3.connect(old)) as connection:
        ((text,),) = connection.execute("SELECT json FROM sweep").fetchall()
    assert Sweep.from_json(text).to_json() == text


def test_it_is_compared_and_reported(old: Path, tmp_path: Path) -> None:
    with Store.open(old) as store:
        assert compare(store.sweep(), store.trials()).finished == TRIALS
    paths = report(old, tmp_path / "report")
    found = json.loads(paths["json"].read_text("utf-8"))
    assert (found["title"], found["counts"]["cells"]) == (
        "A store of before",
        {"pass": 0, "fail": 0, "unclear": 26, "void": 58},
    )
    first = found["cells"][0]
    assert (first["metric"], first["width"], first["network_weight_variance"]) == ("FIM", 8, 2.0)
    assert first["measured"] == pytest.approx(0.15225634006724773, rel=1e-12)


def test_it_is_exported(old: Path, tmp_path: Path) -> None:
    with Store.open(old) as store:
        export(store, tmp_path / "all.csv")
    with (tmp_path / "all.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == TRIALS * METRICS
    assert rows[0]["mean"] == "0.1497660324025687"
    assert {row["activation"] for row in rows} == {"tanh", '["relu", "bent"]'}


def test_it_is_merged(old: Path, tmp_path: Path) -> None:
    merge([old], tmp_path / "all.sqlite")
    with Store.open(tmp_path / "all.sqlite") as merged, Store.open(old) as store:
        assert merged.counts() == store.counts()
        assert [s["started"] for s in merged.sessions()] == [s["started"] for s in store.sessions()]


def test_a_run_goes_on_in_it_and_measures_nothing_anew(old: Path) -> None:
    with Store.open(old) as store:
        sweep, before = store.sweep(), {(t.cell, t.index): t.seconds for t in store.trials()}
    with run(sweep, old, jobs=1, mix_code=True, progress=False) as store:
        assert {(t.cell, t.index): t.seconds for t in store.trials()} == before
