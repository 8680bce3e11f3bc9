"""Does the data's slope set the spectrum's? The union-of-products law against random networks on sloppy Gaussian data.

Covariance e^{-ci} in d = 100 dimensions, N = 800 inputs scaled to a mean square of 1, three layers of M = 1000. For
each c and activation: where degree two takes over, how many eigenvalues a sample of that size resolves, and the median
|Δ log10 λ| of the first 30, 60, 120 and 300 eigenvalues, by the law alone and by the law in a sample. Then the slopes.

    python benchmarks/bench_data_slope.py [networks a cell, default 3]
"""

from __future__ import annotations

import sys

import numpy as np

from empirical import measure
from meanfield import FIM, Network, kernel_series, participation, product_spectrum, sloppiness

DIMENSIONS, SAMPLES, WIDTH = 100, 800, 1000
DECAYS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
LAWS = {"relu": (2.0, 0.1), "tanh": (3.0, 0.64)}
FIRST = (30, 60, 120, 300)


def medians(measured, predicted):
    off = np.abs(np.log10(measured[: FIRST[-1]] / predicted))
    return " ".join(f"{np.median(off[:k]):.3f}" for k in FIRST)


def cell(activation, decay, networks):
    network = Network(3, activation, *LAWS[activation], width_ratios=(DIMENSIONS / WIDTH, 1.0, 1.0))
    covariance = np.exp(-decay * np.arange(DIMENSIONS))
    law = product_spectrum(kernel_series(network, FIM(), width=WIDTH), covariance, FIRST[-1], SAMPLES)
    print(f"{activation} c={decay:g}: takeover {law.takeover}, resolved {law.resolved}")
    for seed in range(networks):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(97,)))  # of inputs, not of weights
        x = rng.standard_normal((SAMPLES, DIMENSIONS)) * np.sqrt(covariance)
        x /= np.sqrt(np.mean(x**2))
        found = measure(network, FIM(), width=WIDTH, samples=SAMPLES, inputs=x, seed=seed, spectrum="full")
        eigenvalues = np.asarray(found.eigenvalues)
        shape, data = (sloppiness(v) for v in (eigenvalues, np.linalg.eigvalsh(x.T @ x)))
        print(
            f"  law {medians(eigenvalues, law.eigenvalues)} | in a sample {medians(eigenvalues, law.in_sample)}"
            f" | decades {shape.decades:.2f} of {data.decades:.2f} in the data, mid-slope {shape.mid_slope:.5f}"
            f" of {data.mid_slope:.5f}, participation {float(participation(found)):.1f} of {data.participation:.1f}"
        )


if __name__ == "__main__":
    for decay in DECAYS:
        for activation in LAWS:
            cell(activation, decay, int(sys.argv[1]) if len(sys.argv) > 1 else 3)
