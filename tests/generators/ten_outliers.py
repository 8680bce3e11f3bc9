"""Makes tests/data/ten_outliers.json: means and spreads over random networks of the outliers of several outputs.

    python tests/generators/ten_outliers.py

Seeds 1000, 1001, ... Run time: half an hour on one core.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from empirical import measure
from meanfield import Network

TABLE = Path(__file__).parents[1] / "data" / "ten_outliers.json"
FIRST = 1000
# activation, weight and bias variance, outputs, metric, width, samples, networks
CASES = [
    ("tanh", 3.0, 0.64, 10, "fim", 1000, 100, 800),
    ("relu", 2.0, 0.1, 10, "fim", 500, 100, 500),
    ("tanh", 3.0, 0.64, 10, "ntk", 300, 150, 400),
    ("tanh", 3.0, 0.64, 3, "fim", 400, 200, 500),
    ("tanh", 3.0, 0.64, 1, "fim", 1000, 500, 400),
]


def main() -> None:
    rows = []
    for activation, sw2, sb2, outputs, metric, width, samples, networks in CASES:
        network = Network(3, activation, sw2, sb2, outputs=outputs)
        found = np.array(
            [
                measure(network, metric, width=width, samples=samples, seed=seed, spectrum="extremes").outliers
                for seed in range(FIRST, FIRST + networks)
            ]
        )
        rows.append(row(network, metric, width, samples, found))
    TABLE.write_text("[\n" + ",\n".join(json.dumps(r) for r in rows) + "\n]\n")


def row(network, metric, width, samples, found):
    return {
        "network": network.to_dict(),
        "metric": metric,
        "width": width,
        "samples": samples,
        "networks": len(found),
        "mean": [float(f"{x:.6g}") for x in found.mean(axis=0)],
        "std": [float(f"{x:.6g}") for x in found.std(axis=0, ddof=1)],
    }


if __name__ == "__main__":
    main()
