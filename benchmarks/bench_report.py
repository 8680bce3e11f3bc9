"""Comparison and report of 2,000 trials: seconds and size. Aim: at most 10 s and 2 MB."""

from __future__ import annotations

import tempfile
import time

import numpy as np

from meanfield.prediction import predict
from verify.records import Cell, Sample, Trial
from verify.reporting import write_report
from verify.sweep import Sweep
from verify.verdict import compare

TRIALS = 2000


def trials_of(cell: Cell, count: int, random: np.random.Generator) -> list[Trial]:
    """Networks that scatter around theory by 1/√M; what is timed doesn't depend on where the numbers come from."""
    theory = {m: predict(cell.network, m, width=cell.width, samples=cell.samples) for m in cell.metrics}

    def sample(metric: object) -> Sample:
        p = theory[metric]  # type: ignore[index]
        mean, second, largest = np.exp(random.normal(size=3) / np.sqrt(cell.width)) * (
            p.mean,
            p.second_moment,
            p.largest,
        )
        return Sample(mean, second, largest, tuple(largest * np.linspace(1, 0.9, 10)), int(p.dimension))

    return [Trial(cell.key, i, "done", samples={m.label: sample(m) for m in cell.metrics}) for i in range(count)]


def main() -> None:
    sweep = Sweep.preset("quick")
    random = np.random.default_rng(0)
    cells = sweep.cells()
    trials = [t for cell in cells for t in trials_of(cell, -(-TRIALS // len(cells)), random)]
    start, busy = time.perf_counter(), time.process_time()
    comparison = compare(sweep, trials)
    with tempfile.TemporaryDirectory() as folder:
        size = write_report(comparison, {"trials": len(trials)}, folder)["html"].stat().st_size
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    print(f"{len(trials)} trials: {seconds:.1f} s ({busy:.1f} s of processor time), {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
