"""Makes tests/data/finite_width.json: finite-width theory by its rough prototype, another code.

    python tests/generators/finite_width.py prototypes/finite_width.py

The prototype works on arrays over four sample labels, differentiates by finite differences (good to 1e-4 or so) and
samples the outliers from a pseudo-random stream. It runs here with 200 quadrature nodes instead of its 100, and 40,000
samples. ``kernel`` is the law of the dual's entries by class of four labels ("0101": the pair of two samples with
itself), ``spectrum`` the statistics with their standard deviations; ``outliers`` carries standard errors. Run time: two
minutes.
"""

import importlib.util
import itertools
import json
import sys
from pathlib import Path

import numpy as np
from numpy.polynomial.hermite_e import hermegauss

TABLE = Path(__file__).parents[1] / "data" / "finite_width.json"
SAMPLES = 40_000
LAWS = [
    {"activation": "tanh", "weight_variance": 1.5, "bias_variance": 0.2},
    {"activation": "relu", "weight_variance": 2.0, "bias_variance": 0.1},
    {"activation": "linear", "weight_variance": 1.0, "bias_variance": 0.1},
    {"activation": "erf", "weight_variance": 3.0, "bias_variance": 0.3},
]
# depth, widths M_0..M_{L-1}, outputs, samples
SIZES = [(2, [100, 100], 10, 100), (3, [100, 50, 200], 5, 50), (4, [200, 200, 200, 200], 3, 60)]
# the library's metric, the prototype's kind and its number of the one layer that counts
METRICS = [
    ({"family": "fim"}, "fim", None),
    ({"family": "ntk"}, "ntk", None),
    ({"family": "input_metric"}, "A", None),
    ({"family": "input_metric", "layer": 0}, "A", 1),
    ({"family": "fim", "layer": 2}, "fim", 2),
]


def load(path):
    spec = importlib.util.spec_from_file_location("prototype", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.X, weights = hermegauss(200)
    module.Wt = weights / np.sqrt(2 * np.pi)
    return module


def row(prototype, law, size, metric, data):
    depth, widths, outputs, samples = size
    question, kind, only = metric
    theory = prototype.theory(
        law["activation"], depth, widths[1], outputs, law["weight_variance"], law["bias_variance"], kind=kind,
        M0=widths[0], widths=widths[1:], data=data, only=only,
    )  # fmt: skip
    # One layer's FIM at the top has no randomness across outputs: the prototype divides by zero there, the library not.
    if not theory["Bv"][0, 1, 2, 3] > 0:
        return None
    found = prototype.stats(theory, samples, nsim=SAMPLES)
    outliers = found["lam"]

    def by_class(values):
        return {"".join(map(str, c)): float(values[c]) for c in prototype.P4}

    return {
        **law,
        "widths": [*widths, outputs],
        "samples": samples,
        "metric": question,
        "data": {"gauss": "gaussian", "fixed": "fixed"}[data],
        "kernel": {
            "theta": theory["th"].tolist(),
            "shift": theory["dth"].tolist(),
            "shared": by_class(theory["V"]),
            "crossing": by_class(theory["Bv"]),
            "cubic": float(theory["t3"]),
        },
        "spectrum": {
            "mean": [float(x) for x in found["m"]],
            "second_moment": [float(x) for x in found["s"]],
            "outliers": outliers.mean(0).tolist(),
            "outliers_std": outliers.std(0).tolist(),
            "outliers_error": (outliers.std(0) / np.sqrt(SAMPLES)).tolist(),
            "edge": float(found["edge"]),
        },
    }


def main():
    prototype = load(sys.argv[1])
    cases = [*itertools.product(LAWS, SIZES, METRICS, ["gauss"]), (LAWS[0], SIZES[1], METRICS[0], "fixed")]
    rows = [x for x in (row(prototype, *case) for case in cases) if x is not None]
    about = {
        "made_by": "tests/generators/finite_width.py, where the columns are explained",
        "erf": "the prototype's erf is erf(u/√2)",
        "samples of the law of the outliers": SAMPLES,
    }
    text = json.dumps({"about": about, "cases": rows}, ensure_ascii=False)
    TABLE.write_text(text.replace('{"activation"', '\n{"activation"') + "\n")
    print(len(rows), "cases")


if __name__ == "__main__":
    main()
