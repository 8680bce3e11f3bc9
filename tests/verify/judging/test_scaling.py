"""Fits against exact forms, textbook special cases and simulation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from meanfield.spec import FIM, NTK, Network
from verify.asking.records import Cell
from verify.judging.extrapolation import fit_limit, lack_of_fit, powers
from verify.judging.inference import Estimate, mean_of
from verify.judging.observations import Observation
from verify.judging.scaling import series

WIDTHS = np.array([64.0, 128.0, 256.0, 512.0])
NETWORK = Network(3, "linear", 1.0, 0.1, 4)


def line(
    points: Sequence[tuple[int, int]], value: float = 1.0, in_width: float = 0.0, in_samples: float = 0.0
) -> list[Observation]:
    """Points (M, N) whose measurement is ``value M^a N^b`` without noise and whose prediction is 1/2 of it."""
    return [
        Observation(
            Cell(NETWORK, m, n, (FIM(),)), FIM(), "mean", value * m**in_width * n**in_samples / 2,
            np.full(3, value * m**in_width * n**in_samples), "", (in_width, in_samples),
        )
        for m, n in points
    ]  # fmt: skip


@pytest.mark.parametrize("terms", [(0.0, 1.0), (0.0, 0.5, 1.0), (0.0, 1.0, 2.0)])
def test_an_exact_form_is_recovered(terms: tuple[float, ...]) -> None:
    truth = [0.97, 3.0, -40.0][: len(terms)]
    ratios = [Estimate(sum(a * m**-p for a, p in zip(truth, terms, strict=True)), 0.01, 9) for m in WIDTHS]
    fit = fit_limit(WIDTHS, ratios, WIDTHS, terms)
    assert [a.value for a in fit.coefficients] == pytest.approx(truth)
    assert fit.at(1 / WIDTHS) == pytest.approx([r.value for r in ratios])
    assert fit.goodness == pytest.approx(1, abs=1e-4)


def test_as_many_widths_as_terms_leave_no_goodness_of_fit() -> None:
    fit = fit_limit(WIDTHS[:3], [Estimate(1.0, 0.1, 9)] * 3, WIDTHS[:3], (0.0, 0.5, 1.0))
    assert math.isnan(fit.goodness)


def draws(random: np.random.Generator, trials: int, spread: float = 1.0) -> list[Estimate]:
    """Skewed networks around the true ratio 1.02 + 10/M, of relative spread ``spread``/√M."""
    sigma = spread / np.sqrt(WIDTHS)
    noise = np.exp(sigma * random.normal(size=(trials, 4)) - sigma**2 / 2)
    return [mean_of(v) for v in ((1.02 + 10 / WIDTHS) * noise).T]


def test_the_limit_is_unbiased_and_its_interval_covers_with_four_networks_a_width() -> None:
    random, repeats = np.random.default_rng(1), 2000
    limits = [fit_limit(WIDTHS, draws(random, 4), WIDTHS, (0.0, 1.0)).limit for _ in range(repeats)]
    values = np.array([a.value for a in limits])
    assert values.mean() == pytest.approx(1.02, abs=4 * values.std() / math.sqrt(repeats))
    covered = np.mean([low <= 1.02 <= high for low, high in (a.interval() for a in limits)])
    # Satterthwaite's degrees of freedom are an approximation: a point of coverage is its declared price.
    assert covered == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / repeats) + 0.01)


def test_the_lack_of_fit_is_found_as_often_as_it_should_when_the_form_is_right() -> None:
    random, repeats = np.random.default_rng(2), 2000
    # Weights that misjudge the variances: the first width is taken for much better than it is.
    weights = np.array([512.0, 128.0, 256.0, 512.0])
    p = [fit_limit(WIDTHS, draws(random, 10), weights, (0.0, 1.0)).goodness for _ in range(repeats)]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / repeats) + 0.01)


def test_the_lack_of_fit_finds_a_wrong_form() -> None:
    random = np.random.default_rng(3)
    p = [fit_limit(WIDTHS, draws(random, 40, spread=0.3), WIDTHS, (0.0,)).goodness for _ in range(50)]
    assert max(p) < 0.05


def test_the_lack_of_fit_of_a_constant_is_brown_and_forsythes_test() -> None:
    random = np.random.default_rng(4)
    groups = [random.normal(0, s, n) for s, n in ((1.0, 5), (2.0, 8), (0.5, 6))]
    n = np.array([g.size for g in groups])
    total, means, variances = n.sum(), np.array([g.mean() for g in groups]), np.array([g.var(ddof=1) for g in groups])
    between = np.sum(n * (means - np.concatenate(groups).mean()) ** 2)
    parts = (1 - n / total) * variances
    denominator = parts.sum() ** 2 / np.sum(parts**2 / (n - 1))
    # Mehrotra's numerator degrees of freedom.
    numerator = parts.sum() ** 2 / (
        np.sum(variances**2) + np.sum(n * variances / total) ** 2 - 2 * np.sum(n * variances**2) / total
    )
    expected = stats.f.sf(between / parts.sum(), numerator, denominator)
    found = lack_of_fit(np.ones((3, 1)), n.astype(float), [mean_of(g) for g in groups])
    assert found == pytest.approx(expected)


def test_powers_follow_from_statistic_degeneracy_and_theory() -> None:
    assert powers("mean", True, "leading") == (0, 1)
    assert powers("outliers", True, "leading") == (0, 1)
    assert powers("second_moment", True, "leading") == (0, 1, 2)
    assert powers("largest", True, "leading") == (0, 0.5, 1)
    assert powers("largest", False, "leading") == (0, 1, 2)
    assert {powers(s, True, "refined") for s in ("mean", "second_moment", "largest", "outliers")} == {(0, 2)}


@pytest.mark.parametrize(
    ("outputs", "metric", "expected"),
    [(4, FIM(), (0, 0.5, 1)), (1, FIM(), (0, 1, 2)), (4, FIM(loss="cross_entropy"), (0, 1, 2))],
)
def test_only_equal_outliers_repel_to_first_order(outputs: int, metric: FIM, expected: tuple[float, ...]) -> None:
    network = Network(3, "linear", 1.0, 0.1, outputs)
    points = [
        Observation(Cell(network, m, 9, (metric,)), metric, "largest", 1.0, np.ones(3), "", (1.0, 0.0))
        for m in (8, 16, 32)
    ]
    (found,) = series(points)
    assert found.fit is not None
    assert found.fit.powers == expected


def test_a_power_law_gives_its_exponents_and_ratio() -> None:
    (found,) = series(line([(32, 50), (64, 50), (128, 50)], 3.0, in_width=-0.9))
    assert (found.axis, found.held) == ("width", "N = 50")
    assert found.exponent.value == pytest.approx(-0.9)
    assert found.expected == pytest.approx(-0.9)
    assert found.asymptotic == -0.9
    assert found.fit is not None
    assert found.fit.limit.value == pytest.approx(2)


def test_two_widths_give_an_exponent_and_no_limit() -> None:
    (found,) = series(line([(32, 50), (64, 50)], in_width=1.0))
    assert found.fit is None
    assert found.exponent.value == pytest.approx(1)


def test_a_grid_has_lines_along_both_axes_and_no_diagonals() -> None:
    found = series(line([(m, n) for m in (10, 20, 40) for n in (10, 20, 40)], in_width=1.0, in_samples=0.5))
    assert [(s.axis, s.held) for s in found] == [
        *(("width", f"N = {n}") for n in (10, 20, 40)),
        *(("samples", f"M = {m}") for m in (10, 20, 40)),
    ]
    assert [s.exponent.value for s in found] == pytest.approx([1.0] * 3 + [0.5] * 3)
    assert [s.asymptotic for s in found] == [1.0] * 3 + [0.5] * 3


def test_samples_in_proportion_to_the_width_are_one_line_with_the_sum_of_the_exponents() -> None:
    (found,) = series(line([(10, 5), (20, 10), (40, 20)], in_width=1.0, in_samples=0.5))
    assert (found.axis, found.held) == ("width", "N = 0.5 M")
    assert found.exponent.value == pytest.approx(1.5)
    assert found.asymptotic == 1.5


def test_metrics_and_statistics_are_not_mixed() -> None:
    points = line([(10, 5), (20, 5)])
    other = Observation(points[0].cell, NTK(), "mean", 1.0, np.ones(3), "", (0.0, 0.0))
    assert len(series([*points, other])) == 1


def test_void_points_are_on_no_line() -> None:
    points = line([(10, 5), (20, 5), (40, 5)])
    void = Observation(points[0].cell, FIM(), "mean", math.nan, np.ones(3), "no outlier", (0.0, 0.0))
    (found,) = series([void, *points[1:]])
    assert len(found.observations) == 2
