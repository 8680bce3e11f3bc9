"""Where trials run: anything with the interface of `concurrent.futures.Executor`.

An engine here is a function that opens a fresh executor, so that the runner can replace one whose worker died.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor

__all__ = ["OpenExecutor", "local", "processors", "stop"]

OpenExecutor = Callable[[], Executor]

# Two BLAS threads in each of two workers on two processors were ten times slower than one (design.md §4).
_ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA")}


def processors() -> int:
    """The number of processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def local(jobs: int = -1) -> OpenExecutor:
    """Worker processes on this machine (loky); -1: one for each processor."""
    workers = processors() if jobs == -1 else jobs

    def open_executor() -> Executor:
        from loky import ProcessPoolExecutor

        pool: Executor = ProcessPoolExecutor(workers, initializer=_start, initargs=(os.getpid(),), env=_ONE_THREAD)
        return pool

    return open_executor


def stop(executor: Executor) -> None:
    """Close an executor of ours at once, with the trials that are running."""
    executor.shutdown(wait=True, kill_workers=True)  # type: ignore[call-arg]  # loky's extension


def _start(parent: int) -> None:
    """What a worker does first: leave Ctrl-C to its parent, end with its parent, one thread for linear algebra."""
    from threadpoolctl import threadpool_limits

    import empirical.measurement  # noqa: F401  # loads the libraries whose threads are to be limited

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    threadpool_limits(1)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
