"""``meanfield kernel`` and ``meanfield predict --inputs``: files in, files and numbers out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from meanfield import FIM, NTK, Network, given_kernel, predict
from meanfield.commands.cli import main

X = np.random.default_rng(60).standard_normal((8, 5)) * np.linspace(0.5, 2, 8)[:, None]
LAW = ["--activation", "relu", "--weight-variance", "2", "--bias-variance", "0.1", "--depth", "3"]
NETWORK = Network(3, "relu", 2.0, 0.1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    np.save(tmp_path / "X.npy", X)
    return tmp_path / "X.npy"


@pytest.mark.parametrize(
    ("options", "metric"),
    [([], NTK()), (["--metric", "nngp"], "nngp"), (["--metric", "fim", "--width", "40", "--layer", "2"], FIM(layer=2)),
     (["--centered"], NTK(centered=True))],
)  # fmt: skip
def test_a_kernel_in_a_file(
    file: Path, options: list[str], metric: NTK | FIM | str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = file.with_name("K.npy")
    assert main(["kernel", *LAW, "--inputs", str(file), "--out", str(out), "--json", *options]) == 0
    kernel = given_kernel(NETWORK, X, metric=metric, width=40 if isinstance(metric, FIM) else None)
    assert np.array_equal(np.load(out), kernel.matrix)
    record = json.loads(capsys.readouterr().out)
    assert record == json.loads(json.dumps({"out": str(out), **kernel.to_dict()}))


def test_rows_of_other_inputs_from_a_table(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, out = file.with_name("T.csv"), file.with_name("K.npy")
    np.savetxt(table, X[:3] / 2, delimiter=",", fmt="%.17g")
    assert main(["kernel", *LAW, "--inputs", str(table), "--others", str(file), "--out", str(out)]) == 0
    np.testing.assert_array_equal(np.load(out), given_kernel(NETWORK, X[:3] / 2, X).matrix)
    assert f"K in {out}, ν = 1" in capsys.readouterr().out


def test_a_prediction_of_inputs(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for widths in ("40", "40,80"):
        assert main(["predict", *LAW, "--width", widths, "--inputs", str(file), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        asked = [int(w) for w in widths.split(",")]
        truth = predict(NETWORK, FIM(), width=asked if len(asked) > 1 else asked[0], inputs=X)
        assert found == json.loads(json.dumps(truth.to_dict()))
    assert main(["predict", *LAW, "--width", "40", "--inputs", str(file)]) == 0
    assert "8 eigenvalues" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["kernel", *LAW, "--inputs", "no.npy", "--out", "K.npy"], "inputs: expected a .npy or .csv file"),
        (["kernel", *LAW, "--inputs", "X.npy", "--out", "X.npy"], "X.npy"),
        (["kernel", *LAW, "--inputs", "X.npy", "--out", "K.npy", "--metric", "fim"], "width: expected M"),
        (["kernel", *LAW, "--inputs", "X.npy", "--out", "K.npy", "--others", "no.npy"], "others: expected a .npy"),
        (["predict", *LAW, "--width", "9"], "samples: expected N, or --inputs"),
        (["predict", *LAW, "--width", "9", "--inputs", "X.npy", "--samples", "7"], "samples: expected 8"),
    ],
)
def test_refusals_are_one_line_and_status_2(
    arguments: list[str], words: str, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(file.parent)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert words in err
    assert [path.name for path in file.parent.iterdir()] == ["X.npy"]
    np.testing.assert_array_equal(np.load(file), X)
