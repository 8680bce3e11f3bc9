"""Tasks through an executor: a few in flight, results as they come, and what happens when a worker dies."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, as_completed, wait

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
        new, lost = iter(tasks), deque[Task]()
        flying: dict[Future[list[Trial]], tuple[Task, bool]] = {}  # a task, and whether it was lost before
        while True:
            for _ in range(2 * self._source.workers() - len(flying)):
                task, again = (lost.popleft(), True) if lost else (next(new, None), False)
                if task is None:
                    break
                flying[self._submit(task)] = (task, again)
            if not flying:
                return
            finished: Iterable[Future[list[Trial]]] = wait(flying, return_when=FIRST_COMPLETED)[0]
            if any(self._loss(future) and flying[future][1] for future in finished):
                finished = as_completed(list(flying))
            suspects = []
            for future in finished:
                task, again = flying.pop(future)
                if self._loss(future) is None:
                    yield future.result()
                elif again:
                    suspects.append(task)
                else:
                    lost.extend(task.singles())
            yield from map(self._alone, suspects)

    def _alone(self, task: Task) -> list[Trial]:
        """One trial with nothing beside it, tried again as often as a trial that raises."""
        (index,) = task.indices
        reason = ""
        for _attempt in range(1 + task.retries):
            future = self._submit(task)
            wait([future])
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

    def _submit(self, task: Task) -> Future[list[Trial]]:
        if not self._ended:
            with contextlib.suppress(Exception):  # a pool that is broken, or shut down: each has its own words
                return self._executor.submit(run_task, task)
        self._source.close(self._executor)
        self._executor = self._fresh(task)
        self._ended = False
        return self._executor.submit(run_task, task)

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
