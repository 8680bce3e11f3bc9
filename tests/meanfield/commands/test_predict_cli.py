"""``meanfield predict``: what it prints, and how it refuses."""

from __future__ import annotations

import json

import pytest

from meanfield.commands.cli import main
from meanfield.prediction.asking import predict
from meanfield.spec import FIM, NTK, Network

BASE = ["predict", "--activation", "tanh", "--weight-variance", "3", "--bias-variance", "0.64", "--samples", "50"]
ASKED = [*BASE, "--depth", "3", "--outputs", "4"]
NETWORK = Network(3, "tanh", 3.0, 0.64, outputs=4)


def test_table(capsys):
    assert main([*ASKED, "--width", "100", "--width", "200"]) == 0
    assert capsys.readouterr().out.strip() == str(predict(NETWORK, FIM(), width=[100, 200], samples=50))


@pytest.mark.parametrize(
    ("options", "metric"),
    [
        ([], FIM()),
        (["--metric", "ntk", "--layer", "2"], NTK(layer=2)),
        (["--loss", "cross_entropy"], FIM(loss="cross_entropy")),
        (["--centered", "--layer", "1"], FIM(layer=1, centered=True)),
    ],
)
def test_json(capsys, options, metric):
    assert main([*ASKED, "--width", "100", "--json", *options]) == 0
    assert json.loads(capsys.readouterr().out) == predict(NETWORK, metric, width=100, samples=50).to_dict()


def test_several_depths(capsys, tmp_path):
    asked = [*BASE, "--depth", "2", "--depth", "3", "--width", "100"]
    assert main([*asked, "--json", "--plot", str(tmp_path / "depths.svg")]) == 0
    assert [p["network"]["depth"] for p in json.loads(capsys.readouterr().out)] == [2, 3]
    assert "depth" in (tmp_path / "depths.svg").read_text()
    assert main(asked) == 0
    assert capsys.readouterr().out.startswith("depth 2\nFIM, leading order")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (["--width", "0"], "width: expected positive integers, got 0"),
        (["--width", "ten"], "width: expected integers with commas between, got 'ten'"),
        (["--width", "10", "--metric", "hessian"], "metric: expected one of fim, ntk, input_metric, got 'hessian'"),
        (["--width", "10", "--loss", "hinge"], "loss: expected one of mse, cross_entropy, got 'hinge'"),
        (["--width", "10", "--layer", "9"], "layer: expected 1..3"),
        (["--width", "10", "--loss", "cross_entropy", "--outputs", "1"], "outputs: expected at least 2"),
        (["--width", "10", "--plot", "/nowhere/at/all.svg"], "/nowhere/at/all.svg"),
        (["--width", "10", "--plot", "figure.xyz"], "xyz"),
        (["--width", "10", "--activation", "tanhh"], "activation: expected"),
        ([], "width"),
    ],
)
def test_bad_input_is_one_line_and_status_2(capsys, changed, message):
    assert main([*ASKED, *changed]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert message in err


def test_numbers_may_stand_with_commas_between_or_be_given_several_times(capsys):
    answers = []
    for widths in (["--width", "64,128"], ["--width", "64", "--width", "128"]):
        assert main(["predict", "--activation", "tanh", "--weight-variance", "3,2,1", "--depth", "3", "--samples", "10",
                     "--width-ratio", "1", "--json", *widths]) == 0  # fmt: skip
        answers.append(json.loads(capsys.readouterr().out))
    assert answers[0] == answers[1]
    assert answers[0]["width"] == [64, 128]
    assert answers[0]["network"]["weight_variance"] == [3.0, 2.0, 1.0]
    assert answers[0]["network"]["width_ratios"] == [1.0, 1.0, 1.0]
