"""Slopes of spectra with a known slope, and each row beside its own control."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import theilslopes

from meanfield.spec import FIM, Network
from verify.asking.inputs import Inputs
from verify.asking.records import Cell
from verify.judging.eigenvalues import Eigenvalues
from verify.judging.slopes import DATA_WINDOW, METRIC_WINDOW, Shape, covariance_spectrum, slopes

NETWORK = Network(2, "tanh", 1.5)
N, D = 60, 40


def inputs_of(levels: np.ndarray, label: str, control: bool = False) -> Inputs:
    """Inputs whose covariance has just these eigenvalues, scaled so that the mean of |x|²/d is 1."""
    random = np.random.default_rng(2)
    u, v = (np.linalg.qr(random.normal(size=(n, D)))[0] for n in (N, D))
    array = u * np.sqrt(N * D * levels / levels.sum()) @ v.T
    return Inputs(label, label, array, label, control=control)


def found_of(inputs: Inputs, predicted: np.ndarray, width: int = 8) -> Eigenvalues:
    cell = Cell(NETWORK, width, N, (FIM(),), inputs)
    return Eigenvalues(cell, FIM(), predicted, np.array([predicted, 2 * predicted]), 1, N, "leading", "")


GEOMETRIC = 10.0 ** (-0.05 * np.arange(D))
DATA = inputs_of(GEOMETRIC, "data")
FLAT = inputs_of(np.ones(D), "flat", control=True)


def test_the_covariance_has_the_eigenvalues_that_it_was_given() -> None:
    np.testing.assert_allclose(covariance_spectrum(DATA), GEOMETRIC * D / GEOMETRIC.sum(), rtol=1e-10)
    np.testing.assert_allclose(covariance_spectrum(DATA), np.linalg.eigvalsh(DATA.array.T @ DATA.array / N)[::-1])


def test_a_geometric_spectrum_has_one_slope_everywhere() -> None:
    shape = Shape.of(covariance_spectrum(DATA), DATA_WINDOW)
    assert shape.top_slope == pytest.approx(-0.05)
    assert shape.mid_slope == pytest.approx(-0.05)
    assert shape.decades == pytest.approx(0.05 * (D - 1))
    assert shape.participation == pytest.approx(GEOMETRIC.sum() ** 2 / (GEOMETRIC**2).sum())


def test_the_windows_are_the_second_to_eleventh_and_the_third_to_twelfth() -> None:
    spectrum = np.cumsum(np.random.default_rng(1).exponential(size=30))[::-1]
    for window, places in ((DATA_WINDOW, range(1, 11)), (METRIC_WINDOW, range(2, 12))):
        expected = theilslopes([np.log10(spectrum[i]) for i in places], list(places))[0]
        assert Shape.of(spectrum, window).top_slope == pytest.approx(expected)


def test_unresolved_eigenvalues_make_no_slope() -> None:
    shape = Shape.of(np.append(GEOMETRIC[:6], 1e-20), METRIC_WINDOW)
    assert shape.decades == pytest.approx(0.25)
    assert np.isnan(Shape.of(np.array([np.nan]), METRIC_WINDOW).decades)
    assert np.isnan(Shape.of(GEOMETRIC[:2], METRIC_WINDOW).top_slope)


def test_each_row_stands_beside_the_control_of_its_size() -> None:
    other = Inputs("small", "small", FLAT.array[: N - 1], "small", control=True)
    at = {8: GEOMETRIC, 16: GEOMETRIC**2}
    found = [found_of(FLAT, np.sqrt(at[width]), width) for width in at]
    found += [found_of(DATA, at[width], width) for width in at] + [found_of(other, GEOMETRIC)]
    rows = slopes(found)
    assert [row.cell.inputs for row in rows] == [DATA, DATA]
    for row, scale in zip(rows, (1, 2), strict=True):
        assert row.control is not None
        assert row.control.cell == Cell(NETWORK, row.cell.width, N, (FIM(),), FLAT)
        assert row.predicted.mid_slope == pytest.approx(-0.05 * scale)
        assert row.control.predicted.mid_slope == pytest.approx(-0.025 * scale)
        assert row.control.data.decades < 1e-6
        assert row.measured("mid_slope").value == pytest.approx(-0.05 * scale)


def test_a_row_without_its_control_has_none() -> None:
    (row,) = slopes([found_of(DATA, GEOMETRIC)])
    assert row.control is None
