"""Ticks in plain characters, few enough to be read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axis import Axis

__all__ = ["legible", "log_ticks", "plain_ticks", "tick_text"]

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def plain_ticks(axis: Axis) -> None:
    """Matplotlib's own choice of places, spelled without mathematics markup."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda x, _: tick_text(x)))


def log_ticks(axis: Axis) -> None:
    """Powers of ten on a long log axis, 1-2-5 on a shorter one, round numbers within half a decade."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    low, high = axis.get_view_interval()
    decades = math.log10(high / low)
    subdivisions = (1.0,) if decades > 3 else (1.0, 2.0, 5.0)
    axis.set_major_locator(MaxNLocator(5) if decades < 0.7 else LogLocator(subs=subdivisions, numticks=6))
    axis.set_minor_locator(NullLocator())
    plain_ticks(axis)


def legible(ticks: Sequence[int], room: float = 26.0) -> list[int]:
    """Those of ascending ``ticks`` whose labels don't overlap on a log axis: the ends, and what fits between them.

    ``room``: how many digits the whole axis has room for, gaps included.
    """
    if len(ticks) < 3:
        return list(ticks)
    span = math.log(ticks[-1] / ticks[0])

    def apart(low: int, high: int) -> bool:
        digits = (len(str(low)) + len(str(high))) / 2 + 1
        return math.log(high / low) / span * room >= digits

    kept = [ticks[0]]
    for tick in ticks[1:-1]:
        if apart(kept[-1], tick) and apart(tick, ticks[-1]):
            kept.append(tick)
    return [*kept, ticks[-1]]


def tick_text(x: float) -> str:
    """``0.02``, ``500``, ``2·10⁻⁵``."""
    if x == 0 or 1e-3 <= abs(x) < 1e4:
        return f"{x:g}"
    exponent = math.floor(math.log10(abs(x)) + 1e-9)
    digits = f"{x / 10**exponent:g}"
    power = "10" + str(exponent).translate(_RAISED)
    return power if digits == "1" else f"{digits}·{power}"
