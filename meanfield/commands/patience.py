"""A word on what is under way, where it lasts: on a terminal after two seconds, elsewhere every half minute."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import TextIO

__all__ = ["patiently"]

SOON, SELDOM = 2.0, 30.0  # seconds until the first word, on a terminal and elsewhere
OFTEN = 1.0  # and from one word on a terminal to the next


@contextlib.contextmanager
def patiently(what: str, stream: TextIO | None = None) -> Iterator[None]:
    """Say ``what`` is under way inside the ``with``, and for how many seconds, until it ends.

    A terminal's line is written over each time and gone at the end; elsewhere lines are added.
    """
    out = sys.stderr if stream is None else stream
    over = threading.Event()
    speaker = threading.Thread(target=_speak, args=(what, out, over), daemon=True)
    speaker.start()
    try:
        yield
    finally:
        over.set()
        speaker.join()


def _speak(what: str, out: TextIO, over: threading.Event) -> None:
    begin, terminal, wide = time.monotonic(), out.isatty(), 0
    pause = SOON if terminal else SELDOM
    while not over.wait(pause):
        words = f"{what}: {time.monotonic() - begin:.0f} s"
        wide, pause = max(wide, len(words)), OFTEN if terminal else SELDOM
        with contextlib.suppress(OSError, ValueError):  # a stream that has gone is nobody's to read
            print(f"\r{words}" if terminal else words, end="" if terminal else "\n", file=out, flush=True)
    if wide and terminal:
        with contextlib.suppress(OSError, ValueError):
            print(f"\r{' ' * wide}\r", end="", file=out, flush=True)
