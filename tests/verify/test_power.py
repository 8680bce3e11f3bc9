"""What the preset `quick` can tell: its stored trials (tests/data/quick_trials.json) against wrong theories.

The mutation is planted in the theory's kernel, the one place where K₁, K₂, ν and P are; tolerance, level and the powers
of the fit are those of the preset, fixed before.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import meanfield.prediction
from meanfield.kernels import ExchangeableKernel
from verify.records import Sample, Trial
from verify.sweep import Sweep
from verify.verdict import compare

DATA = Path(__file__).parents[1] / "data" / "quick_trials.json"


@pytest.fixture(scope="module")
def stored() -> tuple[Sweep, list[Trial]]:
    document = json.loads(DATA.read_text("utf-8"))
    sweep = Sweep.preset("quick")
    outputs = sweep.cells()[0].network.outputs
    trials: dict[tuple[str, int], dict[str, Sample]] = {}
    for row in document["rows"]:
        columns = zip(row["mean"], row["second_moment"], row["largest"], row["outliers"], strict=True)
        for index, (mean, second, largest, outlier) in enumerate(columns):
            sample = Sample(mean, second, largest, (outlier,) * outputs, 1)
            trials.setdefault((row["cell"], index), {})[row["metric"]] = sample
    return sweep, [Trial(cell, index, "done", samples=samples) for (cell, index), samples in trials.items()]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Plants a factor on one field of the kernel."""
    true = meanfield.prediction.exchangeable_kernel

    def plant(field: str, factor: float) -> None:
        def wrong(*args: Any, **options: Any) -> ExchangeableKernel:
            right = true(*args, **options)
            changed = replace(right, **{field: getattr(right, field) * factor})
            return replace(changed, gap=changed.same - changed.other)

        monkeypatch.setattr(meanfield.prediction, "exchangeable_kernel", wrong)

    return plant


def test_the_data_are_those_of_the_preset(stored: tuple[Sweep, list[Trial]]) -> None:
    sweep, trials = stored
    document = json.loads(DATA.read_text("utf-8"))
    assert Sweep(**document["sweep"]).cells() == sweep.cells()
    assert {t.cell for t in trials} == {c.key for c in sweep.cells()}
    assert len(trials) == len(sweep.cells()) * sweep.run.trials


def test_the_theory_is_not_refuted(stored: tuple[Sweep, list[Trial]]) -> None:
    assert compare(*stored).verdict != "fail"


@pytest.mark.parametrize("factor", [1.1, 1 / 1.1])
@pytest.mark.parametrize("field", ["same", "other", "normaliser", "dimension"])
def test_a_mutation_of_ten_percent_is_refuted(
    stored: tuple[Sweep, list[Trial]], kernel: Any, field: str, factor: float
) -> None:
    kernel(field, factor)
    comparison = compare(*stored)
    failing = {d.statistic for d in comparison.limits if d.verdict == "fail"}
    assert comparison.verdict == "fail"
    assert failing & ({"largest", "outliers"} if field == "other" else {"mean"})


@pytest.mark.slow
def test_the_true_theory_is_not_refuted_in_95_of_100_repeats(
    stored: tuple[Sweep, list[Trial]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By resampling: each repeat draws as many networks of each cell, with replacement, from the stored ones."""
    sweep, trials = stored
    known = functools.lru_cache(maxsize=None)(meanfield.prediction.predict)
    monkeypatch.setattr(meanfield.prediction, "predict", known)
    random = np.random.default_rng(1)
    by_cell = {cell.key: [t for t in trials if t.cell == cell.key] for cell in sweep.cells()}
    refuted = 0
    for _ in range(100):
        drawn = [
            replace(found[i], index=number)
            for found in by_cell.values()
            for number, i in enumerate(random.integers(len(found), size=len(found)))
        ]
        refuted += compare(sweep, drawn).verdict == "fail"
    assert refuted <= 5
