"""Tasks through an executor: a few in flight, results as they come, and what happens when a worker dies."""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from queue import SimpleQueue

from verify.asking.records import Cell, Trial
from verify.running.executors import Source
from verify.running.trials import Task, failed, prepare_worker, run_task

__all__ = ["EngineError", "Pool"]


class EngineError(ChildProcessError):
    """The executor can't run anything; what was stored is safe."""


class Pool:
    """An executor that is opened anew when a dead worker broke it; a context manager.

    Two tasks for each worker are in flight: a worker has its next one while the parent writes the last one. ``code`` is
    the hash of the code that the workers have to measure ``cells``.

    Raises
    ------
    EngineError
        If no worker can run anything.
    ValueError
        If the workers can't use the backend.
    ConnectionError
        If there is no scheduler (any more).
    """

    def __init__(self, source: Source, backend: str, dtype: str, cells: Sequence[Cell]) -> None:
        self._source = source
        self._ready = (backend, dtype, cells)
        self._finished = SimpleQueue[Future[list[Trial]]]()  # what an executor cancelled comes too: `wait` misses that
        self._executor = self._fresh()
        self._ended = False

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close(self._executor)

    def run(self, tasks: Iterable[Task]) -> Iterator[list[Trial]]:
        """The trials of each task as it finishes; tasks are drawn as slots become free.

        When a worker dies, nobody knows which of the tasks in flight killed it. Their trials are run again one by one,
        beside others; those that are lost again, alone. The guilty one fails with its reason, the others lose nothing
        but time.
        """
        new, waiting = iter(tasks), deque[tuple[Task, bool]]()  # a task, and whether it was lost before
        flying: dict[Future[list[Trial]], tuple[Task, bool]] = {}
        while True:
            for _ in range(2 * self._source.workers() - len(flying)):
                if not waiting:
                    waiting.extend((task, False) for task in itertools.islice(new, 1))
                if not waiting:
                    break
                future = self._submit(waiting[0][0])
                if future is None and not flying:
                    future = self._submit_anew(waiting[0][0])
                if future is None:  # what is under way comes to its end first: it may have results
                    break
                flying[future] = waiting.popleft()
            if not flying:
                return
            finished, suspects = [self._finished.get()], []
            if self._loss(finished[0]) and flying[finished[0]][1]:
                finished += [self._finished.get() for _ in range(len(flying) - 1)]
            for future in finished:
                task, again = flying.pop(future)
                if self._loss(future) is None:
                    yield future.result()
                elif again:
                    suspects.append(task)
                else:
                    waiting.extend((single, True) for single in task.singles())
            yield from map(self._alone, suspects)

    def _alone(self, task: Task) -> list[Trial]:
        """One trial with nothing beside it, tried again as often as a trial that raises."""
        (index,) = task.indices
        reason = ""
        for _attempt in range(1 + task.retries):
            future = self._submit(task) or self._submit_anew(task)
            self._finished.get()
            error = self._loss(future)
            if error is None:
                return future.result()
            reason = f"worker lost: {type(error).__name__}: {error}"
        return [failed(task, index, reason, 0.0)]

    def _loss(self, future: Future[list[Trial]]) -> BaseException | None:
        """Why a finished future has no result, if it has none. Nobody here cancels: an executor that does is at its
        end."""
        if future.cancelled():
            self._ended = True
            return CancelledError("its executor has ended")
        return future.exception()

    def _submit(self, task: Task) -> Future[list[Trial]] | None:
        """``None`` where the executor is at its end."""
        if not self._ended:
            with contextlib.suppress(Exception):  # a pool that is broken, or shut down: each has its own words
                return self._flying(task)
        self._ended = True
        return None

    def _submit_anew(self, task: Task) -> Future[list[Trial]]:
        """To an executor in the place of the one that has ended."""
        self._source.close(self._executor)
        self._executor = self._fresh(task)
        self._ended = False
        return self._flying(task)

    def _flying(self, task: Task) -> Future[list[Trial]]:
        future = self._executor.submit(run_task, task)
        future.add_done_callback(self._finished.put)
        return future

    def _fresh(self, after: Task | None = None, attempts: int = 3) -> Executor:
        """An executor whose workers start, ``after`` the last one broke. A cluster may give the first task to a worker
        that is just dying: then another one is asked."""
        executor = self._source.open()
        try:
            self.code = executor.submit(prepare_worker, *self._ready).result()
        except Exception as error:
            self._source.close(executor)
            if isinstance(error, ValueError):
                raise
            if attempts > 1:
                return self._fresh(after, attempts - 1)
            if after is not None and executor is self._executor and isinstance(error, BrokenExecutor):
                where = f"trial {after.indices[0]} of cell {after.cell.key}, or one beside it"
                raise EngineError(
                    f"engine: expected an executor that outlives its workers, got one that broke while running {where} "
                    "(give a function that makes one, or use local workers, where such a trial fails alone)"
                ) from error
            raise EngineError(f"engine: expected workers that start, got {type(error).__name__}: {error}") from error
        return executor
