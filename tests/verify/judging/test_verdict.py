"""The verdict of whole sweeps: theory against worlds where it holds, and where it does not."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from meanfield.propagation import recursion
from verify.asking.records import Sample, Trial
from verify.asking.sweep import Sweep
from verify.judging.verdict import Comparison, compare

World = Callable[..., list[Trial]]
WIDTHS = [64, 128, 256]


def sweep(trials: int = 20, width: list[int] | None = None, delta: float = 0.05, **grid: Any) -> Sweep:
    return Sweep(
        name="test",
        grid={
            "activation": ["linear", "relu"], "depth": [2], "weight_variance": [1.5], "bias_variance": [0.2],
            "width": WIDTHS if width is None else width, "samples": [50], "outputs": [3], "metric": ["fim", "ntk"],
            **grid,
        },
        run={"trials": trials, "seed": 1},
        verdict={"theory": "leading", "delta": delta, "slope": 2.0},
    )  # fmt: skip


def verdicts(comparison: Comparison, statistic: str) -> set[str]:
    return {d.verdict for d in comparison.deciding if d.statistic == statistic}


def test_where_theory_holds_nothing_fails(world: World) -> None:
    comparison = compare(sweep(40), world(sweep(40)))
    assert comparison.verdict != "fail"
    assert verdicts(comparison, "mean") == {"pass"}


def test_where_theory_holds_and_nothing_fluctuates_everything_passes(world: World) -> None:
    comparison = compare(sweep(), world(sweep(), bias=0.0, spread=1e-6))
    # The outliers of this world lie 0, 1, 2 % below its largest: their mean is 1 % off, which is within tolerance.
    assert comparison.verdict == "pass"


@pytest.mark.parametrize("statistic", ["mean", "second_moment", "largest"])
@pytest.mark.parametrize("factor", [1.2, 1 / 1.2])
def test_a_factor_on_one_statistic_is_refuted_there_and_only_there(world: World, statistic: str, factor: float) -> None:
    comparison = compare(sweep(), world(sweep(), {statistic: factor}, bias=0.0, spread=0.05))
    assert comparison.verdict == "fail"
    failing = {d.statistic for d in comparison.deciding if d.verdict == "fail"}
    assert failing == ({"largest", "outliers"} if statistic == "largest" else {statistic})


def test_a_finite_width_bias_fails_cells_but_not_the_theory(world: World) -> None:
    comparison = compare(sweep(), world(sweep(), bias=20.0, spread=0.05))
    cells = {(r.observation.cell.width, r.verdict) for r in comparison.rows if r.statistic == "mean"}
    assert (64, "fail") in cells
    assert verdicts(comparison, "mean") == {"pass"}


def bent(trials: list[Trial], sweep: Sweep, factor: float) -> list[Trial]:
    """The same with all means at the middle width multiplied: no form in 1/M fits them, and a₀ moves little."""
    middle = {cell.key for cell in sweep.cells() if cell.width == WIDTHS[1]}

    def changed(trial: Trial) -> Trial:
        samples = {k: replace(s, mean=s.mean * factor) for k, s in trial.samples.items()}
        return replace(trial, samples=samples) if trial.cell in middle else trial

    return [changed(t) for t in trials]


def test_a_limit_whose_form_does_not_fit_cannot_pass_and_asks_for_no_networks(world: World) -> None:
    trials = world(sweep(), bias=0.0, spread=0.002)
    straight = [x for x in compare(sweep(), trials).limits if x.statistic == "mean"]
    crooked = [x for x in compare(sweep(), bent(trials, sweep(), 1.02)).limits if x.statistic == "mean"]
    assert [(x.verdict, x.fits) for x in straight] == [("pass", True)] * 4
    assert [(x.judgement.verdict, x.verdict, x.fits) for x in crooked] == [("pass", "unclear", False)] * 4
    assert [x.trials_needed for x in crooked] == [0] * 4


def test_a_bad_fit_is_no_excuse(world: World) -> None:
    trials = bent(world(sweep(), {"mean": 1.3}, bias=0.0, spread=0.002), sweep(), 1.02)
    failing = [x for x in compare(sweep(), trials).limits if x.statistic == "mean"]
    assert [(x.verdict, x.fits) for x in failing] == [("fail", False)] * 4


def test_limits_decide_and_the_cells_under_them_inform(world: World) -> None:
    comparison = compare(sweep(), world(sweep()))
    assert len(comparison.limits) == 2 * 2 * 4
    assert len(comparison.deciding) == len(comparison.limits)
    assert len(comparison.rows) == len(comparison.limits) * len(WIDTHS)


def test_without_three_widths_the_cells_decide(world: World) -> None:
    two = sweep(width=[64, 128])
    comparison = compare(two, world(two, bias=0.0, spread=0.05))
    assert not comparison.limits
    assert len(comparison.deciding) == len(comparison.rows)
    assert {d.verdict for d in comparison.deciding} == {"pass"}


def test_networks_are_the_unit_of_statistics(world: World) -> None:
    comparison = compare(sweep(trials=7), world(sweep(trials=7)))
    assert {r.trials for r in comparison.rows} == {7}
    assert {r.measured.degrees for r in comparison.rows} == {6.0}


def test_the_measured_mean_and_ratio_are_those_of_the_trials(world: World) -> None:
    trials = world(sweep())
    row = compare(sweep(), trials).rows[0]
    cell, label = row.observation.cell, row.metric.label
    values = [t.samples[label].mean for t in trials if t.cell == cell.key]
    assert row.measured.value == pytest.approx(np.mean(values))
    assert row.ratio.value == pytest.approx(np.mean(values) / row.observation.predicted)


def test_the_order_in_which_trials_finished_changes_no_bit(world: World) -> None:
    trials = world(sweep())
    shuffled = [trials[i] for i in np.random.default_rng(0).permutation(len(trials))]
    assert repr(compare(sweep(), trials).limits) == repr(compare(sweep(), shuffled).limits)


def test_failed_trials_are_left_out(world: World) -> None:
    trials = world(sweep())
    failed = [Trial(t.cell, 99, "failed", "out of memory", samples=t.samples) for t in trials[:3]]
    comparison = compare(sweep(), [*failed, *trials])
    assert repr(comparison.rows) == repr(compare(sweep(), trials).rows)
    assert (comparison.finished, comparison.failures) == (len(trials), {"out of memory": 3})


def test_a_void_prediction_says_why_and_is_in_no_family(world: World) -> None:
    centred = sweep(activation=["linear"], bias_variance=[0.0], metric=["ntk"])  # K₂ = 0: no outliers
    measured = Sample(1.0, 1.0, 2.0, (2.0, 1.9, 1.8), 150)
    trials = [Trial(c.key, i, "done", samples={"NTK": measured}) for c in centred.cells() for i in range(3)]
    comparison = compare(centred, trials)
    void = [r for r in comparison.rows if r.verdict == "void"]
    assert {r.statistic for r in void} == {"second_moment", "largest", "outliers"}
    assert all("K₂" in r.observation.reason and math.isnan(r.ratio.value) for r in void)
    assert {d.statistic for d in comparison.deciding} == {"mean"}


def test_a_refused_prediction_is_void_with_its_reason() -> None:
    comparison = compare(sweep(activation=["sign"], width=[64]), [])
    assert {r.verdict for r in comparison.rows} == {"void"}
    assert all("jumps" in r.observation.reason for r in comparison.rows)


def test_an_empty_store_is_unclear_and_asks_for_networks() -> None:
    comparison = compare(sweep(), [])
    assert comparison.verdict == "unclear"
    assert {r.trials_needed for r in comparison.rows} == {2}


def test_statistics_that_were_not_measured_are_left_out(world: World) -> None:
    def moments(s: Sample) -> Sample:
        return Sample(s.mean, s.second_moment, math.nan, (), s.dimension)

    blind = [
        Trial(t.cell, t.index, "done", samples={label: moments(s) for label, s in t.samples.items()})
        for t in world(sweep())
    ]
    assert {r.statistic for r in compare(sweep(), blind).rows} == {"mean", "second_moment"}


def test_the_same_limit_in_a_larger_family_is_harder_to_refute(world: World) -> None:
    many, few = sweep(metric=["fim", "ntk", "input_metric"]), sweep(activation=["relu"], metric=["ntk"])
    trials = world(many)  # a cell's key holds the network, not the metrics: both sweeps read the same trials
    alone = compare(few, trials).limits[0]
    same = [
        d
        for d in compare(many, trials).limits
        if (d.metric, d.statistic, d.law) == (alone.metric, alone.statistic, alone.law)
    ]
    (together,) = same
    assert alone.ratio == together.ratio
    assert alone.judgement.detectable < together.judgement.detectable


def test_the_level_of_one_look_replaces_the_sweeps(world: World) -> None:
    trials = world(sweep())
    assert compare(sweep(), trials, alpha=0.01).alpha == 0.01
    assert compare(sweep(), trials).alpha == 0.05


@pytest.mark.slow
def test_the_true_theory_is_refuted_in_at_most_alpha_of_all_worlds(world: World) -> None:
    small = sweep(trials=5)
    refuted = sum(compare(small, world(small, seed=s)).verdict == "fail" for s in range(200))
    assert refuted / 200 < 0.05 + 4 * math.sqrt(0.05 * 0.95 / 200)


def test_the_recursion_of_each_network_is_run_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The preset `quick` has three networks, and asks theory of two orders for three metrics at four widths."""
    sweep = Sweep.preset("quick", ["run.trials=2"])
    trials, through, runs = world(sweep), recursion._through, []
    monkeypatch.setattr(recursion, "_through", lambda *given: runs.append(given) or through(*given))
    recursion._integrated.cache_clear()
    compare(sweep, trials)
    assert len(runs) == 3
