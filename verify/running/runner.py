"""Run a sweep: what the store doesn't have yet → executor → store, one transaction for each small group of trials."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

from meanfield.files import usable_folder
from verify.asking.engine import Engine, checked_address, checked_jobs
from verify.asking.sweep import Sweep
from verify.keeping.store import Store
from verify.running.codes import check_codes, check_one, codes_of, sweep_code
from verify.running.executors import Cluster, Given, Local, Source
from verify.running.facts import host, versions
from verify.running.pending import Pending, work
from verify.running.pool import Pool
from verify.running.progress import Progress
from verify.running.trials import Measure

__all__ = ["default_path", "run"]


def default_path(sweep: Sweep) -> Path:
    """Where a sweep is stored if nothing else is said: another measuring code gets another store."""
    return Path("runs") / f"{sweep.name}-{sweep_code(sweep.cells(), sweep.run.backend)[:8]}.sqlite"


def run(
    sweep: Sweep,
    store: str | Path | None = None,
    *,
    executor: Executor | Callable[[], Executor] | None = None,
    jobs: int | None = None,
    dask: str | None = None,
    retry_failed: bool = False,
    mix_code: bool = False,
    progress: bool = True,
    measure: Measure | None = None,
) -> Store:
    """Run the trials of ``sweep`` that ``store`` lacks; run it again after any interruption to go on.

    Parameters
    ----------
    store
        Path of the SQLite file, made if it isn't there; `default_path` if not given.
    executor
        Any `concurrent.futures.Executor` whose workers can import this library; it stays open. Or a function without
        arguments that makes one: it is shut down at the end, and made anew where a trial broke it by killing a worker.
    jobs
        The number of local worker processes, or of the executor's workers; -1: one for each processor of this machine.
    dask
        Address of a Dask scheduler. Without executor, jobs and address the sweep's ``[engine]`` decides.
    retry_failed
        Run trials that failed earlier once more.
    mix_code
        Go on in a store that other measuring code has written.
    measure
        Measures in place of `empirical.measure`, with the same signature.

    Returns
    -------
    Store
        Open for reading.

    Raises
    ------
    ValueError, TypeError
        If ``jobs`` is no number of workers, ``sweep`` no sweep, the engine is none or two, or the workers can't use the
        backend.
    StoreError
        If the store can't be used. Trials it has acknowledged are never lost.
    OSError
        If the executor can't run anything, or there is no scheduler (any more).
    """
    if not isinstance(sweep, Sweep):
        raise TypeError(f"sweep: expected a Sweep, such as Sweep.preset('quick'), got {sweep!r}")
    path = default_path(sweep) if store is None else Path(store)
    source = _source(executor, engine_of(sweep, jobs, dask), dask)
    if executor is None and dask is None and sweep.engine.address and isinstance(source, Local) and progress:
        print(f"on local workers, not on the sweep's scheduler {sweep.engine.address}", file=sys.stderr)
    with contextlib.ExitStack() as stack:
        # Where nothing can run no store is made: workers first, if there is none yet.
        early = None if path.exists() else stack.enter_context(_workers(source, sweep, path))
        target = stack.enter_context(Store.create(path, sweep))
        check_codes(target, mix_code, now=True)
        pending = Pending(target, retry_failed=retry_failed, measure=measure)
        others = target.others()
        if progress and others:
            print(f"{others} trials that the sweep doesn't ask for stay in {path} and aren't counted", file=sys.stderr)
        if not pending.trials:
            target.take()
        else:
            pool = early or stack.enter_context(_workers(source, sweep, path))
            check_one(path, {sweep_code(sweep.cells(), sweep.run.backend), pool.code}, mix_code)
            facts = {"versions": versions(), "host": host(), "durability": target.durability()}
            declared = {"verdict": sweep.verdict.model_dump(), "measured": target.counts()["done"]}
            target.begin({**facts, **declared, "workers": source.workers()})
            _drive(target, pending, pool, mix_code, progress)
    return Store.open(path)


def _workers(source: Source, sweep: Sweep, path: Path) -> Pool:
    usable_folder("store", path.parent)
    return Pool(source, sweep.run.backend, sweep.run.dtype, sweep.cells())


def _drive(store: Store, pending: Pending, pool: Pool, mix_code: bool, show: bool) -> None:
    codes = codes_of(store.sweep())
    cost = {cell.key: work(cell) for cell in store.sweep().cells()}
    progress = Progress(pending.trials, pending.work, show=show, title=f"store: {store.path}")
    try:
        for trials in pool.run(pending.tasks()):
            for trial in trials:  # a worker that joined later, or started anew, may have other code
                check_one(store.path, {codes[trial.cell], trial.provenance["code"]}, mix_code)
            store.append(trials)
            pending.note(trials)
            failures = sum(trial.status == "failed" for trial in trials)
            progress.update(len(trials), failures, sum(cost[trial.cell] for trial in trials))
    finally:
        progress.close()


def engine_of(sweep: Sweep, jobs: int | None, dask: str | None) -> Engine:
    """The engine that is asked for: the sweep's own without ``jobs`` and ``dask``.

    Raises
    ------
    ValueError, TypeError
        If one is none, or both are given: a scheduler has the workers it has.
    """
    if jobs is not None and dask is not None:
        raise ValueError(f"jobs: expected none beside a Dask scheduler, which has workers of its own, got {jobs!r}")
    if dask is not None:
        if not isinstance(dask, str):
            raise TypeError(f"dask: expected the address of a scheduler, got {dask!r}")
        return Engine(kind="dask", address=checked_address("dask", dask))
    return sweep.engine if jobs is None else Engine(jobs=checked_jobs(jobs))


def _source(executor: Executor | Callable[[], Executor] | None, engine: Engine, dask: str | None) -> Source:
    if executor is not None:
        if dask is not None:
            raise ValueError(f"dask: expected none beside an executor, got {dask!r}")
        return Given(executor, engine.jobs)
    return Local(engine.jobs) if engine.address is None else Cluster(engine.address)
