"""How far a sweep is."""

from __future__ import annotations

import pytest

from verify.asking.records import Trial
from verify.keeping.store import Store
from verify.running.standing import status


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
