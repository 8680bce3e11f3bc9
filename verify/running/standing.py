"""How far a sweep is, from its store alone."""

from __future__ import annotations

import collections
from typing import Any

from verify.keeping.store import Store
from verify.running.pending import work

__all__ = ["status"]


def status(store: Store) -> dict[str, Any]:
    """Numbers of trials done, failed and pending, seconds left, and failures by reason; JSON-ready.

    ``seconds_left`` scales the time of the finished trials by the work of the missing ones and divides by the workers
    of the latest run; ``None`` if nothing is finished yet.
    """
    sweep = store.sweep()
    cost = {cell.key: work(cell) for cell in sweep.cells()}
    reasons: collections.Counter[str] = collections.Counter()
    seconds = finished = 0.0
    for trial in store.outlines():
        seconds, finished = seconds + trial.seconds, finished + cost[trial.cell]
        reasons.update([trial.reason] if trial.status == "failed" else [])
    sessions = store.sessions()
    workers = sessions[-1]["workers"] if sessions else 1
    left = (sum(cost.values()) * sweep.run.trials / finished - 1) * seconds / workers if finished else None
    return {"name": sweep.name, **store.counts(), "seconds_left": left, "reasons": dict(reasons.most_common())}
