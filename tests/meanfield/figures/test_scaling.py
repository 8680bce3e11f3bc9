from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure

from meanfield import Network, plot_predictions, predict
from meanfield.spec import FIM


def predictions(depths, width, order="leading", **metric):
    networks = [Network(d, "tanh", 3.0, 0.64, outputs=3) for d in depths]
    return [predict(n, FIM(**metric), width=width, samples=20, order=order) for n in networks]


def words(figure: Figure) -> str:
    """All that is written in it."""
    texts = [figure.get_suptitle()]
    for ax in figure.axes:
        texts += [ax.get_title(), ax.get_xlabel(), ax.get_ylabel(), *(t.get_text() for t in ax.texts)]
        legend = ax.get_legend()
        texts += [t.get_text() for t in legend.get_texts()] if legend else []
    return "\n".join(texts)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (([3], [50, 100, 200]), ["width $M$", "$L$ = 3", "$N$ = 20"]),
        (([2, 3], [50, 100, 200]), ["width $M$", "$L$ = 2", "$L$ = 3"]),
        (([2, 3, 4], 100), ["depth $L$"]),
    ],
)
def test_a_figure_names_its_axes_and_its_network(given, expected):
    figure = plot_predictions(predictions(*given))
    for part in (*expected, "second moment", "tanh", r"$\sigma_w^2$ = 3", r"$\sigma_b^2$ = 0.64", "$C$ = 3", "leading"):
        assert part in words(figure)


def test_a_band_is_the_interval_of_95_per_cent_and_says_so():
    (answer,) = predictions([3], [50, 100, 200], order="refined")
    figure = plot_predictions(answer)
    assert "95 % of networks" in words(figure)
    (band,) = figure.axes[0].collections
    corners = band.get_paths()[0].vertices
    for width, (low, high) in zip(answer.width, answer.interval()["mean"], strict=True):
        assert sorted({*corners[corners[:, 0] == width][:, 1]}) == pytest.approx([low, high])


def test_ticks_stand_at_the_widths_and_do_not_overlap():
    widths = [100, 104, 110, 200, 400, 800]
    figure = plot_predictions(predictions([3], widths))
    figure.canvas.draw()
    for ax in figure.axes:
        assert ax.get_xticks().tolist() == widths
        assert ax.get_xticks(minor=True).size == 0
        shown = [t.get_window_extent() for t in ax.get_xticklabels() if t.get_text()]
        assert 3 <= len(shown) < len(widths)
        assert all(b.x0 > a.x1 for a, b in itertools.pairwise(shown))


def test_it_draws_on_axes_that_are_given():
    given = Figure().subplots(1, 3)
    assert plot_predictions(predictions([3], [50, 100]), ax=given) is given[0].figure
    assert all(ax.lines for ax in given)
    with pytest.raises(ValueError, match=r"^ax: expected 3 axes, got 2"):
        plot_predictions(predictions([3], [50, 100]), ax=given[:2])


@pytest.mark.parametrize("metric", [{"layer": 1}, {"loss": "cross_entropy"}], ids=["void", "with a spread"])
def test_the_same_bytes_every_time(tmp_path, metric):
    first, second = tmp_path / "first.svg", tmp_path / "second.svg"
    for path in (first, second):
        plot_predictions(predictions([3], [50, 100], **metric), path)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(("suffix", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_the_suffix_says_the_format(tmp_path, suffix, start):
    path = tmp_path / f"figure.{suffix}"
    assert isinstance(plot_predictions(predictions([3], [50, 100]), path), Figure)
    assert path.read_bytes().startswith(start)


def test_a_notebook_shows_the_picture_itself():
    assert plot_predictions(predictions([3], [50, 100]))._repr_png_().startswith(b"\x89PNG")


def test_several_numbers_of_samples_are_no_line():
    many = predict(Network(3, "tanh", 3.0, 0.64), FIM(), width=[50, 100], samples=[[20], [40]])
    with pytest.raises(ValueError, match=r"^predictions: expected one number of samples in each, got 20, 40$"):
        plot_predictions(many)


def test_refuses(tmp_path):
    with pytest.raises(ValueError, match=r"^predictions: expected at least one"):
        plot_predictions([], tmp_path / "figure.svg")
    with pytest.raises(ValueError, match=r"^plot: expected a file name ending in"):
        plot_predictions(predictions([3], [50, 100]), tmp_path / "figure.xyz")
    with pytest.raises(ValueError, match=r"^plot: expected .*nowhere"):
        plot_predictions(predictions([3], [50, 100]), tmp_path / "nowhere" / "figure.svg")


def test_what_is_void_leaves_a_gap():
    (void,) = predictions([3], [50, 100], layer=1)
    assert np.isnan(void.largest).all()
    assert np.isnan(plot_predictions(void).axes[2].lines[0].get_ydata()).all()
