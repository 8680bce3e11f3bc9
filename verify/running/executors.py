"""Where trials run: anything with the interface of `concurrent.futures.Executor`.

A :class:`Source` opens executors, so that the runner can replace one whose worker died.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from multiprocessing import resource_tracker
from typing import Any, Protocol

from meanfield.spec.distribution import installing

__all__ = ["Cluster", "Given", "Local", "Source", "processors"]

# Two BLAS threads in each of two workers on two processors were ten times slower than one.
_ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA")}

PATIENCE = 20.0  # seconds to wait for a scheduler that was there
FIRST_PATIENCE = 3.0  # seconds to wait for one that nobody has seen yet


class Source(Protocol):
    """Opens an executor, closes one, and knows how many workers it has now."""

    def open(self) -> Executor: ...

    def close(self, executor: Executor) -> None: ...

    def workers(self) -> int: ...


def processors() -> int:
    """The number of processors this process may use, a container's quota included."""
    from loky import cpu_count

    return int(cpu_count())


class Local:
    """Worker processes on this machine (loky), which end with this process; -1: one for each processor."""

    def __init__(self, workers: int) -> None:
        most = max(64, 8 * processors())
        if workers > most:
            raise ValueError(f"jobs: expected at most {most} workers on this machine, got {workers}")
        self._count = processors() if workers == -1 else workers

    def open(self) -> Executor:
        from loky import ProcessPoolExecutor

        resource_tracker.ensure_running()  # else it would, and let interrupts through, while workers start
        with _interrupts_held():
            pool: Executor = ProcessPoolExecutor(
                self._count, initializer=_start, initargs=(os.getpid(),), env=_ONE_THREAD
            )
            pool.submit(int)  # starts the workers
        return pool

    def close(self, executor: Executor) -> None:
        executor.shutdown(wait=True, kill_workers=True)  # type: ignore[call-arg]  # loky's extension

    def workers(self) -> int:
        return self._count


class Given:
    """An executor of the caller's, which stays open, or a function that makes one, called anew when a dead worker broke
    the last one. -1: as many workers as this machine has processors."""

    def __init__(self, executor: Executor | Callable[[], Executor], workers: int) -> None:
        if not (hasattr(executor, "submit") or callable(executor)):
            raise TypeError(f"executor: expected an Executor or a function that makes one, got {executor!r}")
        self._given = executor
        self._count = processors() if workers == -1 else workers

    def open(self) -> Executor:
        return self._given if isinstance(self._given, Executor) or not callable(self._given) else self._given()

    def close(self, executor: Executor) -> None:
        """Shut it down if the function made it; the caller's own is left to the caller."""
        if executor is not self._given:
            executor.shutdown()

    def workers(self) -> int:
        return self._count


class Cluster:
    """The workers of a Dask scheduler, however many there are at the time; it waits for the first one.

    The scheduler is told not to try a task again that killed its worker, until the client is closed: the runner does,
    alone and with a limit.
    """

    def __init__(self, address: str) -> None:
        """Raises ``ValueError`` if the library that speaks with schedulers isn't there."""
        if importlib.util.find_spec("distributed") is None:
            wanted = f"the extra `cluster` to be installed ({installing('cluster')})"
            raise ValueError(f"dask: expected {wanted}, got no library `distributed`")
        self._address = address
        self._client: Any = None
        self._failures: int | None = None
        self._patience = FIRST_PATIENCE

    def open(self) -> Executor:
        """Raises ``ConnectionError`` if there is no scheduler at the address."""
        from distributed import Client

        with self._scheduler():  # a client that finds none leaves threads behind, and a traceback when it is collected
            _ask(self._address, self._patience)
            self._client = Client(self._address, timeout=PATIENCE, set_as_default=False)
        self._patience = PATIENCE
        self._failures = self._client.run_on_scheduler(_allow_failures, 0)
        if not self._client.nthreads():
            logging.getLogger("verify").warning("waiting for a worker of %s", self._address)
        self._client.wait_for_workers(1)
        # Not "pure": else a task that is tried again would be answered with the failure of the first try.
        executor: Executor = self._client.get_executor(pure=False)
        return executor

    def close(self, executor: Executor) -> None:
        executor.shutdown(wait=False)  # cancels what runs
        if self._failures is not None and self._client.status == "running":
            with contextlib.suppress(OSError, ValueError):  # a scheduler that is just going keeps no setting
                self._client.run_on_scheduler(_allow_failures, self._failures)
        self._client.close()

    def workers(self) -> int:
        with self._scheduler():
            threads: dict[str, int] = self._client.nthreads()
        return max(1, sum(threads.values()))

    @contextlib.contextmanager
    def _scheduler(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, OSError) as error:
            raise ConnectionError(f"dask: expected a scheduler at {self._address}, got {error}") from None


def _ask(address: str, patience: float) -> None:
    """Raise ``OSError`` or ``ValueError`` unless a scheduler answers at the address in time."""

    async def identity() -> Any:
        from distributed.comm import connect

        comm = await connect(address, timeout=patience)
        try:
            await comm.write({"op": "identity", "reply": True})
            return await comm.read()
        finally:
            comm.abort()

    async def in_time() -> Any:
        return await asyncio.wait_for(identity(), patience + 0.5)

    with ThreadPoolExecutor(1) as beside:  # there may be a loop in this thread, as in a notebook
        try:
            found = beside.submit(asyncio.run, in_time()).result()
        except TimeoutError:
            raise ConnectionError(f"no answer within {patience:g} s") from None
        except (MemoryError, TypeError, LookupError, ArithmeticError):  # no frame of Dask's, taken for one
            raise ConnectionError("an answer of something else") from None
    if not isinstance(found, dict) or found.get("type") != "Scheduler":
        raise ConnectionError("an answer of something else")


def _allow_failures(number: int, dask_scheduler: Any) -> int:
    """How often the scheduler itself tries a task again that lost its worker; what it was before."""
    before: int = dask_scheduler.allowed_failures
    dask_scheduler.allowed_failures = number
    return before


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Keep Ctrl-C waiting. Processes that start meanwhile never see one: a terminal sends it to them as well, and one
    that is still importing would answer with a traceback."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(parent: int) -> None:
    """What a local worker does first: leave Ctrl-C to its parent, and end with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
