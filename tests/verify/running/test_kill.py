"""A sweep in processes of its own, interrupted from outside."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from verify.keeping.store import Store, StoreError

SWEEP = """
name = "killed"
[grid]
activation = ["tanh", "relu"]
depth = [2]
weight_variance = [2.0]
bias_variance = [0.5]
width = [30, 60]
samples = [20]
outputs = [3]
metric = ["fim", "ntk"]
[run]
trials = 60
seed = 3
"""
TOTAL = 240


@pytest.fixture
def start(tmp_path) -> Callable[[str], subprocess.Popen[str]]:
    (tmp_path / "sweep.toml").write_text(SWEEP)

    def start(store: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "verify", "run", "sweep.toml", "--store", store, "--jobs", "2"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=tmp_path, start_new_session=True, **pipes)

    return start


def wait_for(condition: Callable[[], bool], what: str, process: subprocess.Popen[str] | None = None) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        if process is not None and process.poll() is not None:
            pytest.fail(f"the run ended before {what}: {process.communicate()[1]}")
        if time.monotonic() > deadline:
            pytest.fail(f"waited in vain for {what}")
        time.sleep(0.02)


def wait_for_trials(path: Path, count: int, process: subprocess.Popen[str]) -> None:
    wait_for(lambda: stored(path) >= count, "trials", process)


def stored(path: Path) -> int:
    try:
        with Store.open(path) as store:
            counts = store.counts()
    except StoreError:  # not there yet
        return 0
    return counts["done"] + counts["failed"]


def bits(path: Path) -> list[tuple]:
    with Store.open(path) as store:
        return [
            (t.cell, t.index, t.status, label, np.array([s.mean, s.second_moment, s.largest, *s.outliers]).tobytes())
            for t in store.trials()
            for label, s in t.samples.items()
        ]


def children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(word) for word in found.stdout.split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_kill_9_twice_and_resume_equals_the_uninterrupted_run(start, tmp_path) -> None:
    for threshold in (10, 100):
        process = start("killed.sqlite")
        wait_for_trials(tmp_path / "killed.sqlite", threshold, process)
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        process.communicate()
        assert threshold <= stored(tmp_path / "killed.sqlite") < TOTAL
    for store in ("killed.sqlite", "straight.sqlite"):
        process = start(store)
        out, err = process.communicate()
        assert process.returncode == 0, err
        assert "report: " in out
    assert len(bits(tmp_path / "straight.sqlite")) == TOTAL * 2
    assert bits(tmp_path / "killed.sqlite") == bits(tmp_path / "straight.sqlite")


@pytest.mark.slow
def test_50_random_kills_lose_no_acknowledged_trial(start, tmp_path) -> None:
    """What a reader has seen is acknowledged. Not tested: power loss, which needs a machine to switch off."""
    (tmp_path / "sweep.toml").write_text(SWEEP.replace("trials = 60", "trials = 1000"))
    path, chance = tmp_path / "killed.sqlite", random.Random(1)
    hits = 0
    for kill in range(50):
        before = stored(path)
        process = start("killed.sqlite")
        at_work = kill % 4 > 0  # every fourth strikes a start, the others a run at work
        while at_work and stored(path) == before and process.poll() is None:
            time.sleep(0.02)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=chance.uniform(0.0, 0.25 if at_work else 1.5))
        seen = bits(path) if stored(path) else []
        with contextlib.suppress(ProcessLookupError):  # it has finished the sweep
            os.killpg(process.pid, signal.SIGKILL)
        _out, err = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), err
        hits += process.returncode != 0 and len(seen) // 2 > before
        assert set(seen) <= set(bits(path) if seen else [])
    assert hits > 20, "many kills have to strike a run at work"
    for store in ("killed.sqlite", "straight.sqlite"):
        process = start(store)
        _out, err = process.communicate()
        assert process.returncode == 0, err
    assert bits(path) == bits(tmp_path / "straight.sqlite")
    assert len(bits(path)) == 1000 * 4 * 2
    tables = [table_of(tmp_path / f"{name}.sqlite") for name in ("killed", "straight")]
    assert tables[0] == tables[1]


def table_of(path: Path) -> str:
    from verify.outcome import comparison_of
    from verify.reporting import Document
    from verify.reporting.terminal import verdict_table

    with Store.open(path) as store:
        return verdict_table(Document(comparison_of(store)))


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_cleanly_and_says_how_to_go_on(start, tmp_path, sent) -> None:
    process = start("a.sqlite")
    wait_for_trials(tmp_path / "a.sqlite", 10, process)
    workers = children(process.pid)
    os.killpg(process.pid, sent) if sent == signal.SIGINT else process.send_signal(sent)
    _out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    count = stored(tmp_path / "a.sqlite")
    last = err.strip().splitlines()[-1]
    assert last == f"verify: interrupted; {count} of {TOTAL} trials are in a.sqlite, the same command goes on"
    assert "Traceback" not in err
    wait_for(lambda: not any(map(alive, workers)), "the end of the workers")


@pytest.mark.parametrize("delay", [0.4, 0.7, 1.0, 1.3])
def test_an_interrupt_during_the_start_is_one_line_too(start, tmp_path, delay) -> None:
    """Before the store is there, and while workers are importing, which share the terminal's Ctrl-C."""
    process = start("a.sqlite")
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGINT)
    _out, err = process.communicate(timeout=60)
    # Python may end by the signal itself, which a shell calls 130 too.
    assert process.returncode in (130, -signal.SIGINT), err
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("verify: interrupted")


def test_workers_end_when_their_parent_dies(start, tmp_path) -> None:
    process = start("a.sqlite")
    wait_for_trials(tmp_path / "a.sqlite", 1, process)
    workers = children(process.pid)
    assert len(workers) >= 2
    process.kill()
    process.communicate()
    wait_for(lambda: not any(map(alive, workers)), "the end of the workers")
