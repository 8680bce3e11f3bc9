"""Theil–Sen against SciPy's, which writes all pairs down."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy.stats import theilslopes

from meanfield.information import theil_sen as module
from meanfield.information.theil_sen import theil_sen


def falling(seed: int, count: int) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).standard_normal(count))[::-1]


@pytest.mark.parametrize("count", [2, 3, 59, 60])  # 1711 pairs and 1770: the median is one slope, or between two
@pytest.mark.parametrize("counted", [False, True])
def test_is_the_median_of_all_slopes(count, counted, monkeypatch):
    if counted:
        monkeypatch.setattr(module, "_PAIRS_HELD", 0)
    x = np.cumsum(1 + np.random.default_rng(1).integers(0, 3, count)).astype(float)
    for y in (falling(2, count), np.random.default_rng(3).standard_normal(count)):
        assert theil_sen(x, y) == pytest.approx(theilslopes(y, x).slope, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("counted", [False, True])
def test_ties_and_exact_lines(counted, monkeypatch):
    if counted:
        monkeypatch.setattr(module, "_PAIRS_HELD", 0)
    x = np.arange(40.0)
    assert theil_sen(x, 7 - 0.25 * x) == pytest.approx(-0.25, rel=1e-14)
    steps = np.repeat(-np.arange(10.0), 4)  # many pairs have equal slopes
    assert theil_sen(x, steps) == pytest.approx(theilslopes(steps, x).slope, rel=1e-14)
    assert theil_sen(x, 0 * x) == 0.0


def test_of_long_spectra_pairs_are_counted():
    x, y = np.arange(2000.0), falling(4, 2000)  # two million pairs
    assert theil_sen(x, y) == pytest.approx(theilslopes(y, x).slope, rel=1e-12)


def test_memory_grows_with_the_number_of_points_only():
    x, y = np.arange(5000.0), falling(5, 5000)
    theil_sen(x[:1500], y[:1500])  # what is imported on first use
    tracemalloc.start()
    theil_sen(x, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 * y.nbytes  # its pairs would take 2500 times as much


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_points_have_no_slope(count):
    assert np.isnan(theil_sen(np.arange(float(count)), np.zeros(count)))
