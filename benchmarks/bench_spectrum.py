"""The whole spectrum against random networks: distances, edges, outliers, second moments; and what it costs.

    python benchmarks/bench_spectrum.py [first seed, default 900]

Accuracy: M = 1000, C = 1, six activations, L = 2..4, N/M = 0.2..2, one network a case, each case with a seed of its
own, none of them used while the code was written. KS: Kolmogorov-Smirnov distance of the network's bulk (its largest
eigenvalue left out) from the law, raw, after scaling to equal means, and with the network's measured kernels; `limit`
is the last without finite-size terms. top, bottom: its extreme bulk eigenvalues over the predicted edges, kernels
measured.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from empirical import measure
from meanfield import FIM, NTK, Network, spectrum

LAWS = {"tanh": (3.0, 0.64), "relu": (2.0, 0.1), "erf": (2.0, 0.3), "silu": (2.0, 0.1), "gelu": (2.0, 0.1),
        "softplus": (1.5, 0.1)}  # fmt: skip
DEPTHS, RATIOS, WIDTH = (2, 3, 4), (0.2, 0.5, 1.0, 2.0), 1000
MORE = [
    ("tanh, C = 3", Network(3, "tanh", 3.0, 0.64, outputs=3), FIM(), 400, 300),
    ("relu, C = 3", Network(3, "relu", 2.0, 0.1, outputs=3), FIM(), 400, 300),
    ("tanh", Network(3, "tanh", 3.0, 0.64), NTK(), 600, 600),
    ("relu", Network(3, "relu", 2.0, 0.1), NTK(), 600, 300),
    ("tanh", Network(3, "tanh", 3.0, 0.64), FIM(layer=1), 600, 300),
    ("tanh", Network(3, "tanh", 3.0, 0.64), FIM(layer=2), 600, 600),
    ("tanh", Network(3, "tanh", 3.0, 0.64), NTK(layer=3), 600, 600),
    ("tanh", Network(3, "tanh", 3.0, 0.64), FIM(centered=True), 600, 600),
    ("erf, centred", Network(3, "erf", 2.0, 0.0), FIM(), 600, 600),
    ("three activations", Network(4, ["tanh", "relu", "silu"], [1.5, 2, 2.5, 1], [0.1, 0.2, 0, 0.3],
                                  width_ratios=[1, 1.5, 0.5, 1]), FIM(), 600, 500),
    ("relu, M_0 = N/8", Network(3, "relu", 2.0, 0.1, width_ratios=[0.125, 1, 1]), FIM(), 800, 800),
]  # fmt: skip


def compared(network, metric, width, samples, seed):
    """KS raw, normalised, with kernels, and these without finite-size terms; top and bottom; outliers measured over
    predicted, and the spread predicted; second moment measured over predicted, kernels measured."""
    m = measure(network, metric, width=width, samples=samples, seed=seed, spectrum="full")
    law = spectrum(network, metric, width=width, samples=samples)
    own, limit = (
        spectrum(network, metric, width=width, samples=samples, kernels=m.order_parameters, finite_size=f)
        for f in (True, False)
    )
    count = len(own.outliers.values)
    e = m.eigenvalues
    distances = [law.distance(e), law.distance(e, normalised=True), own.distance(e)]
    distances.append(limit.distance(e) if limit.status == "ok" else np.nan)
    bottom = e[-1] / own.lower if own.lower > 1e-9 * own.upper else np.nan
    outliers = e[:count].mean() / law.outliers.values.mean() if count else np.nan
    spread = law.outliers.std.mean() / law.outliers.values.mean() if count else np.nan
    second = np.sum(e[count:] ** 2) / own.multiplicity / own.moments(2)[1]
    return [*distances, e[count] / own.upper, bottom, outliers, spread, second], law.status == own.status == "ok"


def seconds(action, repeats=5):
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        action()
        times.append(time.process_time() - begin)
    return min(times)


def cost():
    print(
        "cost at L = 4, warm, processor seconds (best of 5): edges and law | density at 300 points | rows of the table"
    )
    for activation in ("tanh", "relu", "linear"):
        for width, ratio in ((1000, 0.5), (1000, 2), (10**6, 2)):
            network, samples = Network(4, activation, 2.0, 0.1), int(ratio * width)
            law = spectrum(network, FIM(), width=width, samples=samples)
            x = np.linspace(max(law.lower, 1e-3 * law.upper), law.upper, 302)[1:-1]
            rows = len(law._solution.law.table)
            both = seconds(lambda: spectrum(network, FIM(), width=width, samples=samples))  # noqa: B023
            points = seconds(lambda: law.density(x))  # noqa: B023
            print(f"{activation:8} M = {width:<8} N/M = {ratio:<4} {both:6.3f} | {points:6.3f} | {rows}")


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 900
    cost()
    header = "KS raw  norm.   kernels limit | top    bottom | outlier  predicted sd | Σλ² of the bulk"
    print(f"\n{'M = 1000':<22} {header}")
    table = []
    for activation, law in LAWS.items():
        for depth in DEPTHS:
            for ratio in RATIOS:
                seed += 1
                network = Network(depth, activation, *law)
                row, ok = compared(network, FIM(), WIDTH, int(ratio * WIDTH), seed)
                table.append(row)
                show(f"{activation} {depth} {ratio}", row, ok)
    t = np.array(table)
    print("\naverage, worst (over all 72 cases)")
    for name, column in zip(("raw", "normalised", "kernels", "limit"), t.T, strict=False):
        print(f"  KS {name:<11} {np.nanmean(column):.4f} {np.nanmax(column):.4f}")
    top = t[:, 4] - 1
    print(
        f"  top edge: worst {np.max(np.abs(top)):.1%}, mean {np.mean(top):+.1%}; beyond 5 %: {np.sum(abs(top) > 0.05)}"
    )
    bottom = t[:, 5] - 1
    print(f"  bottom edge: worst {np.nanmax(np.abs(bottom)):.1%}, mean {np.nanmean(bottom):+.1%}")
    z = (t[:, 6] - 1) / t[:, 7]
    print(f"  outlier in predicted sd: mean {z.mean():+.2f}, rms {np.sqrt(np.mean(z**2)):.2f}")
    print(f"  Σλ² of the bulk: mean {t[:, 8].mean():.4f}, worst {np.max(np.abs(t[:, 8] - 1)):.1%}")
    print("\nother cases")
    for name, network, metric, width, samples in MORE:
        seed += 1
        row, ok = compared(network, metric, width, samples, seed)
        show(f"{name} {metric.label}", row, ok)


def show(name, row, ok):
    d, rest = row[:4], row[4:]
    numbers = " ".join(f"{x:.4f} " for x in d) + "| {:.3f}  {:6.3f} | {:6.3f}  {:6.3f} | {:.3f}".format(*rest)
    print(f"{name:<32} {numbers}" + ("" if ok else "  NOT OK"), flush=True)


if __name__ == "__main__":
    main()
