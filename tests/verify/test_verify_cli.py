"""The command line, in this process."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
import typer

from verify.asking.presets import preset_names
from verify.asking.records import Trial
from verify.asking.sweep import Sweep
from verify.cli import app, main
from verify.keeping.store import Store

TINY = """
name = "tiny"
[grid]
activation = ["tanh"]
depth = [2]
weight_variance = [2.0]
bias_variance = [0.5]
width = [8]
samples = [4]
outputs = [2]
metric = ["fim"]
[run]
trials = 4
[verdict]
theory = "leading"  # eight neurons are beyond the refined one
"""


@pytest.fixture
def sweep_file(tmp_path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def test_init_prints_a_preset_that_is_a_sweep_and_writes_no_file_twice(tmp_path, capsys) -> None:
    assert main(["init", "widths"]) == 0
    text = capsys.readouterr().out
    out = tmp_path / "mine.toml"
    assert main(["init", "widths", "--out", str(out)]) == 0
    assert Sweep.from_toml(out).name == "mine"
    assert out.read_text() == text.replace('name = "widths"', 'name = "mine"')
    out.write_text("kept")
    assert main(["init", "widths", "--out", str(out)]) == 2
    assert out.read_text() == "kept"


def test_a_preset_is_written_whole_or_not_at_all(tmp_path, capsys, monkeypatch) -> None:
    def full_disk(path: Path, *_args, **_options) -> None:
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full_disk)
    assert main(["init", "widths", "--out", str(tmp_path / "mine.toml")]) == 2
    assert "verify: out: expected a file that can be written, got" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_run_ends_with_the_table_and_the_report_and_status_agrees(tmp_path, sweep_file, capsys) -> None:
    store = tmp_path / "a.sqlite"
    assert main(["run", str(sweep_file), "--store", str(store), "--jobs", "1", "--quiet"]) == 0
    printed = capsys.readouterr()
    assert "mean eig" in printed.out  # words are cut where the table is wide
    page = Path(printed.out.strip().splitlines()[-1].removeprefix("report: "))
    assert page == tmp_path / "a" / page.name
    assert page.read_text().startswith("<!")
    assert printed.err == ""
    assert main(["status", str(store), "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert status == {"name": "tiny", "done": 4, "failed": 0, "pending": 0, "seconds_left": 0.0, "reasons": {}}
    assert main(["status", str(store)]) == 0
    assert capsys.readouterr().out == "tiny: 4 done, 0 failed, 0 pending, about 0 s left\n"


def test_until_decided_doubles_the_trials_up_to_the_most_at_a_share_of_the_level(tmp_path, sweep_file, capsys) -> None:
    store = tmp_path / "a.sqlite"
    run = ["run", str(sweep_file), "--store", str(store), "--jobs", "1", "--quiet"]
    # 10 networks can't decide on that.
    exact = ["--set", "verdict.delta=1e-6", "--set", "verdict.slope=0.0"]
    assert main([*run, *exact, "--until-decided", "10"]) == 0
    with Store.open(store) as opened:
        assert opened.counts() == {"done": 10, "failed": 0, "pending": 0}
        assert opened.sweep().verdict.alpha == 0.05 / 3  # looks at 4, 8 and 10 trials
    capsys.readouterr()
    assert main([*run, "--until-decided", "3"]) == 2
    assert capsys.readouterr().err == "verify: until_decided: expected at least the sweep's 4 trials, got 3\n"


def test_a_size_is_one_flag(sweep_file, capsys) -> None:
    sweep_file.write_text(TINY + "[sizes.paper]\ngrid.width = [8, 16]\n")
    assert main(["run", str(sweep_file), "--size", "paper", "--dry-run", "--jobs", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("8 trials")
    assert main(["run", str(sweep_file), "--size", "huge", "--dry-run"]) == 2
    assert "size: expected one that the sweep has (paper), got 'huge'" in capsys.readouterr().err


def test_a_dry_run_for_a_cluster_says_whose_workers_it_counts(sweep_file, capsys) -> None:
    assert main(["run", str(sweep_file), "--dask", "tcp://a:1", "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("how many tcp://a:1 has was not asked.")
    assert main(["run", str(sweep_file), "--dask", "tcp://a:1", "--jobs", "2", "--dry-run"]) == 2
    assert capsys.readouterr().err.startswith("verify: jobs: expected none beside a Dask scheduler")


@pytest.mark.parametrize(("verdict", "code"), [("pass", 0), ("fail", 1), ("unclear", 3)])
def test_with_check_the_verdict_is_the_exit_status(tmp_path, sweep_file, capsys, verdict, code, monkeypatch) -> None:
    import verify.cli
    from verify.judging.verdict import Comparison

    store = tmp_path / "a.sqlite"
    run = ["run", str(sweep_file), "--store", str(store), "--jobs", "1", "--quiet"]
    assert main(run) == 0
    monkeypatch.setattr(Comparison, "verdict", verdict)
    assert verify.cli.EXIT[verdict] == code
    assert main([*run, "--check"]) == code
    assert main(["report", str(store), "--out", str(tmp_path / "r"), "--check"]) == code
    assert main(["report", str(store), "--out", str(tmp_path / "r")]) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["run"], ["run", "no-such-preset"], ["run", "quick", "--jobs", "two"], ["run", "quick", "--jobs", "0"],
        ["run", "quick", "--store", "/proc/no/where.sqlite"], ["status", "/no/such/store.sqlite"],
        ["report", "/no/such/store.sqlite", "--out", "/tmp/x"], ["init", "no-such-preset"], ["rnu"],
        ["run", "quick", "--no-such-option"],
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_status_2(arguments, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == "" or not arguments
    assert len(printed.err.splitlines()) == 1
    assert printed.err.startswith("verify: ")
    assert list(tmp_path.iterdir()) == []


def test_each_error_of_a_sweep_file_has_its_line(sweep_file, capsys) -> None:
    sweep_file.write_text(TINY.replace("tanh", "tahn").replace("width =", "widht ="))
    assert main(["run", str(sweep_file)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"verify: {sweep_file}: grid.") for line in lines)


def test_a_store_without_finished_trials_has_no_report(tmp_path, make_sweep, capsys) -> None:
    arguments = ["report", str(tmp_path / "a.sqlite"), "--out", str(tmp_path / "r")]
    with Store.create(tmp_path / "a.sqlite", make_sweep()) as store:
        assert main(arguments) == 2
        assert "expected finished trials, got none" in capsys.readouterr().err
        cell, *_ = make_sweep().cells()
        store.append([Trial(cell.key, n, "failed", "ValueError: no", provenance={"code": "c"}) for n in range(2)])
    assert main(arguments) == 2
    assert capsys.readouterr().err.endswith("; 2 failed: ValueError: no\n")
    assert not (tmp_path / "r").exists()


def test_a_report_into_a_file_is_refused_in_one_line(tmp_path, sweep_file, capsys) -> None:
    assert main(["report", str(tmp_path / "a.sqlite"), "--out", str(sweep_file)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("verify: out: expected a folder that can be written, got")


def test_a_report_that_could_not_be_written_is_refused_before_the_sweep(tmp_path, sweep_file, capsys) -> None:
    store = tmp_path / "a.sqlite"
    assert main(["run", str(sweep_file), "--store", str(store), "--report", str(sweep_file), "--quiet"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("verify: report: expected a folder that can be written, got")
    assert not store.exists()


def test_a_store_whose_name_has_no_ending_has_its_report_beside_it(tmp_path, sweep_file) -> None:
    assert main(["run", str(sweep_file), "--store", str(tmp_path / "a"), "--jobs", "1", "--quiet"]) == 0
    assert (tmp_path / "a-report" / "report.html").is_file()


def test_a_sweep_file_is_never_written_over(sweep_file, capsys) -> None:
    before = sweep_file.read_text()
    assert main(["init", "quick", "--out", str(sweep_file)]) == 2
    assert "verify: out: expected the name of a new file, got" in capsys.readouterr().err
    assert sweep_file.read_text() == before


@pytest.mark.parametrize("command", sorted(typer.main.get_command(app).commands))
def test_every_command_has_help_with_an_example(command, capsys) -> None:
    assert main([command, "--help"]) == 0
    assert "Example: verify" in capsys.readouterr().out


def test_the_help_of_init_names_every_preset(capsys) -> None:
    assert main(["init", "--help"]) == 0
    printed = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert all(name in printed for name in preset_names())


def test_public_names_are_there() -> None:
    import verify

    assert sorted(verify.__all__) == verify.__all__
    assert all(callable(getattr(verify, name)) for name in verify.__all__)
    with pytest.raises(AttributeError):
        verify.nothing  # noqa: B018
