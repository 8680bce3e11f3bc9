"""From a store of 2,000 trials to its report: seconds and size. Aim: at most 10 s and 2 MB.

Once with the statistics alone, once with whole spectra of 1000 eigenvalues for each metric of each network.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from meanfield.prediction.asking import predict
from verify import Store, Sweep, report
from verify.asking.records import Cell, Sample, Trial

TRIALS = 2000


def trials_of(cell: Cell, count: int, random: np.random.Generator, spectra: bool) -> list[Trial]:
    """Networks that scatter around theory by 1/√M; what is timed doesn't depend on where the numbers come from."""
    theory = {m: predict(cell.network, m, width=cell.width, samples=cell.samples) for m in cell.metrics}
    layers = next(iter(theory.values())).order_parameters

    def sample(p: Any) -> Sample:
        factors = np.exp(random.normal(size=3) / np.sqrt(cell.width))
        mean, second, largest = (float(x) for x in factors * (p.mean, p.second_moment, p.largest))
        outliers = tuple(largest * np.linspace(1, 0.9, 10))
        bulk = p.bulk[0] * np.exp(0.3 * random.normal(size=990))
        eigenvalues = np.sort([*outliers, *bulk])[::-1] if spectra else None
        return Sample(mean, second, largest, outliers, int(p.dimension), eigenvalues)

    return [
        Trial(
            cell.key, i, "done", samples={m.label: sample(p) for m, p in theory.items()}, order_parameters=layers,
            provenance={"code": "benchmark"},
        )
        for i in range(count)
    ]  # fmt: skip


def main() -> None:
    for spectrum in ("extremes", "full"):
        cells = len(Sweep.preset("quick").cells())
        sweep = Sweep.preset("quick", [f"run.trials={-(-TRIALS // cells)}", f"run.spectrum={spectrum}"])
        random = np.random.default_rng(0)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with Store.create(folder / "store.sqlite", sweep) as store:
                for cell in sweep.cells():
                    store.append(trials_of(cell, sweep.run.trials, random, spectrum == "full"))
            start, busy = time.perf_counter(), time.process_time()
            size = report(folder / "store.sqlite", folder / "report")["html"].stat().st_size
            seconds, busy = time.perf_counter() - start, time.process_time() - busy
        trials = sweep.run.trials * cells
        print(f"{spectrum}: {trials} trials, {seconds:.1f} s ({busy:.1f} s of processor time), {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
