"""`meanfield phase`: deep networks' phases, and one metric's statistics over the plane of initialisations."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from meanfield import FIM, NTK, InputMetric, Network, predict
from meanfield.commands.cli import main
from meanfield.figures.phase import SCALES

PLANE = ["phase", "--activation", "tanh", "--weight-variance", "1:2:3", "--bias-variance", "0.05:0.1:2"]
SIZES = ["--depth", "3", "--width", "100", "--samples", "10", "--outputs", "2"]


def test_phase_point_and_diagram(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    picture = tmp_path / "phase.svg"
    command = ["phase", "--activation", "tanh", "--weight-variance", "1:2:3", "--bias-variance", "0.05:0.1:2"]
    assert main([*command, "--plot", str(picture)]) == 0
    out = capsys.readouterr().out
    assert "chaotic" in out
    assert "edge of chaos: σ_w² = 1.76" in out
    first = picture.read_bytes()
    assert main([*command, "--plot", str(picture)]) == 0
    assert picture.read_bytes() == first  # same input, same bytes
    capsys.readouterr()
    assert main([*command, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["variance"]) == 2


@pytest.mark.parametrize(
    ("show", "metric", "of_prediction"),
    [
        ("learning_rate", "ntk", lambda network: predict(network, NTK(), width=100, samples=10).critical_learning_rate),
        ("learning_rate", "fim", lambda network: predict(network, FIM(), width=100, samples=10).critical_learning_rate),
        ("largest", "input_metric", lambda network: predict(network, InputMetric(), width=100, samples=10).largest),
    ],
)
def test_what_is_shown_is_what_predict_says(show, metric, of_prediction, capsys) -> None:
    assert main([*PLANE, *SIZES, "--show", show, "--metric", metric, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    values = np.array(answer[show], dtype=np.float64)
    assert (answer["void"], answer["width"], answer["outputs"]) == (np.sum(np.isnan(values)), 100, 2)
    assert np.any(np.isfinite(values))
    for index in np.ndindex(values.shape):
        network = Network(3, "tanh", [1, 1.5, 2][index[1]], [0.05, 0.1][index[0]], outputs=2)
        assert values[index] == pytest.approx(float(of_prediction(network)), rel=1e-9, nan_ok=True)


def test_the_text_has_a_column_and_counts_void_points(capsys) -> None:
    command = ["phase", "--activation", "tanh", "--weight-variance", "1:2:3", "--bias-variance", "0:0.1:2", *SIZES]
    assert main([*command, "--show", "largest", "--metric", "ntk"]) == 0
    header, _, first, *_, summary, reason = capsys.readouterr().out.splitlines()
    assert header.split()[-1] == "largest"
    assert first.split()[-1] == "nan"
    assert summary.startswith("largest (NTK, L = 3, M = 100, N = 10, C = 2): ")
    assert re.search(r"void at 3 of 6 points; relative error \de-1\d, ok$", summary)
    assert reason.startswith("  largest, outliers: void for NTK")


@pytest.mark.parametrize("show", sorted(SCALES))
def test_every_quantity_can_be_drawn_the_same_on_every_run(show, tmp_path: Path, capsys) -> None:
    pictures = [tmp_path / "a.svg", tmp_path / "b.svg"]
    for picture in pictures:
        assert main([*PLANE, *SIZES, "--show", show, "--plot", str(picture)]) == 0
        assert f"wrote {picture}" in capsys.readouterr().out
    assert pictures[0].read_bytes() == pictures[1].read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--weight-variance", "1:2"], "weight_variance: expected a number or start:stop:count, got '1:2'"),
        (["--weight-variance", "-1"], "weight_variance: expected a finite number of at least 0, got -1.0"),
        (["--activation", "step"], "activation: expected"),
        (["--bias-variance", "0", "--plot", "x.svg"], "plot: expected ranges start:stop:count of at least 2 points"),
        (["--plot", "/no/x.svg"], "plot: expected a file in an existing, writable folder"),
        (["--show", "colour"], "show: expected one of depth, chi, learning_rate, largest, overlap, got 'colour'"),
        (["--show", "largest"], "depth: expected --depth for --show largest, got none"),
        (["--show", "largest", "--depth", "3", "--width", "9"], "samples: expected --samples for --show largest"),
        (["--show", "learning_rate", *SIZES, "--metric", "input_metric"], "metric: expected fim or ntk for --show"),
        (["--show", "largest", *SIZES, "--metric", "hessian"], "metric: expected one of fim, ntk, input_metric"),
        (["--show", "largest", *SIZES, "--width", "0"], "width: expected positive integers, got 0"),
        (
            ["--show", "largest", *SIZES, "--bias-variance", "0:0:2", "--metric", "ntk", "--plot", "{folder}/x.svg"],
            "plot: expected largest to be finite at some point, got none of 6",
        ),
    ],
)
def test_bad_input_is_one_line_and_status_2(options, message, tmp_path: Path, capfd) -> None:
    assert main([*PLANE, *(o.format(folder=tmp_path) for o in options)]) == 2
    error = capfd.readouterr().err.strip()
    assert error.startswith(f"meanfield: {message}")
    assert "\n" not in error
    assert not list(tmp_path.iterdir())


def test_the_summary_names_the_points_of_the_ends(capsys) -> None:
    command = ["phase", "--activation", "relu", "--weight-variance", "1:3:3", "--bias-variance", "0.1:0.5:2", *SIZES]
    assert main([*command, "--show", "learning_rate"]) == 0
    ends = re.findall(
        r"([\d.e+-]+) at \(([\d.]+), ([\d.]+)\)",
        capsys.readouterr().out.split("learning rate of (1/2N) Σ |f - y|² (")[1],
    )
    for (value, weight, bias), extreme in zip(ends, ("0.5", "0.1"), strict=True):
        rate = predict(Network(3, "relu", float(weight), float(bias), outputs=2), FIM(), width=100, samples=10)
        assert float(value) == pytest.approx(float(rate.critical_learning_rate), rel=1e-5)
        assert bias == extreme
    assert [weight for _, weight, _ in ends] == ["3", "1"]  # the larger the variances the steeper
