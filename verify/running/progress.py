"""What a person sees while trials run: a bar on a terminal, a plain line every half minute elsewhere."""

from __future__ import annotations

import sys
import time
from typing import NoReturn, TextIO

from tqdm import tqdm

__all__ = ["Progress"]


class Progress:
    """Counts trials, and the work they stand for: time left follows from work, since trials of wide networks are long.

    Parameters
    ----------
    trials, work
        All that is to be done now: how many trials, and their work in any unit.
    show
        Whether to show anything at all.
    title
        A line to begin with.
    every
        Seconds between two lines where there is no terminal.
    """

    def __init__(
        self, trials: int, work: float, *, show: bool = True, title: str = "", every: float = 30.0,
        stream: TextIO | None = None,
    ) -> None:  # fmt: skip
        self._stream = sys.stderr if stream is None else stream
        if show and title:
            print(title, file=self._stream, flush=True)
        form = "{percentage:3.0f}%|{bar}| {desc} [{elapsed}<{remaining}]"
        off = None if show else True  # None: tqdm shows a bar on a terminal only
        self._bar: tqdm[NoReturn] = tqdm(total=work, bar_format=form, disable=off, file=self._stream, smoothing=0.05)
        self._plain = show and bool(self._bar.disable)
        self._trials, self._work, self._every = trials, work, every
        self._done, self._failed, self._worked = 0, 0, 0.0
        self._start = self._printed = time.monotonic()

    def update(self, trials: int, failed: int, work: float) -> None:
        """Some trials, ``failed`` among them, are finished and stored."""
        self._done, self._failed, self._worked = self._done + trials, self._failed + failed, self._worked + work
        self._bar.set_description_str(self._counts(), refresh=False)
        self._bar.update(work)
        if self._plain and time.monotonic() - self._printed >= self._every:
            self._line()

    def close(self) -> None:
        """Finish the bar, or write the last line."""
        self._bar.close()
        if self._plain and self._trials:
            self._line()

    def _counts(self) -> str:
        failures = f", {self._failed} failed" if self._failed else ""
        return f"{self._done}/{self._trials} trials{failures}, {self._done / self._elapsed():.2f}/s"

    def _line(self) -> None:
        self._printed = time.monotonic()
        left = self._elapsed() * (self._work / self._worked - 1) if self._worked else float("nan")
        print(f"{self._counts()}, {_duration(left)} left", file=self._stream, flush=True)

    def _elapsed(self) -> float:
        return max(time.monotonic() - self._start, 1e-9)


def _duration(seconds: float) -> str:
    if not seconds >= 0:
        return "unknown time"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
