"""What a store still lacks of its sweep, as tasks of a sensible size."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from verify.asking.records import Cell, Trial
from verify.keeping.store import Store
from verify.running.trials import Measure, Task

__all__ = ["Pending", "work"]

GROUP_SECONDS = 0.25  # a task takes about this long, so that neither the parent's work nor what a kill loses matters
GROUP_SIZE = 500


def work(cell: Cell) -> float:
    """Relative cost of a trial: forming its dual matrix and finding its eigenvalues (theory.md §7)."""
    size = cell.samples * cell.network.outputs
    return float(len(cell.metrics) * size**2 * (cell.network.depth * cell.width + size))


class Pending:
    """The missing trials of the sweep of ``store``, most expensive cells first so that no worker idles at the end.

    ``trials`` is their number, ``work`` their relative cost.
    """

    def __init__(self, store: Store, *, retry_failed: bool = False, measure: Measure | None = None) -> None:
        self._sweep = store.sweep()
        self._measure = measure
        self._seconds: dict[str, float] = {}
        cells = sorted(self._sweep.cells(), key=work, reverse=True)
        self._missing = {cell: self._numbers(store, cell, retry_failed) for cell in cells}
        self.trials = sum(map(len, self._missing.values()))
        self.work = sum(work(cell) * len(numbers) for cell, numbers in self._missing.items())

    def tasks(self) -> Iterator[Task]:
        """Tasks in order. Their size follows from the seconds that :meth:`note` was told for their cell."""
        settings = (self._sweep.run.seed, self._sweep.run.options(), self._sweep.engine.retries, self._measure)
        for cell, numbers in self._missing.items():
            rest = iter(numbers)
            while group := tuple(itertools.islice(rest, self._size(cell))):
                yield Task(cell, group, *settings)

    def note(self, trials: Sequence[Trial]) -> None:
        """Learn from finished trials of one cell how long one takes."""
        self._seconds[trials[0].cell] = sum(trial.seconds for trial in trials) / len(trials)

    def _size(self, cell: Cell) -> int:
        seconds = self._seconds.get(cell.key, GROUP_SECONDS)
        return max(1, int(min(GROUP_SIZE, GROUP_SECONDS / max(seconds, 1e-9))))

    def _numbers(self, store: Store, cell: Cell, retry_failed: bool) -> Sequence[int]:
        have = {n for n, status in store.finished(cell).items() if not (retry_failed and status == "failed")}
        wanted = range(self._sweep.run.trials)
        return [number for number in wanted if number not in have] if have else wanted
