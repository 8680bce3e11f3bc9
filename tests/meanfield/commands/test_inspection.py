"""`meanfield derive | activations`, and bad input, from the command line's entry point."""

from __future__ import annotations

import json
import subprocess
import sys

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


@pytest.mark.parametrize(
    "command",
    [
        ["derive", "tanhh"],
        ["derive"],
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
