"""Sloppiness of spectra whose statistics are known in closed form, and of what is no spectrum."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import entropy

from meanfield.information import effective_dimension, sloppiness

COUNT, RATIO = 200, 0.93
GEOMETRIC = RATIO ** np.arange(COUNT)


def test_a_geometric_spectrum():
    found = sloppiness(GEOMETRIC)
    slope = math.log10(RATIO)
    assert found.status == "sloppy"
    assert found.warnings == ()
    assert found.resolved == found.given == COUNT
    assert found.mid_slope == pytest.approx(slope)
    assert found.mid_decades == pytest.approx(COUNT * slope)
    assert found.decades == pytest.approx(-(COUNT - 1) * slope)
    last = RATIO**COUNT
    assert found.participation == pytest.approx((1 + RATIO) / (1 - RATIO) * (1 - last) / (1 + last))
    assert found.stable_rank == pytest.approx((1 - last) / (1 - RATIO))
    assert found.effective_rank == pytest.approx(math.exp(entropy(GEOMETRIC)))
    # Σ_{i<=k} r^i >= p (1 - r^n)/(1 - r)
    for part, stiff in ((0.9, found.stiff_90), (0.99, found.stiff_99)):
        assert stiff == math.ceil(math.log(1 - part * (1 - last)) / math.log(RATIO)) / COUNT
    assert found.stiff_head == found.elbow.head / COUNT


def test_mid_slope_is_that_of_the_middle_half():
    i = np.arange(1, 101)
    inside = (i >= 25) & (i <= 75)  # n/4 <= i <= 3n/4
    logs = -0.02 * i + np.where(inside, 0.003 * np.sin(i), np.where(i < 25, 25 - i, 3 * (75 - i)) / 25)
    assert np.all(np.diff(logs) < 0)
    slopes = [(logs[b] - logs[a]) / (b - a) for a in range(24, 75) for b in range(a + 1, 75)]
    assert sloppiness(10**logs).mid_slope == pytest.approx(np.median(slopes), rel=1e-10)


def test_order_and_scale_do_not_matter():
    shuffled = np.random.default_rng(1).permutation(GEOMETRIC)
    one, other = sloppiness(GEOMETRIC), sloppiness(1e-40 * shuffled)
    for name in ("mid_slope", "decades", "participation", "effective_rank", "stable_rank", "stiff_90", "resolved"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-9)


def test_multiplicities_scale_the_ranks():
    one, three = sloppiness(GEOMETRIC), sloppiness(np.repeat(GEOMETRIC, 3))
    for name in ("participation", "effective_rank", "stable_rank"):
        assert getattr(three, name) == pytest.approx(3 * getattr(one, name))
    assert three.mid_decades == pytest.approx(one.mid_decades, rel=0.02)


@pytest.mark.parametrize("slope", [-0.0087, -0.0217, -0.0434])
def test_planted_mid_slopes(slope):
    rng, count, noise = np.random.default_rng(21), 300, 0.1 / math.log(10)
    logs = slope * np.arange(count) + noise * rng.standard_normal(count)
    error = noise * math.sqrt(12 / (count / 2) ** 3)
    assert abs(sloppiness(10**logs).mid_slope - slope) < 5 * error < 0.05 * abs(slope)


def test_isotropic_data_are_flat():
    x = np.random.default_rng(2).standard_normal((2000, 200))
    found = sloppiness(np.linalg.eigvalsh(x.T @ x / 2000))
    # Marchenko–Pastur at d/N = 0.1: edges (1 ± √0.1)²
    edges = 2 * math.log10((1 + math.sqrt(0.1)) / (1 - math.sqrt(0.1)))
    assert found.decades == pytest.approx(edges, abs=0.05)
    assert found.status == "flat"
    assert any("flat" in warning for warning in found.warnings)


def test_rounding_is_not_resolved():
    noise = 1e-15 * np.random.default_rng(3).standard_normal(50)
    found = sloppiness(np.concatenate([GEOMETRIC, noise]))
    assert (found.given, found.resolved) == (250, 200)
    assert any("not resolved" in warning for warning in found.warnings)
    assert found.mid_slope == sloppiness(GEOMETRIC).mid_slope
    n, eps = 4, np.finfo(float).eps
    assert sloppiness([1.0, 1.0, 1.0, 10.1 * n * eps]).resolved == 4
    assert sloppiness([1.0, 1.0, 1.0, 9.9 * n * eps]).resolved == 3


def test_a_floor_of_the_measurement_counts():
    single = np.concatenate([GEOMETRIC[:80], [-2e-4, 1e-4, 2.9e-3]])
    assert sloppiness(single, floor=RATIO**79.5).resolved == 80
    with pytest.raises(ValueError, match="eigenvalues: expected none below"):
        sloppiness(single)


def test_an_unsteady_elbow_is_said():
    found = sloppiness(np.arange(1, 301) ** -2.0)
    assert any("elbow is unsteady" in warning for warning in found.warnings)


def test_a_spectrum_of_zeros_is_void():
    found = sloppiness(np.zeros(7))
    assert (found.status, found.resolved, found.given) == ("void", 0, 7)
    numbers = (found.mid_slope, found.mid_decades, found.decades, found.participation, found.stiff_90, found.stiff_head)
    assert all(map(math.isnan, numbers))
    assert found.warnings
    assert "void" in str(found)


@pytest.mark.parametrize("count", range(1, 8))
def test_few_eigenvalues(count):
    found = sloppiness(10.0 ** -np.arange(count))
    assert math.isnan(found.mid_slope) == (count < 3)
    if count >= 3:
        assert found.mid_slope == pytest.approx(-1)
    few = count in (1, 2, 3, 5)  # fewer than three of i = n/4..3n/4
    assert any("mid_slope says little" in warning for warning in found.warnings) == few


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ([], ValueError, "at least one number"),
        ([[1.0]], ValueError, "one axis"),
        (1.0, ValueError, "one axis"),
        ([1.0, math.nan], ValueError, "finite numbers, got nan"),
        ([1.0, math.inf], ValueError, "finite numbers, got inf"),
        ([1.0, -0.1], ValueError, "none below"),
        (["one"], TypeError, "an array of numbers"),
    ],
)
def test_what_is_no_spectrum_is_refused(wrong, error, message):
    with pytest.raises(error, match=f"^eigenvalues: expected.*{message}"):
        sloppiness(wrong)


@pytest.mark.parametrize("floor", [-1.0, math.nan, math.inf])
def test_a_wrong_floor_is_refused(floor):
    with pytest.raises(ValueError, match=r"^floor: expected"):
        sloppiness(GEOMETRIC, floor=floor)


def test_it_shows_itself():
    shown = str(sloppiness(np.arange(1, 301) ** -2.0))
    assert "mid_slope" in shown
    assert "warning: the elbow is unsteady" in shown
    assert "<table>" in sloppiness(GEOMETRIC)._repr_html_()


def test_effective_dimension_counts_where_data_outweigh_the_prior():
    # 2 (n - 1) r^i > ε
    samples, epsilon = 51, 0.7
    below = math.log(epsilon / 100) / math.log(RATIO)
    assert effective_dimension(GEOMETRIC, samples, epsilon) == math.floor(below) + 1
    assert effective_dimension([-3.0, 0.0, 1.0], 2, 1.0) == 1  # a Hessian has negative ones
    assert effective_dimension([1.0, 0.5], 2, 1.0) == 1  # above, not at


@pytest.mark.parametrize(("samples", "epsilon"), [(1, 1.0), (2, 0.0), (2, -1.0), (2, math.nan)])
def test_effective_dimension_refuses(samples, epsilon):
    with pytest.raises(ValueError, match=r"^(samples|epsilon): expected"):
        effective_dimension(GEOMETRIC, samples, epsilon)
