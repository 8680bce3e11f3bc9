"""Where trials run: anything with the interface of `concurrent.futures.Executor`.

A :class:`Source` opens executors, so that the runner can replace one whose worker died.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

__all__ = ["Source", "dask", "given", "local", "processors"]

# Two BLAS threads in each of two workers on two processors were ten times slower than one (design.md §4).
_ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA")}


@dataclass(frozen=True)
class Source:
    """Opens an executor, closes one, and knows how many workers it has now."""

    open: Callable[[], Executor]
    close: Callable[[Executor], None]
    workers: Callable[[], int]


def processors() -> int:
    """The number of processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def local(workers: int) -> Source:
    """Worker processes on this machine (loky), which end with this process; -1: one for each processor."""
    count = processors() if workers == -1 else workers

    def open_pool() -> Executor:
        from loky import ProcessPoolExecutor

        pool: Executor = ProcessPoolExecutor(count, initializer=_start, initargs=(os.getpid(),), env=_ONE_THREAD)
        return pool

    def close(pool: Executor) -> None:
        pool.shutdown(wait=True, kill_workers=True)  # type: ignore[call-arg]  # loky's extension

    return Source(open_pool, close, lambda: count)


def given(executor: Executor, workers: int) -> Source:
    """An executor of the caller's, which stays open; -1: as many workers as this machine has processors."""
    count = processors() if workers == -1 else workers
    return Source(lambda: executor, lambda _: None, lambda: count)


def dask(address: str) -> Source:
    """The workers of a Dask scheduler, however many there are at the time.

    The scheduler is told not to try a task again that killed its worker: the runner does, alone and with a limit.

    Raises
    ------
    OSError
        If there is no scheduler at ``address``.
    """
    from distributed import Client

    try:
        client = Client(address, timeout=20, set_as_default=False)
    except (ValueError, OSError) as error:
        raise ConnectionError(f"dask: expected a scheduler at {address}, got {error}") from None
    client.run_on_scheduler(_never_retry)
    client.wait_for_workers(1)

    def close(executor: Executor) -> None:
        executor.shutdown(wait=False)  # cancels what runs
        client.close()

    # Not "pure": else a task that is tried again would be answered with the failure of the first try.
    return Source(lambda: client.get_executor(pure=False), close, lambda: max(1, sum(client.nthreads().values())))


def _never_retry(dask_scheduler: object) -> None:
    dask_scheduler.allowed_failures = 0  # type: ignore[attr-defined]


def _start(parent: int) -> None:
    """What a local worker does first: leave Ctrl-C to its parent, and end with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
