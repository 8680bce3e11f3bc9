"""Run a sweep: what the store doesn't have yet → executor → store, one transaction for each small group of trials."""

from __future__ import annotations

from concurrent.futures import Executor
from pathlib import Path
from typing import Literal

from empirical.provenance import code_hash
from verify.executors import Cluster, Given, Local, Source
from verify.facts import host, versions
from verify.pending import Pending, work
from verify.pool import Pool
from verify.progress import Progress
from verify.store import Store, StoreError
from verify.sweep import Engine, Sweep, checked_jobs
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
        Any `concurrent.futures.Executor` whose workers can import this library; it stays open.
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
        If ``jobs`` is no number of workers, ``sweep`` no sweep, or the workers can't use its backend.
    StoreError
        If the store can't be used. Trials it has acknowledged are never lost.
    OSError
        If the executor can't run anything, or there is no scheduler (any more).
    """
    if not isinstance(sweep, Sweep):
        raise TypeError(f"sweep: expected a Sweep, such as Sweep.preset('quick'), got {sweep!r}")
    path = default_path(sweep) if store is None else Path(store)
    engine = sweep.engine if jobs is None and dask is None else _engine(jobs, dask)
    with Store.create(path, sweep) as target:
        check_codes(target, {code_hash()}, mix_code)
        pending = Pending(target, retry_failed=retry_failed, measure=measure)
        if pending.trials:
            source = _source(executor, engine)
            with Pool(source, sweep.run.backend, sweep.run.dtype) as pool:
                check_codes(target, {code_hash(), pool.code}, mix_code)
                facts = {"versions": versions(), "host": host(), "durability": target.durability()}
                declared = {"verdict": sweep.verdict.model_dump(), "measured": target.counts()["done"]}
                target.begin({**facts, **declared, "workers": source.workers()})
                _drive(target, pending, pool, mix_code, progress)
    return Store.open(path)


def _drive(store: Store, pending: Pending, pool: Pool, mix_code: bool, show: bool) -> None:
    cost = {cell.key: work(cell) for cell in store.sweep().cells()}
    known = {pool.code}
    progress = Progress(pending.trials, pending.work, show=show, title=f"store: {store.path}")
    try:
        for trials in pool.run(pending.tasks()):
            codes = {trial.provenance["code"] for trial in trials}
            if not codes <= known:  # a worker that joined later, or started anew, with other code
                check_codes(store, codes | known, mix_code)
                known |= codes
            store.append(trials)
            pending.note(trials)
            failures = sum(trial.status == "failed" for trial in trials)
            progress.update(len(trials), failures, sum(cost[trial.cell] for trial in trials))
    finally:
        progress.close()


def _engine(jobs: int | None, dask: str | None) -> Engine:
    kind: Literal["local", "dask"] = "local" if dask is None else "dask"
    return Engine(kind=kind, address=dask, jobs=checked_jobs(-1 if jobs is None else jobs))


def _source(executor: Executor | None, engine: Engine) -> Source:
    if executor is not None:
        return Given(executor, engine.jobs)
    return Local(engine.jobs) if engine.address is None else Cluster(engine.address)


def check_codes(store: Store, codes: set[str], mix_code: bool) -> None:
    """Raise `StoreError` if ``codes`` and those that made the store's trials differ, and that isn't wanted."""
    found = sorted(code[:8] for code in codes | store.codes())
    if len(found) > 1 and not mix_code:
        raise StoreError(
            f"store: expected trials of one measuring code, got {' and '.join(found)}: {store.path} "
            "(take another store, or allow the mix with --mix-code)"
        )
