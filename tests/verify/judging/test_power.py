"""What the preset `quick` can tell: its stored trials (tests/data/quick_trials.json) against wrong theories.

The mutation is planted in the theory's kernel, the one place where K₁, K₂, ν and P are (the refined theory has K₁ and
K₂ of its own); tolerance, level and the powers of the fit are those of the preset, fixed before.
"""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import meanfield.prediction.asking
from meanfield.finite_width import refined as finite_width
from meanfield.finite_width.classes import OTHER, SAME
from meanfield.finite_width.covariance import Outputs
from meanfield.kernels.exchangeable import ExchangeableKernel
from meanfield.spec import FIM, NTK, InputMetric
from verify.asking.records import Sample, Trial
from verify.asking.sweep import Sweep
from verify.judging.verdict import compare

DATA = Path(__file__).parents[2] / "data" / "quick_trials.json"


@pytest.fixture(scope="module")
def stored() -> tuple[Sweep, list[Trial]]:
    document = json.loads(DATA.read_text("utf-8"))
    sweep = Sweep.preset("quick")
    outputs, sizes = sweep.cells()[0].network.outputs, dimensions(sweep)
    trials: dict[tuple[str, int], dict[str, Sample]] = {}
    for row in document["rows"]:
        columns = zip(row["mean"], row["second_moment"], row["largest"], row["outliers"], strict=True)
        for index, (mean, second, largest, outlier) in enumerate(columns):
            sample = Sample(mean, second, largest, (outlier,) * outputs, sizes[row["cell"], row["metric"]])
            trials.setdefault((row["cell"], index), {})[row["metric"]] = sample
    return sweep, [Trial(cell, index, "done", samples=samples) for (cell, index), samples in trials.items()]


def dimensions(sweep: Sweep) -> dict[tuple[str, str], int]:
    """P of each cell and metric: parameters, outputs × samples, features."""
    found = {}
    for cell in sweep.cells():
        widths = cell.network.widths(cell.width)
        parameters = sum(leaving * (entering + 1) for entering, leaving in pairwise(widths))
        known = {FIM().label: parameters, NTK().label: widths[-1] * cell.samples, InputMetric().label: sum(widths[:-1])}
        found |= {(cell.key, label): size for label, size in known.items()}
    return found


@pytest.fixture(scope="module", params=["leading", "refined"])
def sweep(request: pytest.FixtureRequest, stored: tuple[Sweep, list[Trial]]) -> Sweep:
    verdict = stored[0].verdict.model_copy(update={"theory": request.param})
    return stored[0].model_copy(update={"verdict": verdict})


def plant(monkeypatch: pytest.MonkeyPatch, field: str, factor: float) -> None:
    """A factor on one field of the kernel, which both orders read, and on K₁ or K₂ of the refined order's own mean."""
    kernel, law = meanfield.kernels.setting.exchangeable_kernel, finite_width.dual_law

    def wrong_kernel(*args: Any, **options: Any) -> ExchangeableKernel:
        right = kernel(*args, **options)
        changed = replace(right, **{field: getattr(right, field) * factor})
        return replace(changed, gap=changed.same - changed.other)

    def wrong_law(*args: Any, **options: Any) -> Outputs:
        right = law(*args, **options)
        place = {"same": SAME, "other": OTHER}.get(field)
        factors = np.ones((2, 2))
        factors[1, [] if place is None else [place]] = factor
        return replace(right, mean=right.mean * factors)

    monkeypatch.setattr(meanfield.kernels.setting, "exchangeable_kernel", wrong_kernel)
    monkeypatch.setattr(finite_width, "dual_law", wrong_law)


def test_the_data_are_those_of_the_preset(stored: tuple[Sweep, list[Trial]]) -> None:
    sweep, trials = stored
    document = json.loads(DATA.read_text("utf-8"))
    assert Sweep(**document["sweep"]).cells() == sweep.cells()
    assert {t.cell for t in trials} == {c.key for c in sweep.cells()}
    assert len(trials) == len(sweep.cells()) * sweep.run.trials


def test_the_theory_is_not_refuted(sweep: Sweep, stored: tuple[Sweep, list[Trial]]) -> None:
    assert compare(sweep, stored[1]).verdict != "fail"


def test_another_dimension_than_the_measured_one_is_void(
    sweep: Sweep, stored: tuple[Sweep, list[Trial]], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch, "dimension", 1.05)
    comparison = compare(sweep, stored[1])
    assert comparison.verdict != "pass"
    assert comparison.limits == ()
    assert {row.verdict for row in comparison.rows if row.metric == FIM()} == {"void"}
    assert all(row.observation.reason.startswith("dimension: expected theory's P = ") for row in comparison.rows)


@pytest.mark.parametrize("field", ["same", "other", "normaliser"])
@pytest.mark.parametrize(
    ("sweep", "factor"),
    [("leading", 1.1), ("leading", 1 / 1.1), ("refined", 1.05), ("refined", 1 / 1.05)],
    indirect=["sweep"],
)
def test_a_mutation_of_ten_percent_or_five_of_the_refined_theory_is_refuted(
    sweep: Sweep, stored: tuple[Sweep, list[Trial]], monkeypatch: pytest.MonkeyPatch, field: str, factor: float
) -> None:
    plant(monkeypatch, field, factor)
    comparison = compare(sweep, stored[1])
    failing = {d.statistic for d in comparison.limits if d.verdict == "fail"}
    assert comparison.verdict == "fail"
    assert failing & ({"largest", "outliers"} if field == "other" else {"mean"})


@pytest.mark.slow
def test_the_true_theory_is_not_refuted_in_95_of_100_repeats(
    sweep: Sweep, stored: tuple[Sweep, list[Trial]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By resampling: each repeat draws as many networks of each cell, with replacement, from the stored ones."""
    trials = stored[1]
    known = functools.lru_cache(maxsize=None)(meanfield.prediction.asking.predict)
    monkeypatch.setattr(meanfield.prediction.asking, "predict", known)
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
