"""``meanfield spectrum``: what it prints, draws and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from empirical import measure
from meanfield import FIM, NTK, Network, spectrum
from meanfield.bulk.law import QUANTILES
from meanfield.commands.cli import main
from meanfield.figures.density import plot_density

ASKED = ["spectrum", "--activation", "tanh", "--weight-variance", "3", "--bias-variance", "0.64", "--depth", "3"]
SIZES = ["--width", "200", "--samples", "100"]
NETWORK = Network(3, "tanh", 3.0, 0.64)


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ASKED, *SIZES]) == 0
    printed = capsys.readouterr().out
    law = spectrum(NETWORK, FIM(), width=200, samples=100)
    assert printed.strip() == str(law)
    assert f"{law.upper:.5g}" in printed
    assert f"{law.outliers.values[0]:.5g}" in printed


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ASKED, *SIZES, "--metric", "ntk", "--layer", "2", "--limit", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    law = spectrum(NETWORK, NTK(layer=2), width=200, samples=100, finite_size=False)
    assert record == json.loads(json.dumps(law.to_dict()))
    assert record["quantiles"]["0.5"] == float(law.quantile(0.5))
    assert len(record["quantiles"]) == len(QUANTILES)


def test_kernels_of_one_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As `empirical measure --json` writes them: a list, or one record."""
    measured = measure(NETWORK, FIM(), width=60, samples=30, seed=4)
    law = spectrum(NETWORK, FIM(), width=60, samples=30, kernels=measured.order_parameters)
    file = tmp_path / "measured.json"
    for record in (measured.to_dict(), [measured.to_dict()]):
        file.write_text(json.dumps(record))
        assert main([*ASKED, "--width", "60", "--samples", "30", "--kernels", str(file)]) == 0
        assert capsys.readouterr().out.strip() == str(law)
    for text in ("{", "[]", "{}"):
        file.write_text(text)
        assert main([*ASKED, *SIZES, "--kernels", str(file)]) == 2
        assert "kernels: expected the JSON" in capsys.readouterr().err


def test_edge_that_was_not_found(capsys: pytest.CaptureFixture[str]) -> None:
    asked = [*ASKED, "--width", "200", "--samples", "1000", "--limit"]
    assert main(asked) == 0
    assert "status: the lower edge was not found" in capsys.readouterr().out
    assert main([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["quantiles"]["0.5"] is None


def test_plot_is_the_same_on_every_run(tmp_path: Path) -> None:
    files = [tmp_path / f"{k}.svg" for k in range(2)]
    for file in files:
        assert main([*ASKED, *SIZES, "--plot", str(file)]) == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    law = spectrum(NETWORK, FIM(), width=200, samples=100)
    plot_density(law, tmp_path / "with.svg", eigenvalues=np.linspace(law.lower, law.upper, 99))
    assert "one network" in (tmp_path / "with.svg").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--metric", "input_metric", *SIZES], "metric: expected fim or ntk, got input_metric"),
        (["--width", "200", "--samples", "1"], "samples: expected at least 2"),
        ([*SIZES, "--plot", "/nowhere/at/all.svg"], "plot: expected a file in an existing"),
        ([*SIZES, "--plot", "x.foo"], "plot: expected a file name ending in"),
        (["--width", "200", "--samples", "1000", "--limit", "--plot", "x.svg"], "plot: expected a law whose density"),
    ],
)
def test_refusals(capsys: pytest.CaptureFixture[str], options: list[str], message: str) -> None:
    assert main([*ASKED, *options]) == 2
    assert message in capsys.readouterr().err


def test_inputs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A file of inputs gives N and the first layer's width; the ratios may be said, too."""
    x = 2 * np.random.default_rng(5).standard_normal((80, 40))
    np.save(tmp_path / "x.npy", x)
    own = [*ASKED, "--width", "120", "--inputs", str(tmp_path / "x.npy"), "--json"]
    assert main(own) == 0
    printed = json.loads(capsys.readouterr().out)
    law = spectrum(Network(3, "tanh", 3.0, 0.64, width_ratios=[1 / 3, 1, 1]), FIM(), width=120, inputs=x)
    assert printed == json.loads(json.dumps(law.to_dict()))
    assert printed["samples"] == 80
    assert main([*own, "--width-ratio", "2,1,1", "--samples", "50"]) == 2
    assert "width_ratios: expected α_0 M = 40, the features of the inputs" in capsys.readouterr().err
    assert main([*own[:-2], str(tmp_path / "none.npy")]) == 2
    assert "inputs: expected a .npy or .csv file" in capsys.readouterr().err
    assert main([*ASKED, "--width", "120"]) == 2
    assert "samples: expected a number where no inputs are given" in capsys.readouterr().err
