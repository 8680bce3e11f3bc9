"""`meanfield derive | phase | activations`, and bad input, from the command line's entry point."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from meanfield import activation_names
from meanfield.commands.cli import main


def test_activations_table_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["activations"]) == 0
    table = capsys.readouterr().out
    assert all(name in table for name in activation_names())
    assert main(["activations", "--json"]) == 0
    rows = {r["name"]: r for r in json.loads(capsys.readouterr().out)}
    assert rows["gelu"]["closed_form"] is True
    assert rows["tanh"]["closed_form"] is False
    assert rows["tanh"]["centred"] is True
    assert rows["relu"]["smoothness"] == "kink at 0"
    assert rows["relu"]["mean"] == pytest.approx(0.3989422804014327, rel=1e-12)  # 1/√(2π)


def test_derive_prints_forms_latex_and_absence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["derive", "relu"]) == 0
    assert "E[φ(u)²]      = q/2" in capsys.readouterr().out
    assert main(["derive", "relu", "--latex"]) == 0
    latex = capsys.readouterr().out
    assert latex.startswith(r"\begin{align*}")
    assert latex.count("{") == latex.count("}")
    assert main(["derive", "tanh", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["forward_st"] is None
    assert "no" in answer["reason"].lower()


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
    "command",
    [
        ["derive", "tanhh"],
        ["derive"],
        ["phase", "--activation", "tanh", "--weight-variance", "1:2"],
        ["phase", "--activation", "tanh", "--weight-variance", "-1"],
        ["phase", "--activation", "step", "--weight-variance", "1"],
        ["phase", "--activation", "tanh", "--weight-variance", "1:2:3", "--plot", "x.svg"],
        [
            "phase",
            "--activation",
            "tanh",
            "--weight-variance",
            "1:2:3",
            "--bias-variance",
            "0:1:2",
            "--plot",
            "/no/x.svg",
        ],
        ["frobnicate"],
        ["--unknown"],
        [],
    ],
)
def test_bad_input_is_one_line_and_status_2(command: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main(command) == 2
    error = capfd.readouterr().err.strip()
    assert error.startswith("meanfield: ")
    assert "\n" not in error


def test_import_is_light_and_python_m_works() -> None:
    code = (
        "import sys, meanfield; print([m for m in ('sympy', 'numba', 'pandas', 'scipy', 'torch') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
    run = subprocess.run([sys.executable, "-m", "meanfield", "derive", "nope"], capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
