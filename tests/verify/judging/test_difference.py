"""Two stores side by side."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from verify.asking.records import Trial
from verify.asking.sweep import Sweep
from verify.cli import main
from verify.judging.difference import difference
from verify.running.runner import run

World = Callable[..., list[Trial]]


def sweep(seed: int = 1, width: int = 64, metric: Any = ("ntk", "fim")) -> Sweep:
    grid = {
        "activation": ["linear"], "depth": [2], "weight_variance": [1.5], "bias_variance": [0.2], "width": [width],
        "samples": [20], "outputs": [3], "metric": list(metric),
    }  # fmt: skip
    return Sweep(name="two", grid=grid, run={"trials": 8, "seed": seed})


def scaled(trials: list[Trial], factor: float) -> list[Trial]:
    return [
        replace(t, samples={label: replace(s, mean=factor * s.mean) for label, s in t.samples.items()}) for t in trials
    ]


def test_the_same_networks_are_compared_one_by_one(world: World) -> None:
    trials = world(sweep())
    rows = difference(sweep(), trials, sweep(), scaled(trials, 1 + 1e-9))
    assert {r.statistic for r in rows} == {"mean", "second_moment", "largest"}
    assert len(rows) == 6
    for row in rows:
        assert row.farthest == pytest.approx(1e-9 if row.statistic == "mean" else 0, rel=1e-6)
        assert row.ratio.value == pytest.approx(1)


def test_other_seeds_are_other_networks_and_only_means_are_compared(world: World) -> None:
    rows = difference(sweep(), world(sweep()), sweep(seed=2), world(sweep(), seed=2))
    assert all(math.isnan(r.farthest) for r in rows)
    assert all(r.p > 0.05 for r in rows)


def test_the_p_value_is_welchs_adjusted_by_holm(world: World) -> None:
    one, other = world(sweep(metric=["ntk"])), world(sweep(metric=["ntk"]), {"mean": 1.5}, seed=2)
    rows = difference(sweep(metric=["ntk"]), one, sweep(2, metric=["ntk"]), other)
    x, y = ([t.samples["NTK"].mean for t in trials] for trials in (one, other))
    expected = stats.ttest_ind(x, y, equal_var=False).pvalue
    mean = next(r for r in rows if r.statistic == "mean")
    assert mean.p == pytest.approx(3 * expected)
    assert mean.ratio.value == pytest.approx(np.mean(y) / np.mean(x))
    assert mean.p < 0.05 < min(r.p for r in rows if r is not mean)


def test_what_only_one_has_is_left_out_and_failures_do_not_count(world: World) -> None:
    trials = world(sweep())
    failed = Trial(trials[0].cell, 99, "failed", "no")
    rows = difference(sweep(), [*trials[:5], failed], sweep(metric=["ntk"]), world(sweep(metric=["ntk"])))
    assert {r.metric.label for r in rows} == {"NTK"}
    assert {r.networks for r in rows} == {(5, 8)}


def test_nothing_in_common_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match="stores: expected"):
        difference(sweep(), world(sweep()), sweep(width=32), world(sweep(width=32)))


def test_the_command_prints_a_table_or_json(tmp_path: Path, make_sweep: Any, draw: Any, capsys: Any) -> None:
    for name in ("a", "b"):
        run(make_sweep(), tmp_path / f"{name}.sqlite", jobs=1, progress=False, measure=draw).close()
    stores = [str(tmp_path / "a.sqlite"), str(tmp_path / "b.sqlite")]
    assert main(["diff", *stores]) == 0
    told = capsys.readouterr().out
    assert told.startswith("they agree in all ")
    assert "B / A" in told
    assert main(["diff", *stores, "--check"]) == 0
    assert main(["diff", *stores, "--check", "--tolerance", "-1"]) == 1
    assert capsys.readouterr().out.splitlines()[-1]
    assert main(["diff", *stores, "--json"]) == 0
    assert {record["farthest"] for record in json.loads(capsys.readouterr().out)} == {0.0}
    assert main(["diff", stores[0], str(tmp_path / "missing.sqlite")]) == 2
