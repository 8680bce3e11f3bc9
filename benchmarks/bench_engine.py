"""What running a sweep costs beside the measuring itself.

    worker efficiency   seconds spent in trials / (workers x wall time from the start of the first to the last row)
    store               rows with a spectrum of 8 KB each, a transaction a row, synchronous=NORMAL
    resume              seconds from `run` to the first new trial, in a store of 10,000
    memory              what the parent holds after 1,000 and after 10,000 trials

Trials sleep, so that the figures are those of the engine and not of the processors. Other work on the machine lowers
them all the same: CPU seconds stand beside wall seconds. Run: python benchmarks/bench_engine.py
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from verify.asking.records import Sample, Trial
from verify.asking.sweep import Sweep
from verify.keeping.store import Store
from verify.running.runner import run

WORKERS = 2


def sweep_of(trials: int) -> Sweep:
    cell = {"activation": "tanh", "depth": 2, "weight_variance": 2.0, "width": 4, "samples": 3, "metric": ["fim"]}
    return Sweep(name="bench", cells=[cell], run={"trials": trials})


def sleeping(seconds: float) -> Any:
    """A measuring function that takes this long. Nested, so that it travels to workers by value."""

    def measure(_network: Any, _metrics: Any, **_options: Any) -> list[Any]:
        time.sleep(seconds)
        figures = {"mean": 1.0, "second_moment": 1.0, "largest": 1.0, "outliers": (1.0,), "dimension": 3}
        return [SimpleNamespace(**figures, eigenvalues=None, provenance={})]

    return measure


def efficiency(folder: Path, seconds: float, trials: int) -> tuple[float, float]:
    """The efficiency, and the seconds around it (start of the workers, their end)."""
    start = time.perf_counter()
    store = run(sweep_of(trials), folder / f"{seconds}.sqlite", jobs=WORKERS, progress=False, measure=sleeping(seconds))
    wall = time.perf_counter() - start
    with store:
        facts = store.run_facts()
    return facts["trial_seconds"] / (WORKERS * facts["seconds"]), wall - facts["seconds"]


def store_rate(folder: Path, rows: int) -> tuple[float, float]:
    """Rows per wall second and per CPU second."""
    sweep = sweep_of(rows)
    (cell,) = sweep.cells()
    sample = Sample(1.0, 1.0, 1.0, (1.0,), 3, np.random.default_rng(0).normal(size=1024))
    with Store.create(folder / "rate.sqlite", sweep) as store:
        wall, cpu = time.perf_counter(), time.process_time()
        for number in range(rows):
            store.append([Trial(cell.key, number, "done", samples={"FIM": sample}, provenance={"code": "c"})])
        return rows / (time.perf_counter() - wall), rows / (time.process_time() - cpu)


def resume_seconds(folder: Path) -> float:
    """The store holds 10,000 trials of no code in particular; the first new trial says when it ran."""
    first = folder / "first"

    def measure(_network: Any, _metrics: Any, **_options: Any) -> list[Any]:
        import time

        if not first.exists():
            first.write_text(repr(time.time()))
        figures = {"mean": 1.0, "second_moment": 1.0, "largest": 1.0, "outliers": (1.0,), "dimension": 3}
        return [SimpleNamespace(**figures, eigenvalues=None, provenance={})]

    start = time.time()
    path = folder / "rate.sqlite"
    run(sweep_of(10_100), path, jobs=WORKERS, progress=False, measure=measure, mix_code=True).close()
    return float(first.read_text()) - start


def resident_megabytes() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def main() -> None:
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for seconds, trials in ((0.1, 600), (1.0, 60)):
            figure, around = efficiency(folder, seconds, trials)
            name = f"{trials} trials of {seconds:g} s on {WORKERS} workers"
            print(f"worker efficiency, {name}: {figure:.1%}; start and end of the workers: {around:.1f} s")
        wall, cpu = store_rate(folder, 10_000)
        print(f"store: {wall:.0f} rows/s with spectra of 8 KB ({cpu:.0f} for each CPU second)")
        print(f"resume of 10,000 trials: first new trial after {resume_seconds(folder):.2f} s")
        for trials in (1_000, 10_000):
            run(sweep_of(trials), folder / "memory.sqlite", jobs=WORKERS, progress=False, measure=sleeping(0.0)).close()
            print(f"memory of the parent after {trials} trials: {resident_megabytes():.0f} MB")


if __name__ == "__main__":
    main()
