"""How answers show themselves: as text, as HTML in a notebook, as data frames."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import numpy as np
import pytest

import empirical
import meanfield
import verify
from empirical import measure
from meanfield import FIM, Network, critical_line, order_parameters, phase_diagram, predict, predict_grid, spectrum
from meanfield.commands.cli import main as theory
from meanfield.text import MOST_ROWS, column_table

NETWORK = Network(3, "tanh", [3.0, 2.0, 1.0], 0.64, outputs=2)
SIZES = {"width": 50, "samples": 20}

SHOWN = {
    "network": (NETWORK, ["linear", "activation tanh", "weight variance 3"]),
    "order parameters": (order_parameters(NETWORK), ["forward_st", "backward", "ok"]),
    "phase diagram": (phase_diagram("relu", [1.0, 3.0], 0.1), ["χ_1", "ordered", "unbounded: the variance grows"]),
    "critical line": (critical_line("gelu", [0.0, 0.2]), ["bounded up to", "runs away"]),
    "prediction": (predict(NETWORK, FIM(), **SIZES, order="refined"), ["over networks", "to (95 %)", "MSELoss"]),
    "grid": (predict_grid("tanh", [1.0, 2.0], 0.1, FIM(), depth=3, **SIZES), ["overlap", "MSELoss", "relative error"]),
    "spectrum": (spectrum(NETWORK, FIM(), width=1000, samples=20), ["edge (limit)", "outlier 1"]),
    "measurement": (measure(NETWORK, FIM(), **SIZES), ["bulk_largest", "MSELoss"]),
}


@pytest.mark.parametrize("name", SHOWN)
def test_in_a_notebook_it_is_a_table(name: str) -> None:
    answer, expected = SHOWN[name]
    page = answer._repr_html_()
    assert page.startswith("<table>")
    for word in expected:
        assert word in page
        assert name == "network" or word in str(answer)
    assert page.count("<table>") == page.count("</table>")


def test_what_html_would_read_as_markup_is_escaped() -> None:
    assert "&lt;b&gt;" in column_table("<b>", {"x": np.arange(2)}).to_html()


def test_a_long_table_ends_with_how_many_rows_are_left() -> None:
    table = column_table("", {"x": np.arange(MOST_ROWS + 5)})
    assert len(table.rows) == MOST_ROWS + 1
    assert table.rows[-1] == ["… 5 more"]


def test_a_large_plane_counts_its_phases() -> None:
    diagram = phase_diagram("tanh", np.linspace(1, 3, 20)[:, None], np.linspace(0, 1, 20))
    assert "400 points" in str(diagram)
    assert "chaotic" in str(diagram)


def test_a_frame_carries_network_spread_intervals_and_rates() -> None:
    answer = predict(NETWORK, FIM(), width=[50, 100], samples=20, order="refined")
    frame = answer.to_frame()
    assert frame["activation"].tolist() == ["tanh", "tanh"]
    assert frame["weight_variance"].tolist() == ["3.0/2.0/1.0"] * 2
    assert frame["mean_std"].tolist() == pytest.approx(answer.std["mean"])
    assert frame["largest_low"].tolist() == pytest.approx(answer.interval()["largest"][:, 0])
    assert frame["learning_rate_MSELoss"].tolist() == pytest.approx(answer.critical_learning_rates["MSELoss"].value)
    leading = predict(NETWORK, FIM(), width=50, samples=20).to_frame()
    assert len(leading) == 1
    assert "mean_std" not in leading


def test_an_interval_that_theory_does_not_give_is_refused_in_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"^interval: expected .*order='refined'.*, got no spread$"):
        predict(NETWORK, FIM(), **SIZES).interval()


@pytest.mark.parametrize("package", [meanfield, empirical, verify], ids=lambda p: p.__name__)
def test_a_package_lists_its_public_names_and_knows_its_version(package) -> None:
    assert dir(package) == sorted([*package.__all__, "__version__"])
    assert package.__version__ == metadata.version("meanfield-spectra")


def test_the_command_knows_its_version(capsys) -> None:
    assert theory(["--version"]) == 0
    assert capsys.readouterr().out.split() == ["meanfield", metadata.version("meanfield-spectra")]
    for package in ("empirical", "verify"):
        said = subprocess.run([sys.executable, "-m", package, "--version"], capture_output=True, text=True, check=True)
        assert said.stdout.split() == [package, metadata.version("meanfield-spectra")]


def test_a_long_table_of_several_parts_is_cut_once() -> None:
    said = str(predict(NETWORK, FIM(), width=np.arange(100, 200), samples=10))
    assert said.count(" more\n") == 2  # the statistics, and the rates of all losses
    assert "… 240 more" in said
