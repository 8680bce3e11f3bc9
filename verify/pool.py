"""Tasks through an executor: a few in flight, results as they come, and what happens when a worker dies."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Sized
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, as_completed, wait

from verify.executors import Source
from verify.records import Trial
from verify.trials import Task, failed, prepare_worker, run_task

__all__ = ["EngineError", "Pool"]


class EngineError(ChildProcessError):
    """The executor can't run anything; what was stored is safe."""


class Pool:
    """An executor that is opened anew when a dead worker broke it; a context manager.

    Two tasks for each worker are in flight: a worker has its next one while the parent writes the last one. ``code`` is
    the hash of the measuring code that the workers have.

    Raises
    ------
    EngineError
        If no worker can run anything.
    ValueError
        If the workers can't use the backend.
    ConnectionError
        If there is no scheduler (any more).
    """

    def __init__(self, source: Source, backend: str, dtype: str) -> None:
        self._source = source
        self._ready = (backend, dtype)
        self._executor = self._fresh()
        self._ended = False

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close(self._executor)

    def run(self, tasks: Iterable[Task]) -> Iterator[list[Trial]]:
        """The trials of each task as it finishes; tasks are drawn as slots become free.

        When a worker dies, nobody knows which of the tasks in flight killed it. Their trials are run again one by one,
        alone: the guilty one fails with its reason, the others lose nothing but time.
        """
        tasks = iter(tasks)
        flying: dict[Future[list[Trial]], Task] = {}
        while True:
            flying |= {self._submit(task): task for task in itertools.islice(tasks, self._room(flying))}
            if not flying:
                return
            finished, _ = wait(flying, return_when=FIRST_COMPLETED)
            if any(map(self._loss, finished)):
                finished = set(as_completed(flying))
            suspects = []
            for future in finished:
                task = flying.pop(future)
                if self._loss(future) is None:
                    yield future.result()
                else:
                    suspects.append(task)
            for task in suspects:
                yield from map(self._alone, task.singles())

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
        self._executor = self._fresh()
        self._ended = False
        return self._executor.submit(run_task, task)

    def _room(self, flying: Sized) -> int:
        return max(0, 2 * self._source.workers() - len(flying))

    def _fresh(self, attempts: int = 3) -> Executor:
        """An executor whose workers start. A cluster may give the first task to a worker that is just dying: then
        another one is asked."""
        executor = self._source.open()
        try:
            self.code = executor.submit(prepare_worker, *self._ready).result()
        except Exception as error:
            self._source.close(executor)
            if isinstance(error, ValueError):
                raise
            if attempts > 1:
                return self._fresh(attempts - 1)
            raise EngineError(f"engine: expected workers that start, got {type(error).__name__}: {error}") from error
        return executor
