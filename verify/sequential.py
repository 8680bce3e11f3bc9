"""Running until decided, without deceiving oneself: when to look is fixed beforehand, and the looks share the level.

Whoever looks after every trial and stops at the first decision will decide wrongly more often than α. Here the looks
come at trial numbers that double, from the sweep's own number to the most allowed, and each look judges at α divided
by the number of looks (Bonferroni), so that all looks together keep the family-wise level α, whatever the dependence
between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from verify.records import Trial
from verify.verdict import Comparison, SweepLike, compare

__all__ = ["Look", "looks", "until_decided"]


@dataclass(frozen=True)
class Look:
    """A look at ``trials`` networks a cell; it is number ``number`` of ``total``."""

    number: int
    total: int
    trials: int
    comparison: Comparison


def looks(first: int, most: int) -> tuple[int, ...]:
    """The schedule: ``first``, twice that, and so on, the last one being ``most``.

    Raises
    ------
    ValueError
        If ``first`` is below 2 or ``most`` below ``first``.
    """
    if first < 2:
        raise ValueError(f"trials: expected at least 2 for a first look, got {first}")
    if most < first:
        raise ValueError(f"most: expected at least the trials of the first look, {first}; got {most}")
    schedule = [first]
    while schedule[-1] * 2 < most:
        schedule.append(schedule[-1] * 2)
    return (*schedule, most) if schedule[-1] < most else tuple(schedule)


def until_decided(sweep: SweepLike, first: int, most: int, run: Callable[[int], Iterable[Trial]]) -> Iterator[Look]:
    """Look after each number of trials in the schedule, and end when no deciding ratio is unclear.

    ``run(trials)`` sees to it that every cell has this many trials and returns all of them; trials with a
    higher number (of an earlier run that went further) are left out, so that stopping and going on changes nothing.
    """
    schedule = looks(first, most)
    for number, trials in enumerate(schedule, 1):
        seen = [t for t in run(trials) if t.index < trials]
        comparison = compare(sweep, seen, alpha=sweep.verdict.alpha / len(schedule))
        yield Look(number, len(schedule), trials, comparison)
        if all(d.verdict != "unclear" for d in comparison.deciding):
            return
