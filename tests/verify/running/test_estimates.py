"""What a sweep will take, before it is run."""

from __future__ import annotations

import pytest

from empirical import available_backends
from verify.cli import main
from verify.running.estimates import _on_line, estimate, estimate_table


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
