"""Population spectra from samples: planted ones, recovered; the error that is stated; and what it costs.

    python benchmarks/bench_population.py [first seed, default 500]

Wasserstein distance from the planted spectrum, in units of its mean: of the estimate, of the sample's own eigenvalues,
and the stated error, all as means over ten samples; how many of them are beyond their error. The planted spectra of the
last column of names were not used while the estimator was written.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from meanfield.bulk.population import population_spectrum

PLANTED = {
    "identity": np.ones_like,
    "two points": lambda i: np.where(2 * i < len(i), 0.25, 1.75),
    "a tenth": lambda i: np.where(10 * i < len(i), 5.0, 5 / 9),
    "exp(-i/50)": lambda i: np.exp(-0.02 * i),
    "exp(-i/10)": lambda i: np.exp(-0.1 * i),
    "1/i": lambda i: 1 / (1 + i),
    "uniform (new)": lambda i: (1 + i) / len(i),
    "three points (new)": lambda i: np.array([1.0, 3.0, 10.0])[(3 * i / len(i)).astype(int)],
    "i^-1.5 (new)": lambda i: (1 + i) ** -1.5,
}
SAMPLES = 10


def sample(population, n, seed):
    x = np.random.default_rng(seed).standard_normal((n, len(population))) * np.sqrt(population)
    return np.linalg.svd(x, compute_uv=False) ** 2 / n


def distance(found, population):
    padded = np.concatenate([found, np.zeros(len(population) - len(found))])
    return np.mean(np.abs(np.sort(padded) - np.sort(population)))


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    beyond = total = 0
    print(f"{'planted':<20} {'d':>4} {'n/d':>4}  estimate  sample  stated  beyond")
    for name, planted in PLANTED.items():
        for d in (60, 200):
            population = planted(np.arange(float(d)))
            population = population / population.mean()
            for ratio in (0.5, 2, 10):
                rows = []
                for _ in range(SAMPLES):
                    seed += 1
                    values = sample(population, int(ratio * d), seed)
                    found = population_spectrum(values, int(ratio * d), d)
                    rows.append((distance(found.eigenvalues, population), distance(values, population), found.error))
                t = np.array(rows)
                late = int(np.sum(t[:, 0] > t[:, 2]))
                beyond, total = beyond + late, total + SAMPLES
                print(
                    f"{name:<20} {d:>4} {ratio:>4}  {'   '.join(f'{x:.3f}' for x in t.mean(axis=0))}   {late}",
                    flush=True,
                )
    print(f"beyond the stated error: {beyond} of {total}")
    for d, n in ((100, 1000), (800, 400), (800, 5000)):
        values = sample(np.exp(-3 * np.arange(d) / d), n, 0)
        begin = time.process_time()
        population_spectrum(values, n, d)
        print(f"d = {d}, n = {n}: {time.process_time() - begin:.2f} s of processor time")


if __name__ == "__main__":
    main()
