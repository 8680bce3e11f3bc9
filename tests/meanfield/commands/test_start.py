"""Commands in environments as they are found: each in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PHASE = ["-m", "meanfield", "phase", "--activation", "tanh", "--weight-variance"]
GREEK = [*PHASE, "2"]
PLOT = [*PHASE, "1:2:2", "--bias-variance", "0:1:2", "--plot", "a.svg"]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="streams and signals as POSIX has them")


def environment(**changed: str) -> dict[str, str]:
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return {**os.environ, "PYTHONPATH": paths, **changed}


def command(arguments: list[str], folder: Path, **changed: str) -> subprocess.CompletedProcess[bytes]:
    whole = [sys.executable, *arguments]
    return subprocess.run(whole, cwd=folder, env=environment(**changed), capture_output=True, timeout=120)


def test_a_terminal_that_lacks_letters_gets_others_in_their_place(tmp_path) -> None:
    ended = command(GREEK, tmp_path, PYTHONIOENCODING="latin1")
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert b"?_w\xb2" in ended.stdout


def test_settings_of_plots_that_cannot_be_used_are_not_used(tmp_path) -> None:
    """A window that isn't there, a folder that can't be made, and a style that asks for LaTeX."""
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\n")
    ended = command(PLOT, tmp_path, MPLBACKEND="nonsense", MPLCONFIGDIR="/proc/nowhere", PATH="/nowhere")
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.svg", "matplotlibrc"]


@pytest.mark.slow
def test_without_a_folder_for_compiled_code_it_is_kept_for_the_moment(tmp_path) -> None:
    ended = command(GREEK, tmp_path, NUMBA_CACHE_DIR="/proc/nowhere", HOME="/proc/nowhere")
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize("stream", ["2>&-", "<&-", "2>&- <&-"])
def test_closed_streams_are_no_reason_to_fail(tmp_path, stream) -> None:
    line = f"'{sys.executable}' -m meanfield derive relu {stream}"
    ended = subprocess.run(["sh", "-c", line], cwd=tmp_path, env=environment(), capture_output=True, timeout=120)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_output_that_finds_no_room_is_one_line(tmp_path) -> None:
    line = f"'{sys.executable}' -m meanfield derive relu > /dev/full"
    ended = subprocess.run(["sh", "-c", line], cwd=tmp_path, env=environment(), capture_output=True, timeout=120)
    assert ended.returncode == 2
    assert ended.stderr.startswith(b"meanfield: ")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.slow
def test_modules_in_the_working_directory_are_not_taken_for_others_by_workers_either(tmp_path) -> None:
    for name in ("random", "secrets", "queue", "numpy", "empirical"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('not me')")
    run = ["-m", "verify", "run", "quick", "--set", "run.trials=2", "--set", "grid.width=[16]", "--jobs", "1"]
    ended = command([*run, "--quiet", "--store", "a.sqlite"], tmp_path)
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize("delay", [0.15, 0.3, 0.5])
def test_sigterm_during_the_start_is_an_interrupt(tmp_path, delay) -> None:
    run = [sys.executable, "-m", "verify", "run", "quick", "--store", "a.sqlite", "--jobs", "1"]
    # Python itself takes a while until the first line of ours is read; until then a signal is its own.
    process = subprocess.Popen(run, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while not _listens(process.pid) and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(delay)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert said.splitlines()[-1].startswith(b"verify: interrupted")
    assert b"Traceback" not in said


def _listens(pid: int) -> bool:
    """Whether the process has a handler for SIGTERM, as Linux tells; elsewhere it is taken to."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
