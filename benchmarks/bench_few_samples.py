"""Outliers of few samples at the refined order, and of cells that the leading order's margin alone voids.

Mean over ``networks`` networks over the formula's value, whether the verdict lets it stand or not.

    python benchmarks/bench_few_samples.py [--networks 200] [--seed 78000000]

About three minutes of one core.
"""

from __future__ import annotations

import argparse

import numpy as np

from empirical import measure
from meanfield import FIM, NTK, InputMetric, Network, order_parameters, predict
from meanfield.finite_width.refined import refined_spectrum
from meanfield.kernels.setting import Setting

# activation, σ_w², σ_b², depth, outputs, width
FEW = [
    ("tanh", 3.0, 0.64, 3, 5, 200),
    ("tanh", 1.5, 0.3, 3, 20, 100),
    ("relu", 2.0, 0.1, 3, 10, 100),
    ("tanh", 2.0, 0.2, 3, 3, 100),
    ("gelu", 2.0, 0.1, 3, 10, 100),
    ("tanh", 2.5, 0.5, 2, 10, 60),
]
# and samples, metric
LOW_MARGIN = [
    (("erf", 2.0, 0.1, 3, 1, 100), 100, NTK(layer=1)),
    (("tanh", 3.0, 0.2, 3, 1, 100), 100, NTK(layer=1)),
    (("tanh", 3.0, 0.1, 3, 1, 100), 20, NTK()),
    (("erf", 2.0, 0.03, 3, 2, 100), 100, NTK()),
    (("erf", 2.0, 0.03, 3, 1, 100), 100, FIM()),
    (("tanh", 3.0, 0.01, 3, 1, 100), 1000, FIM()),
]


def compare(law, samples: int, metrics: list, networks: int, seed: int) -> None:
    activation, weight, bias, depth, outputs, width = law
    network = Network(depth, activation, weight, bias, outputs=outputs)
    drawn = [
        measure(network, metrics, width=width, samples=samples, seed=seed + n, spectrum="extremes")
        for n in range(networks)
    ]
    for index, metric in enumerate(metrics):
        setting = Setting.of(network, metric, order_parameters(network), width, samples)
        formula = refined_spectrum(setting)[0].outliers
        validity = predict(network, metric, width=width, samples=samples, order="refined").validity
        found = np.array([trial[index].outliers for trial in drawn])
        ratio, error = found.mean(axis=0) / formula, found.std(axis=0, ddof=1) / np.sqrt(networks) / formula
        print(
            f"{activation} ({weight}, {bias}) L={depth} M={width} C={outputs} N={samples} {metric.label:<14} "
            f"{'holds' if validity.outliers else 'void ':<5} edge {float(validity.edge):.2f} "
            f"λ_max {ratio[0]:.3f} ± {error[0]:.3f} λ_C {ratio[-1]:.3f} ± {error[-1]:.3f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=200)
    parser.add_argument("--seed", type=int, default=78_000_000)
    options = parser.parse_args()
    for samples in (1, 2, 3, 4, 6):
        for index, law in enumerate(FEW):
            metrics = [FIM(), NTK(), InputMetric(), FIM(layer=2)]
            compare(law, samples, metrics, options.networks, options.seed + 10_000 * index + 1000 * samples)
    for law, samples, metric in LOW_MARGIN:
        networks = options.networks if samples <= 100 else max(options.networks // 10, 2)
        compare(law, samples, [metric], networks, options.seed + 1_000_000)


if __name__ == "__main__":
    main()
