"""Run a sweep: what the store doesn't have yet → executor → store, one transaction for each small group of trials."""

from __future__ import annotations

from concurrent.futures import Executor
from pathlib import Path

from empirical.provenance import code_hash
from verify.executors import local, processors, stop
from verify.facts import host, versions
from verify.pending import Pending, work
from verify.pool import Pool
from verify.progress import Progress
from verify.store import Store, StoreError
from verify.sweep import Sweep, checked_jobs
from verify.trials import Measure

__all__ = ["default_path", "run"]


def default_path(sweep: Sweep) -> Path:
    """Where a sweep is stored if nothing else is said: another measuring code gets another store."""
    return Path("runs") / f"{sweep.name}-{code_hash()[:8]}.sqlite"


def run(
    sweep: Sweep,
    store: str | Path | None = None,
    *,
    executor: Executor | None = None,
    jobs: int | None = None,
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
        Any `concurrent.futures.Executor` whose workers can import this library; it stays open. Else ``jobs`` local
        worker processes (the sweep's ``engine.jobs`` if not given). With an executor ``jobs`` is its number of workers.
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
    ValueError
        If ``jobs`` is no number of workers.
    StoreError
        If the store can't be used. Trials it has acknowledged are never lost.
    EngineError
        If the executor can't run anything.
    """
    path = default_path(sweep) if store is None else Path(store)
    workers = checked_jobs(sweep.engine.jobs if jobs is None else jobs)
    workers = processors() if workers == -1 else workers
    with Store.create(path, sweep) as target:
        _check_code(target, mix_code)
        pending = Pending(target, retry_failed=retry_failed, measure=measure)
        if pending.trials:
            target.begin({"versions": versions(), "host": host(), "workers": workers})
            with _pool(executor, workers) as pool:
                _drive(target, pending, pool, progress)
    return Store.open(path)


def _drive(store: Store, pending: Pending, pool: Pool, show: bool) -> None:
    cost = {cell.key: work(cell) for cell in store.sweep().cells()}
    progress = Progress(pending.trials, pending.work, show=show)
    try:
        for trials in pool.run(pending.tasks()):
            store.append(trials)
            pending.note(trials)
            failures = sum(trial.status == "failed" for trial in trials)
            progress.update(len(trials), failures, sum(cost[trial.cell] for trial in trials))
    finally:
        progress.close()


def _pool(executor: Executor | None, workers: int) -> Pool:
    """Twice as many tasks in flight as workers: a worker has its next task while the parent writes the last one."""
    if executor is None:
        return Pool(local(workers), stop, 2 * workers)
    return Pool(lambda: executor, lambda _: None, 2 * workers)


def _check_code(store: Store, mix_code: bool) -> None:
    others = store.codes() - {code_hash()}
    if others and not mix_code:
        known = ", ".join(sorted(code[:8] for code in others))
        raise StoreError(
            f"store: expected trials of the measuring code {code_hash()[:8]}, got some of {known}: {store.path} "
            "(take another store, or allow the mix with --mix-code)"
        )
