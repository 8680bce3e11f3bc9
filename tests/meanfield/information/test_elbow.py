"""The elbow against planted ones and against a search that fits every line with np.polyfit."""

from __future__ import annotations

import math

import numpy as np
import pytest

from meanfield.information.elbow import find_elbow

NOISE = 0.1  # standard deviation of ln λ


def planted(slope: float, count: int, seed: int) -> np.ndarray:
    """log10 of ten stiff eigenvalues, a tail that falls by ``slope``, and a drop in the last fifteen."""
    tail = slope * np.arange(count - 25)
    drop = slope * (count - 25) - 0.5 / math.log(10) * np.arange(15)
    noise = NOISE / math.log(10) * np.random.default_rng(seed).standard_normal(count)
    return np.r_[3 - 0.25 * np.arange(10), tail, drop] + noise


@pytest.mark.parametrize("slope", [-0.0087, -0.0217, -0.0434])
def test_planted_slopes_and_breaks_are_found(slope):
    count = 300
    found = find_elbow(planted(slope, count, seed=11))
    error = NOISE / math.log(10) * math.sqrt(12 / (count - 25) ** 3)  # of a least-squares slope
    assert abs(found.slope - slope) < 5 * error < 0.02 * abs(slope)
    assert found.pieces == 3
    assert found.head == 10
    # The drop bends by less than the noise at its first few eigenvalues.
    assert abs(found.end - (count - 15)) <= 3
    assert found.steady
    assert found.slope_range[0] <= found.slope <= found.slope_range[1]


def squares(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.sum((y - np.polyval(np.polyfit(x, y, 1), x)) ** 2)) if len(x) > 2 else 0.0


def test_breaks_are_those_of_least_squares():
    count = 40
    y = planted(-0.05, count, seed=12)
    x = np.arange(count)
    best = min(
        (squares(x[:h], y[:h]) + squares(x[h:e], y[h:e]) + squares(x[e:], y[e:]), h, e)
        for h in range(3, 10)
        for e in range(h + 6, count - 2)
    )
    found = find_elbow(y)
    assert (found.pieces, found.head, found.end) == (3, *best[1:])
    tail = slice(found.head, found.end)
    assert found.r_squared == pytest.approx(1 - squares(x[tail], y[tail]) / np.sum((y[tail] - y[tail].mean()) ** 2))


def test_the_range_is_over_breaks_that_fit_nearly_as_well():
    y = planted(-0.05, 40, seed=14)
    x = np.arange(40)
    fits = [
        (squares(x[:h], y[:h]) + squares(x[h:e], y[h:e]) + squares(x[e:], y[e:]), np.polyfit(x[h:e], y[h:e], 1)[0])
        for h in range(3, 10)
        for e in range(h + 6, 38)
    ]
    slopes = [slope for rest, slope in fits if rest <= 1.1 * min(fits)[0]]
    found = find_elbow(y)
    assert found.pieces == 3
    assert len(slopes) > 1
    assert found.slope_range == pytest.approx((min(*slopes, found.slope), max(*slopes, found.slope)))


@pytest.mark.parametrize("seed", range(10))
def test_a_line_has_one_piece(seed):
    y = -0.02 * np.arange(200) + 0.01 * np.random.default_rng([13, seed]).standard_normal(200)
    found = find_elbow(y)
    assert (found.pieces, found.head, found.end) == (1, 0, 200)
    assert found.r_squared > 0.99


def test_a_curve_without_an_elbow_is_called_unsteady():
    found = find_elbow(-1.5 * np.log10(np.arange(1, 301)))  # λ_i = i^-1.5: straight on no stretch
    low, high = found.slope_range
    assert not found.steady
    assert high - low > 0.2 * abs(found.slope)


def test_breaks_of_long_spectra_are_known_to_a_fourhundredth():
    count = 4000
    y = np.r_[5 - 0.01 * np.arange(400), -0.0002 * np.arange(count - 400)]
    found = find_elbow(y)
    assert found.slope == pytest.approx(-0.0002)
    assert abs(found.head - 400) <= count / 400


def test_few_points():
    assert math.isnan(find_elbow(np.zeros(1)).slope)
    two = find_elbow(np.array([1.0, 0.5]))
    assert (two.pieces, two.slope) == (1, -0.5)
    assert math.isnan(two.r_squared)
