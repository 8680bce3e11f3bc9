from __future__ import annotations

import pytest

from meanfield.figures.scaling import plot_predictions
from meanfield.prediction.asking import predict
from meanfield.spec import FIM, Network


def predictions(depths, width, **metric):
    networks = [Network(d, "tanh", 3.0, 0.64, outputs=3) for d in depths]
    return [predict(n, FIM(**metric), width=width, samples=20) for n in networks]


@pytest.mark.parametrize(
    ("given", "label"),
    [
        (([3], [50, 100, 200]), "width"),
        (([2, 3], [50, 100, 200]), "width"),
        (([2, 3, 4], 100), "depth"),
    ],
)
def test_figure(tmp_path, given, label):
    path = tmp_path / "figure.svg"
    plot_predictions(predictions(*given), path)
    text = path.read_text()
    assert "second moment" in text
    assert label in text
    assert ("L = 2" in text) == (given[0] == [2, 3])


@pytest.mark.parametrize("metric", [{"layer": 1}, {"loss": "cross_entropy"}], ids=["void", "with a spread"])
def test_the_same_bytes_every_time(tmp_path, metric):
    first, second = tmp_path / "first.svg", tmp_path / "second.svg"
    for path in (first, second):
        plot_predictions(predictions([3], [50, 100], **metric), path)
    assert first.read_bytes() == second.read_bytes()


def test_png(tmp_path):
    plot_predictions(predictions([3], [50, 100]), tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_refuses(tmp_path):
    with pytest.raises(ValueError, match=r"^predictions: expected at least one"):
        plot_predictions([], tmp_path / "figure.svg")
    with pytest.raises(ValueError, match=r"^plot: expected a file name ending in"):
        plot_predictions(predictions([3], [50, 100]), tmp_path / "figure.xyz")
    with pytest.raises(ValueError, match=r"^plot: expected .*nowhere"):
        plot_predictions(predictions([3], [50, 100]), tmp_path / "nowhere" / "figure.svg")
