"""Bad input to any command: one line on stderr, status 2, at once, and nothing left. A row for each case."""

from __future__ import annotations

import time

import numpy as np
import pytest

from empirical.cli import main as empirical
from meanfield.commands.cli import main as meanfield
from verify.cli import main as verify

LAW = ["--activation", "tanh", "--weight-variance", "2"]
SIZE = ["--depth", "3", "--width", "100", "--samples", "10"]
ALONE = ["measure", *LAW, "--depth", "3", "--width", "3"]
QUICK = ["run", "quick", "--set"]


def with_size(**changed: str) -> list[str]:
    return [word for name in ("depth", "width", "samples") for word in (f"--{name}", changed.get(name, "3"))]


SIZES = [
    (meanfield, ["predict", *LAW, *with_size(depth="100000000")], "depth: expected an integer of at most 10000"),
    (meanfield, ["predict", *LAW, *with_size(depth=str(10**400))], "got one of 1329 bits"),
    (meanfield, ["predict", *LAW, *with_size(width=str(10**19))], "width: expected integers of at most"),
    (meanfield, ["predict", *LAW, *with_size(samples=str(10**19))], "samples: expected integers of at most"),
    (meanfield, ["predict", *LAW, *SIZE, "--outputs", str(10**9)], "outputs: expected an integer of at most 1000000"),
    (meanfield, ["predict", *LAW, *SIZE, "--bias-variance", "1e308"], "bias_variance: expected a number of at most"),
    (meanfield, ["spectrum", *LAW, *with_size(depth="999999999")], "depth: expected an integer of at most"),
    (meanfield, ["phase", *LAW[:2], "--weight-variance", "1:2:1000000000"], "expected a count of at most"),
    (meanfield, ["phase", *LAW[:2], "--weight-variance", "1:2:9999", "--bias-variance", "0:1:9999"], "9999 times 9999"),
    (meanfield, ["phase", *LAW[:2], "--weight-variance", "1e200"], "weight_variance: expected a number of at most"),
    (meanfield, ["phase", *LAW[:2], "--weight-variance", "nan"], "weight_variance: expected a finite number"),
    (empirical, ["measure", *LAW, *SIZE, "--trials", "1" * 24], "trials: expected an integer of at most"),
    (empirical, ["measure", *LAW, *SIZE, "--trials", "1000000"], "trials: expected at most 100000 networks"),
    (empirical, ["measure", *LAW, *with_size(depth="999999999")], "depth: expected an integer of at most"),
    (empirical, ["measure", *LAW, *with_size(width="1000000000")], "memory: expected a measurement that fits"),
    (verify, [*QUICK, f"run.trials={'9' * 24}"], "run.trials: expected less than or equal to 10000000"),
    (verify, [*QUICK, f"run.trials={'9' * 5000}"], "set: expected a value, got a number of 5000 digits"),
    (verify, [*QUICK, "run.memory=1e308"], "run.memory: expected less than or equal to"),
    (verify, [*QUICK, "run.memory=1e-9"], "run.memory: expected a measurement that fits into"),
    (verify, [*QUICK, "engine.jobs=100000000"], "engine.jobs: expected at most 10000 workers"),
    (verify, [*QUICK, "engine.retries=100000000"], "engine.retries: expected less than"),
    (verify, ["run", "quick", "--jobs", "5000"], "workers on this machine, got 5000"),
    (verify, ["run", "quick", "--until-decided", "9" * 24], "until_decided: expected at most 10000000"),
    (verify, [*QUICK, "grid.depth=[1000000000]"], "grid.depth: expected an integer of at most 10000"),
    (verify, [*QUICK, "grid.width=[1" + ",1" * 20000 + "]"], "grid.size: expected at most 20000 cells"),
]  # fmt: skip

TEXTS = [
    (verify, [*QUICK, "run.trials=1\nrun.seed=3"], "set: expected one value on one line"),
    (verify, [*QUICK, "name=a\nb"], "set: expected one value on one line"),
    (verify, [*QUICK, "grid.x=" + "[" * 100_000], "set: expected a value, got brackets that nest too deep"),
    (verify, ["run", "deep.toml"], "deep.toml: sweep: expected TOML, got brackets that nest too deep"),
    (verify, ["run", "/dev/zero"], "sweep: expected a TOML file"),
    (verify, [*QUICK, "grid.outputs=[1]", "--set", "grid.metric=[{family='fim',loss='cross_entropy'}]"],
     "outputs: expected at least 2 for cross_entropy"),
    (meanfield, ["spectrum", *LAW, *SIZE, "--kernels", "deep.json"], "kernels: expected the JSON of"),
    (meanfield, ["spectrum", *LAW, *SIZE, "--kernels", "/dev/zero"], "kernels: expected the JSON of"),
    (empirical, [*ALONE, "--inputs", "empty.npy"], "inputs: expected a .npy file of numbers"),
    (empirical, [*ALONE, "--inputs", "zip.npy"], "inputs: expected a .npy file of numbers"),
    (empirical, [*ALONE, "--inputs", "huge.npy"], "which takes 8000000000000000000 bytes"),
    (empirical, [*ALONE, "--inputs", "cut.npy"], "inputs: expected a .npy file of numbers"),
    (empirical, [*ALONE, "--inputs", "objects.npy"], "inputs: expected a .npy file of numbers"),
    (empirical, [*ALONE, "--inputs", "/dev/zero"], "there is no such ordinary file"),
    (empirical, [*ALONE, "--inputs", "."], "there is no such ordinary file"),
]  # fmt: skip

ENGINES = [
    (verify, ["run", "quick", "--dask", ""], "dask: expected the address of a scheduler"),
    (verify, ["run", "quick", "--dask", "nonsense"], "dask: expected the address of a scheduler"),
    (verify, ["run", "quick", "--dask", "tcp://"], "dask: expected the address of a scheduler"),
    (verify, [*QUICK, "engine.kind=dask", "--set", "engine.address= "], "expected the address of a scheduler"),
]

PLACES = [
    (verify, ["run", "quick", "--report", "/proc/nowhere"], "report: expected a folder that can be written"),
    (verify, ["run", "quick", "--report", "linked"], "report: expected a folder without links"),
    (verify, ["run", "quick", "--report", "yours"], "report: expected the name of a new file, got 'yours/report.html'"),
    (verify, ["run", "quick", "--store", "/proc/nowhere/a.sqlite"], "expected"),
    (verify, ["init", "quick", "--out", "."], "out: expected a file in an existing, writable folder"),
    (verify, ["init", "quick", "--out", "yours/report.html"], "out: expected the name of a new file"),
    (meanfield, ["predict", *LAW, *SIZE, "--plot", "yours/report.html"], "plot: expected the name of a new file"),
]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with files of every bad kind."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.npy").touch()
    with (tmp_path / "zip.npy").open("wb") as file:
        np.savez(file, a=np.ones(3))
    with (tmp_path / "huge.npy").open("wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10**9)}
        np.lib.format.write_array_header_1_0(file, header)
    np.save(tmp_path / "cut.npy", np.ones((5, 3)))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "cut.npy").read_bytes()[:-1])
    np.save(tmp_path / "objects.npy", np.array([None]), allow_pickle=True)
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "deep.toml").write_text("name = " + "[" * 100_000)
    for name in ("linked", "yours", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "linked" / "figures").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "yours" / "report.html").write_text("yours")
    return tmp_path


@pytest.mark.parametrize(("main", "arguments", "line"), [*SIZES, *TEXTS, *ENGINES, *PLACES])
def test_bad_input(main, arguments, line, place, capsys) -> None:
    before = sorted(place.rglob("*"))
    start = time.process_time()
    assert main(arguments) == 2
    assert time.process_time() - start < 5, "seconds of imports at the most"
    printed = capsys.readouterr()
    assert printed.out == ""
    (said,) = printed.err.splitlines()
    assert line in said
    assert len(said) < 600
    assert sorted(place.rglob("*")) == before
    assert (place / "yours" / "report.html").read_text() == "yours"


@pytest.mark.parametrize("options", [["--set", "engine.kind=local"], ["--jobs", "1"]])
def test_one_gets_off_a_scheduler_that_the_file_names(options, tmp_path, capsys) -> None:
    path = tmp_path / "a.toml"
    assert verify(["init", "quick", "--out", str(path)]) == 0
    kept = path.read_text().split("[engine]")[0]
    path.write_text(kept + '[engine]\nkind = "dask"\naddress = "tcp://dead:1"\n')
    assert verify(["run", str(path), "--dry-run", *options]) == 0
    assert "dead" not in capsys.readouterr().out
