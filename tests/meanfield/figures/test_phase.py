"""The plane of initialisations as a figure."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from meanfield import FIM, InputMetric, phase_diagram, plot_phase, predict_grid
from meanfield.figures.phase import SCALES

WEIGHTS, BIASES = np.linspace(0.5, 4, 12)[None, :], np.linspace(0, 1, 10)[:, None]
SIZES = {"depth": 3, "width": 100, "samples": 20}


def written(figure: Figure) -> list[str]:
    ax = figure.axes[0]
    return [t.get_text() for t in ax.texts] + [t.get_text() for t in ax.get_legend().get_texts()]


def test_phases_are_named_where_they_are() -> None:
    diagram = phase_diagram("tanh", WEIGHTS, BIASES)
    figure = plot_phase(diagram)
    assert written(figure) == ["ordered", "chaotic", r"edge of chaos, $\chi_1 = 1$"]
    for text in figure.axes[0].texts:
        x, y = text.get_position()
        assert phase_diagram("tanh", x, y).phase == text.get_text()
    assert figure.axes[0].get_xlabel() == r"$\sigma_w^2$"


def test_white_is_explained() -> None:
    found = written(plot_phase(phase_diagram("relu", WEIGHTS, BIASES), "chi"))
    assert {"unbounded", "no fixed point: the variance runs away"} <= {*found}
    assert not [w for w in written(plot_phase(phase_diagram("tanh", WEIGHTS, BIASES))) if "no " in w]


def test_white_of_other_causes_is_told_apart() -> None:
    grid = predict_grid("tanh", WEIGHTS, BIASES, FIM(), **SIZES)  # void at σ_b = 0, where inputs share nothing
    assert np.isnan(grid.largest).any()
    assert "void, or no finite value" in written(plot_phase(grid, "largest"))


def test_on_axes_of_the_users_the_legend_stays_inside() -> None:
    figure = Figure()
    ax = figure.subplots()
    plot_phase(phase_diagram("tanh", WEIGHTS, BIASES), ax=ax)
    figure.canvas.draw()
    assert ax.get_legend().get_window_extent().y0 >= ax.get_window_extent().y0


def test_the_legend_is_off_the_plane() -> None:
    figure = plot_phase(phase_diagram("tanh", WEIGHTS, BIASES))
    figure.canvas.draw()
    ax = figure.axes[0]
    assert ax.get_legend().get_window_extent().y1 < ax.get_window_extent().y0


@pytest.mark.parametrize("show", ["learning_rate", "largest", "overlap", ""])
def test_a_grid_of_predictions_is_drawn_by_its_own_quantities(show: str) -> None:
    grid = predict_grid("tanh", WEIGHTS, BIASES, FIM(), outputs=2, **SIZES)
    figure = plot_phase(grid, show)
    assert "FIM, L = 3, M = 100, N = 20, C = 2" in figure.axes[0].get_title()
    assert figure.axes[1].get_ylabel() == SCALES[show or "learning_rate"].label
    if not show:
        assert r"\sum |f - y|^2" in figure.axes[1].get_ylabel()


def test_it_draws_on_axes_that_are_given(tmp_path) -> None:
    ax = Figure().subplots()
    assert plot_phase(phase_diagram("tanh", WEIGHTS, BIASES), path=tmp_path / "a.png", ax=ax) is ax.figure
    assert (tmp_path / "a.png").stat().st_size > 0


def test_refuses(tmp_path) -> None:
    diagram = phase_diagram("tanh", WEIGHTS, BIASES)
    inputs = predict_grid("tanh", WEIGHTS, BIASES, InputMetric(), **SIZES)
    for plane, show, message in (
        (diagram, "largest", "show: expected one of depth, chi, got 'largest'"),
        (phase_diagram("tanh", 1.0, 0.1), "", "plot: expected ranges"),
        (phase_diagram("tanh", WEIGHTS.T, BIASES.T), "", "plot: expected a grid with σ_b² on its first axis"),
        (inputs, "learning_rate", "show: expected what the metric has"),
    ):
        with pytest.raises(ValueError, match=f"^{message}"):
            plot_phase(plane, show, tmp_path / "a.svg")
    assert not list(tmp_path.iterdir())
