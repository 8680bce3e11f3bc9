"""Running until decided, without deceiving oneself: when to look is fixed beforehand, and the looks share the level.

Whoever looks after every trial and stops at the first decision will decide wrongly more often than α. Here the looks
come at trial numbers that double, from the sweep's own number to the most allowed, and each look judges at α divided
by the number of looks (Bonferroni), so that all looks together keep the family-wise level α, whatever the dependence
between them. A look is a sweep of its own, with its trials and its share of α: so the store of the last one knows both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from meanfield.spec.checks import MOST, shown
from verify.judging.verdict import Comparison, compare

if TYPE_CHECKING:
    from verify.asking.sweep import Sweep
    from verify.keeping.store import Store

__all__ = ["is_decided", "looks", "until_decided"]


def looks(sweep: Sweep, most: int) -> tuple[Sweep, ...]:
    """The sweep at each look: its own number of trials, twice that, and so on, at last ``most``.

    Raises
    ------
    ValueError
        If ``most`` is below the sweep's own number, or there is more than one look and that number is 1.
    """
    first = sweep.run.trials
    if most < first:
        raise ValueError(f"until_decided: expected at least the sweep's {first} trials, got {most}")
    if most > MOST["trials"]:
        raise ValueError(f"until_decided: expected at most {MOST['trials']} trials, got {shown(most)}")
    if first < 2 and most > first:
        raise ValueError(f"run.trials: expected at least 2 for a first look, got {first}")
    schedule = [first]
    while schedule[-1] < most:
        schedule.append(min(2 * schedule[-1], most))
    share = sweep.verdict.model_copy(update={"alpha": sweep.verdict.alpha / len(schedule)})
    return tuple(
        sweep.model_copy(update={"run": sweep.run.model_copy(update={"trials": trials}), "verdict": share})
        for trials in schedule
    )


def until_decided(sweep: Sweep, most: int, run: Callable[[Sweep], Store]) -> Store:
    """Run look after look until no deciding ratio needs more networks; the open store of the last one.

    ``run`` sees to it that the store has the trials of the sweep it is given. With ``most`` the sweep's own number of
    trials there is one look, at the whole level.
    """
    *early, last = looks(sweep, most)
    for look in early:
        store = run(look)
        if is_decided(compare(look, store.trials())):
            return store
        store.close()
    return run(last)


def is_decided(comparison: Comparison) -> bool:
    """Whether every ratio that decides passes or fails, or would not by any number of networks."""
    return all(d.trials_needed == 0 for d in comparison.deciding)
