"""What a person sees: lines without a terminal, a bar on one, nothing when told."""

from __future__ import annotations

import io
import re

import pytest

from verify.running import progress
from verify.running.progress import Progress


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_without_a_terminal_there_is_a_line_every_half_minute_and_a_last_one(clock) -> None:
    stream = io.StringIO()
    shown = Progress(10, 100.0, stream=stream)
    for failed in (0, 0, 1, 0):
        clock.now += 20.0
        shown.update(1, failed, 20.0)
    shown.close()
    # After 40 s 40 of 100 units of work are done, so 60 s are left; time left follows work, not trials.
    assert stream.getvalue().splitlines() == [
        "2/10 trials, 0.05/s, 1:00 left",
        "4/10 trials, 1 failed, 0.05/s, 0:20 left",
        "4/10 trials, 1 failed, 0.05/s, 0:20 left",
    ]


def test_on_a_terminal_there_is_a_bar_with_counts_rate_and_time_left(clock) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    shown = Progress(4, 4.0, stream=stream)
    for _ in range(4):
        clock.now += 1.0
        shown.update(1, 0, 1.0)
    shown.close()
    last = stream.getvalue().split("\r")[-1]
    assert re.search(r"100%\|.*\| 4/4 trials, 1\.00/s \[.*<.*\]", last)
    assert " left" not in stream.getvalue()


def test_it_says_nothing_when_told_and_long_times_have_hours(clock) -> None:
    stream = io.StringIO()
    quiet = Progress(3, 3.0, show=False, stream=stream)
    clock.now += 60
    quiet.update(1, 0, 1.0)
    quiet.close()
    assert stream.getvalue() == ""
    slow = Progress(100, 100.0, stream=stream)
    clock.now += 60
    slow.update(1, 0, 1.0)
    assert stream.getvalue() == "1/100 trials, 0.02/s, 1:39:00 left\n"
    idle = Progress(100, 100.0, stream=stream)
    idle.close()
    assert stream.getvalue().endswith("0/100 trials, 0.00/s, unknown time left\n")
