"""Which parts of the bulk's law matter: each taken out by itself, against one random network, kernels measured.

    python benchmarks/bench_spectrum_ablation.py [seed, default 950]

Fan and Wang's form has the backward Grams D only as their mean, a part of the ridge, and one average neuron a layer.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from unittest import mock

import numpy as np

from empirical import measure
from meanfield import FIM, Network, spectrum
from meanfield.bulk import whole as bulk
from meanfield.bulk.features import bulk_features
from meanfield.bulk.neurons import NeuronTable, neuron_table

CASES = [("tanh", 2, 1.0), ("tanh", 3, 1.0), ("tanh", 4, 1.0), ("relu", 3, 1.0), ("relu", 4, 0.5)]
LAWS = {"tanh": (3.0, 0.64), "relu": (2.0, 0.1)}
WIDTH = 1000


def mean_gradients(x):
    """D replaced by its mean."""
    gap = (x.backward - x.backward_st)[: x.depth]
    return replace(x, gradients=np.zeros(x.depth), ridge=x.ridge + float(np.sum(x.gradients * gap)))


def average_neurons(table):
    """One neuron a layer, with the mean of all coefficients, features and gradients uncorrelated."""
    rows = [table.rows[a:b] for a, b in zip(table.starts[:-1], table.starts[1:], strict=True)]
    means = np.concatenate([np.concatenate([[1.0], r[:, 0] @ r[:, 1:]])[None] for r in rows if len(r)])
    means[:, 3:5] = 0
    return NeuronTable(means, np.concatenate([[0, 0], np.arange(1, len(rows))]))


def same(given):
    return given


VARIANTS = {
    "full": (same, same, True),
    "no finite-size terms": (same, same, False),
    "D only as its mean": (mean_gradients, same, False),
    "average neurons": (same, average_neurons, False),
    "both: Fan-Wang form": (mean_gradients, average_neurons, False),
}


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 950
    print(f"{'case':<12}" + "".join(f"{name:>24}" for name in VARIANTS) + "   (KS, upper edge measured/predicted - 1)")
    for activation, depth, ratio in CASES:
        seed += 1
        network, samples = Network(depth, activation, *LAWS[activation]), int(ratio * WIDTH)
        m = measure(network, FIM(), width=WIDTH, samples=samples, seed=seed, spectrum="full")
        cells = []
        for change, merge, finite in VARIANTS.values():
            with (
                mock.patch.object(bulk, "bulk_features", lambda *a, f=change, **k: f(bulk_features(*a, **k))),
                mock.patch.object(bulk, "neuron_table", lambda *a, f=merge: f(neuron_table(*a))),
            ):
                law = spectrum(
                    network, FIM(), width=WIDTH, samples=samples, kernels=m.order_parameters, finite_size=finite
                )
            cells.append(f"{law.distance(m.eigenvalues):.4f} {m.eigenvalues[1] / law.upper - 1:+7.1%}")
        print(f"{activation + f' {depth} {ratio}':<12}" + "".join(f"{c:>24}" for c in cells), flush=True)


if __name__ == "__main__":
    main()
