"""A word on what is under way, and Ctrl-C while it is."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time

import pytest

from meanfield.commands import patience
from meanfield.commands.patience import patiently


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    for name, seconds in (("SOON", 0.05), ("OFTEN", 0.02), ("SELDOM", 0.2)):
        monkeypatch.setattr(patience, name, seconds)


def test_a_terminal_is_told_and_left_clean() -> None:
    out = Terminal()
    with patiently("counting", out):
        time.sleep(0.3)
    first, *_, last = out.getvalue().split("\r")[1:]
    assert first == "counting: 0 s"
    assert last == ""
    assert out.getvalue().split("\r")[-2].strip() == ""
    assert "\n" not in out.getvalue()


def test_elsewhere_it_is_a_line_now_and_then() -> None:
    out = io.StringIO()
    with patiently("counting", out):
        time.sleep(0.5)
    assert set(out.getvalue().splitlines()) == {"counting: 0 s"}


def test_what_is_soon_done_says_nothing() -> None:
    for out in (Terminal(), io.StringIO()):
        with patiently("counting", out):
            pass
        assert out.getvalue() == ""


def test_a_stream_that_has_gone_is_no_fault() -> None:
    out = Terminal()
    with patiently("counting", out):
        out.close()
        time.sleep(0.2)  # some words are due in it


NETWORK = ["--activation", "tanh", "--weight-variance", "1.76", "--bias-variance", "0.05", "--samples", "500"]
LONG = {
    "phase": ["--activation", "sin(7*u)*exp(u/9)", "--weight-variance", "0.5:4:900", "--bias-variance", "0:1:900"],
    "predict": [*NETWORK, "--depth", "3000", "--width", "100000", "--order", "refined"],
    "spectrum": [*NETWORK, "--depth", "200", "--width", "1000"],
}


@pytest.mark.parametrize("name", LONG)
def test_long_theory_ends_at_ctrl_c_with_one_line(name: str, tmp_path) -> None:
    command = [sys.executable, "-m", "meanfield", name, *LONG[name]]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ)
    time.sleep(2)
    assert process.poll() is None, "it should take longer than this"
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, b"")
    assert said.splitlines() == [b"meanfield: interrupted"]
