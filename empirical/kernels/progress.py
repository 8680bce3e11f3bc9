"""What a person sees while a kernel is filled: a bar on a terminal, a plain line every half minute elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn, TextIO

from tqdm import tqdm

__all__ = ["Progress", "showing"]


class Progress:
    """Counts the entries of the kernel that are there.

    Parameters
    ----------
    total, done
        All entries that are to be computed, and those of them that an earlier call has.
    title
        A line to begin with: what it will take. Where there is no terminal it comes with the first line.
    every
        Seconds between two lines where there is no terminal.
    """

    def __init__(
        self, total: int, done: int, show: bool, title: str = "", every: float = 30.0, stream: TextIO | None = None
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        form = "kernel {percentage:3.0f}%|{bar}| [{elapsed}<{remaining}]"
        off = None if show else True  # None: tqdm shows a bar on a terminal only
        self._bar: tqdm[NoReturn] = tqdm(total=total, initial=done, bar_format=form, disable=off, file=self._stream)
        self._plain = show and bool(self._bar.disable)
        self._title = title
        if not self._bar.disable:
            self._say_title()
        self._total, self._begun, self._done, self._every = total, done, done, every
        self._start = self._printed = time.monotonic()

    def update(self, entries: int) -> None:
        """So many more are there."""
        self._done += entries
        self._bar.update(entries)
        if self._plain and time.monotonic() - self._printed >= self._every:
            self._say_title()
            self._printed = time.monotonic()
            left = (self._total - self._done) * (self._printed - self._start) / (self._done - self._begun)
            print(f"kernel: {self._done / self._total:.0%}, {left:.0f} s left", file=self._stream, flush=True)

    def _say_title(self) -> None:
        if self._title:
            self._bar.write(self._title, file=self._stream)
        self._title = ""

    def close(self) -> None:
        """Finish the bar."""
        self._bar.close()


@contextmanager
def showing(total: int, done: int, show: bool, title: str = "") -> Iterator[Progress]:
    """The progress of what is computed within."""
    progress = Progress(total, done, show, title)
    try:
        yield progress
    finally:
        progress.close()
