"""Edges, quantiles and outliers of the research prototype of docs/bulk_spectrum.md, an independent implementation:
damped iteration of the order parameters, Gauss-Hermite nodes, a small imaginary part.

Made by  `python tests/generators/bulk_prototype.py PATH_TO/bulk_spectrum.py > tests/data/bulk_prototype.json`.
The prototype's "erf" is erf(u/√2): its networks are ours with half the variances into each erf.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np

LAWS = {"tanh": (3.0, 0.64), "relu": (2.0, 0.1), "linear": (1.0, 0.1)}
CASES = [
    *((a, depth, 1000, samples, 1, "fim") for a in LAWS for depth in (2, 4) for samples in (200, 1000)),
    ("tanh", 3, 400, 400, 3, "fim"),
    ("relu", 3, 400, 200, 4, "fim"),
    ("tanh", 3, 800, 800, 1, "ntk"),
    ("relu", 4, 800, 400, 1, "ntk"),
]
SHARES = [0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98]


def main(path: str) -> None:
    sys.path.insert(0, str(Path(path).parent))
    prototype = importlib.import_module(Path(path).stem)
    rows = []
    for activation, depth, width, samples, outputs, family in CASES:
        sw2, sb2 = LAWS[activation]
        nu = 1 / samples if family == "fim" else 1.0
        net = prototype.Net(
            activation, depth, sw2, sb2, [width] * depth, samples, C=outputs, nz=48,
            param="std" if family == "fim" else "ntk",
        )  # fmt: skip
        edges = net.edges()
        x, _, mass = net.cdf(n=600, edges=edges)
        order = np.argsort(mass)
        centre, common, split = net.outliers()
        row = {
            "activation": activation, "depth": depth, "weight_variance": sw2, "bias_variance": sb2, "width": width,
            "samples": samples, "outputs": outputs, "metric": family, "edges": [nu * e for e in edges],
            "shares": SHARES, "quantiles": [nu * q for q in np.interp(SHARES, mass[order], x[order])],
            "outlier": nu * centre, "common": common, "split": split,
            "noise": [net.sg + net.sd, *net.sdx[:2]],
        }  # fmt: skip
        rows.append({k: [float(f"{u:.8g}") for u in v] if k in ("edges", "quantiles") else v for k, v in row.items()})
    print("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]")


if __name__ == "__main__":
    main(sys.argv[1])
