"""Estimates and decisions, against SciPy, the closed-testing principle and simulation."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from verify.judging.inference import POWER, Estimate, combination, holm, judge, mean_of, mean_of_statistic


def test_the_interval_is_the_t_interval() -> None:
    values = np.random.default_rng(1).lognormal(size=7)
    expected = stats.t.interval(0.9, 6, values.mean(), stats.sem(values))
    assert mean_of(values).interval(0.9) == pytest.approx(expected)


SKEWED = 6_000


@pytest.mark.parametrize("networks", [3, 4, 12, 40])
@pytest.mark.parametrize("spread", [0.2, 0.4])
def test_the_mean_of_a_log_normal_is_missed_on_neither_side_oftener_than_meant(spread: float, networks: int) -> None:
    """2.5 % each are meant. A plain t-interval lies below the truth in 4 % to 6 %; the expansion behind ours leaves a
    part of the order of the squared spread, of which 4 % is allowed for."""
    sigma = math.sqrt(math.log1p(spread**2))
    samples = np.random.default_rng(7).lognormal(-(sigma**2) / 2, sigma, (SKEWED, networks))
    ends = np.array([mean_of_statistic(x).interval() for x in samples])
    missed = np.mean(ends[:, 1] < 1), np.mean(ends[:, 0] > 1)
    allowed = 0.025 + 0.04 * spread**2 + 4 * math.sqrt(0.025 * 0.975 / SKEWED)
    assert max(missed) < allowed
    plain = np.array([mean_of(x).interval()[1] for x in samples])
    assert np.mean(plain < 1) > allowed or networks == 40 or spread < 0.4  # few draws show the larger fault alone


def test_students_ratio_of_a_skewed_mean_is_shifted() -> None:
    """γ se/6 upwards: half of the bend times the squared error over two, to first order, beside the same bent ends."""
    e = Estimate(1.0, 0.1, 50, 2.0)
    half = float(stats.t.ppf(0.975, 50)) * 0.1
    low, high = e.interval()
    assert high == pytest.approx(1 + math.expm1(2 * (half + 2.0 * 0.1**2 / 4)) / 2)
    assert low == pytest.approx(1 - half)  # the plain one is lower here


def test_a_bent_estimate_is_tested_as_its_interval_says() -> None:
    """Also after a change of units, a sum and a logarithm."""
    a, b = mean_of_statistic([1.0, 1.4, 2.2]), mean_of_statistic([3.0, 3.3, 4.4, 3.1])
    for e in (a, a.scaled(2.5), a.scaled(-2.5), combination([1.3, -0.3], [a, b]), a.log(), b.log()):
        low, high = e.interval(0.9)
        assert (e.below(low), e.above(high)) == pytest.approx((0.05, 0.05))
    assert a.scaled(2.5).interval() == pytest.approx([2.5 * x for x in a.interval()])
    assert combination([1.0, 0.0], [a, b]).interval() == pytest.approx(a.interval())
    assert a.bend == pytest.approx(2 / a.value)
    assert a.log().bend == pytest.approx(1.0)


def test_one_network_has_no_standard_error_and_decides_nothing() -> None:
    alone = mean_of([1.0])
    assert alone.value == 1.0
    assert all(math.isnan(x) for x in alone.interval())
    (judgement,) = judge([alone], [0.5], 0.05)
    assert (judgement.verdict, judgement.trials_needed(1)) == ("unclear", 1)


def test_a_difference_has_welchs_degrees_of_freedom() -> None:
    random = np.random.default_rng(2)
    a, b = random.normal(0, 1, 5), random.normal(0.3, 4, 9)
    difference = combination([1, -1], [mean_of(a), mean_of(b)])
    expected = stats.ttest_ind(a, b, equal_var=False)
    assert difference.degrees == pytest.approx(expected.df)
    assert difference.value / difference.standard_error == pytest.approx(expected.statistic)


def test_the_two_one_sided_tests_are_scipys() -> None:
    ratios = np.random.default_rng(3).normal(1.01, 0.05, 12)
    lower = stats.ttest_1samp(ratios, 0.95, alternative="greater").pvalue
    upper = stats.ttest_1samp(ratios, 1.05, alternative="less").pvalue
    (judgement,) = judge([mean_of(ratios)], [0.05], 0.05)
    assert judgement.p_equivalent == pytest.approx(max(lower, upper))


def test_without_tolerance_the_test_for_outside_is_the_two_sided_t_test() -> None:
    ratios = np.random.default_rng(4).normal(1.05, 0.1, 9)
    (judgement,) = judge([mean_of(ratios)], [0.0], 0.05)
    assert judgement.p_outside == pytest.approx(stats.ttest_1samp(ratios, 1.0).pvalue)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_test_with_bonferroni(p: list[float]) -> None:
    subsets = [s for r in range(1, len(p) + 1) for s in itertools.combinations(range(len(p)), r)]
    closed = [max(min(1, len(s) * min(p[j] for j in s)) for s in subsets if i in s) for i in range(len(p))]
    assert holm(p) == pytest.approx(closed)


def test_an_untestable_member_still_counts_in_the_family() -> None:
    assert holm([0.01, math.nan]) == [0.02, 1.0]


REPEATS = 4000


@pytest.mark.parametrize(("ratio", "verdict"), [(1.05, "pass"), (1.05, "fail"), (0.95, "pass"), (0.95, "fail")])
def test_at_the_edge_of_the_tolerance_a_decision_is_wrong_no_more_often_than_alpha(ratio: float, verdict: str) -> None:
    alpha = 0.05
    samples = np.random.default_rng(5).normal(ratio, 0.02, (REPEATS, 6))
    wrong = sum(judge([mean_of(x)], [0.05], alpha)[0].verdict == verdict for x in samples)
    assert wrong / REPEATS < alpha + 4 * math.sqrt(alpha * (1 - alpha) / REPEATS)


@pytest.mark.parametrize("ratio", [1.0, 1.015, 1.12])
@pytest.mark.parametrize(("pilot", "spread"), [(3, 0.2), (3, 0.06), (10, 0.2)])
def test_the_trials_it_asks_for_decide_as_often_as_it_says(ratio: float, pilot: int, spread: float) -> None:
    """Over pilots that estimate the spread, too: the ratio alone is given."""
    random = np.random.default_rng(6)
    decided = []
    for _ in range(PILOTS):
        error = float(mean_of(random.normal(ratio, spread, pilot)).standard_error)
        judgement = replace(judge([Estimate(ratio, error, pilot - 1)], [0.05], 0.05)[0], verdict="unclear")
        more = judgement.trials_needed(pilot)
        assert more is not None
        decided.append(decisive(ratio, spread, pilot + more, random))
    # Up to 0.02 more where one network more or less matters: the number is whole, and one more is the least it says.
    assert np.mean(decided) > POWER - 4 * math.sqrt(POWER * (1 - POWER) / PILOTS)
    if spread >= 0.1:
        assert np.mean(decided) < POWER + 4 * math.sqrt(POWER * (1 - POWER) / PILOTS) + 0.02


PILOTS = 400


def decisive(ratio: float, spread: float, networks: int, random: np.random.Generator) -> bool:
    """Whether a sample of so many decides: its mean and variance are drawn from their exact laws."""
    mean = random.normal(ratio, spread / math.sqrt(networks))
    error = spread * math.sqrt(random.chisquare(networks - 1) / (networks - 1) / networks)
    return judge([Estimate(mean, error, networks - 1)], [0.05], 0.05)[0].verdict != "unclear"


def test_the_trials_for_a_limit_are_counted_over_its_points() -> None:
    """Three points with four networks each: the degrees of freedom grow from 9 to 3 (n / 3 - 1)."""
    estimates = [Estimate(1.0, 0.1, 3)] * 3
    limit = combination([1 / 3] * 3, estimates)
    (judgement,) = judge([limit], [0.05], 0.05)
    more = judgement.trials_needed(12, 3)
    assert more is not None
    networks = -(-(12 + more) // 3)
    random, repeats = np.random.default_rng(9), 1000
    decided = 0
    for _ in range(repeats):
        pilot_spread = 0.2 * math.sqrt(9 / random.chisquare(9))  # what the pilot leaves possible
        points = [mean_of(random.normal(1.0, pilot_spread, networks)) for _ in range(3)]
        decided += judge([combination([1 / 3] * 3, points)], [0.05], 0.05)[0].verdict != "unclear"
    assert decided / repeats == pytest.approx(POWER, abs=4 * math.sqrt(POWER * (1 - POWER) / repeats) + 0.02)


def test_a_ratio_on_the_very_edge_can_never_be_decided() -> None:
    (judgement,) = judge([Estimate(1.5, 0.1, 9)], [0.5], 0.05)
    assert judgement.trials_needed(10) is None


def test_a_deviation_that_it_calls_detectable_is_detected_as_often_as_it_says() -> None:
    pilot = mean_of(np.random.default_rng(7).normal(1, 0.1, 400))
    (judgement,) = judge([pilot], [0.02], 0.05)
    samples = np.random.default_rng(8).normal(1 + judgement.detectable, 0.1, (1000, 400))
    found = np.mean([judge([mean_of(x)], [0.02], 0.05)[0].verdict == "fail" for x in samples])
    # The pilot's own standard error is known to 1/√(2·400) = 3.5 %, which moves the power by 0.04 at most.
    assert found == pytest.approx(POWER, abs=4 * math.sqrt(POWER * (1 - POWER) / 1000) + 0.04)


def test_measurements_without_spread_are_decided() -> None:
    inside, outside = Estimate(1.0, 0.0, 3), Estimate(1.2, 0.0, 3)
    assert [j.verdict for j in judge([inside, outside], [0.1, 0.1], 0.05)] == ["pass", "fail"]
