"""Finite-width theory of cross-entropy against fresh random networks: ratios, coverage, the verdict, and time.

A cell is one metric of one network law; ``networks`` networks of each law are drawn and measured. measured / refined is
the mean over them over the prediction. A cell fails in a statistic if |measured/refined - 1| > 3 % + 3 standard errors.
Cells of one law share their networks.

    python benchmarks/bench_refined_softmax.py [--networks 200] [--seed 830000000] [--cells]

About four minutes of one core.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np

from empirical import measure
from meanfield import FIM, NTK, InputMetric, Network, predict

METRICS = [FIM(loss="cross_entropy"), NTK(loss="cross_entropy"), InputMetric(loss="cross_entropy")]
STATISTICS = ("m", "s", "λ_1", "λ_2", "λ_3")

# activation, σ_w², σ_b², depth, outputs, width, samples
LAWS = [
    ("tanh", 2.5, 0.5, 3, 10, 100, 50),
    ("tanh", 1.2, 0.2, 4, 5, 100, 80),
    ("tanh", 3.0, 0.64, 3, 5, 400, 60),
    ("erf", 2.0, 0.3, 3, 5, 100, 100),
    ("relu", 2.0, 0.2, 3, 10, 200, 60),
    ("relu", 1.8, 0.1, 4, 5, 200, 60),
    ("relu", 2.0, 0.1, 2, 3, 100, 40),
    ("silu", 2.0, 0.2, 3, 5, 150, 60),
    ("gelu", 1.5, 0.3, 2, 10, 100, 40),
    ("sigmoid", 4.0, 0.3, 3, 10, 150, 50),
    ("softplus", 0.7, 0.2, 3, 3, 100, 60),
    ("linear", 1.0, 0.2, 3, 5, 150, 60),
]


def rows(law: tuple, count: int, seed: int):
    """Of each metric and statistic: label, measured/refined, standard error, measured/leading, coverage, spreads."""
    activation, weight, bias, depth, outputs, width, samples = law
    network, size = Network(depth, activation, weight, bias, outputs=outputs), {"width": width, "samples": samples}
    drawn = [measure(network, METRICS, **size, seed=seed + i, spectrum="extremes") for i in range(count)]
    for index, metric in enumerate(METRICS):
        refined, leading = (predict(network, metric, order=o, **size) for o in ("refined", "leading"))
        for k, name in enumerate(STATISTICS[: 1 + outputs]):
            values = np.array([_statistic(m[index], k) for m in drawn])
            known, low = _statistic(refined, k), refined.interval()
            std = _statistic_of(refined.std, k)
            low, high = _statistic_of(low, k)
            error = values.std(ddof=1) / np.sqrt(count)
            yield (
                f"{activation} L={depth} M={width} C={outputs} N={samples} {metric.label}", name, values.mean() / known,
                error / known, values.mean() / _statistic(leading, k), np.mean((low <= values) & (values <= high)),
                values.std(ddof=1) / std,
            )  # fmt: skip


def _statistic(found, k: int) -> float:
    return float([found.mean, found.second_moment, *found.outliers][k])


def _statistic_of(found: dict, k: int):
    return [found["mean"], found["second_moment"], *found["outliers"]][k]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--networks", type=int, default=200)
    parser.add_argument("--seed", type=int, default=830_000_000)
    parser.add_argument("--cells", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    table: dict[str, list] = {name: [] for name in STATISTICS}
    for index, law in enumerate(LAWS):
        for label, name, *values in rows(law, options.networks, options.seed + 10_000 * index):
            table[name].append(values)
            if options.cells:
                print(f"{label:48s} {name:4s}", " ".join(f"{x:7.4f}" for x in values), flush=True)
    for name, found in table.items():
        ratio, error, leading, covered, spread = np.array(found).T
        there = np.isfinite(ratio)
        known = there & np.isfinite(leading)
        fail = np.abs(ratio - 1)[there] > 0.03 + 3 * error[there]
        print(
            f"{name:4s} {there.sum():3d} of {len(ratio)} cells"
            f"  |measured/refined - 1| {np.abs(ratio - 1)[there].mean():.4f}"
            f"  Monte Carlo {np.sqrt(2 / np.pi) * error[there].mean():.4f}"
            f"  leading {np.abs(leading - 1)[known].mean():.4f}  coverage {covered[there].mean():.3f}"
            f"  measured/predicted std {spread[there].mean():.3f}  failing {fail.sum()}"
        )
    network, size = Network(3, "tanh", 3.0, 0.64, outputs=10), {"width": 100, "samples": 50}
    predict(network, METRICS[0], order="refined", **size)
    start = time.process_time()
    for _ in range(3):
        predict(network, METRICS[0], order="refined", **size)
    print(f"one predict, warm, C = 10, N = 50: {(time.process_time() - start) / 3 * 1e3:.0f} ms of processor time")


if __name__ == "__main__":
    main()
