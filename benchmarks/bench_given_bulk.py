"""`spectrum(..., inputs=X)` against random networks on the same X: where the law with the inputs' covariance is right.

    python benchmarks/bench_given_bulk.py [first seed, default 1300]

M = 600, L = 3, C = 1, FIM, one network a row. Kolmogorov distance of the network's bulk from the law: raw, scaled to
equal means, and with the network's measured kernels; the last also as if the inputs were i.i.d. (iid), and with the
sample covariance's own eigenvalues instead of the population's (sample). top, bottom: its extreme bulk eigenvalues over
the edges; outlier: over the law's. Rows are sorted by `ridge_spread`, which the result has and its warnings go by.
Needs scikit-learn.
"""

from __future__ import annotations

import sys

import numpy as np
from sklearn import datasets

from empirical import measure
from meanfield import FIM, Network, spectrum

WIDTH, LAWS = 600, {"tanh": (3.0, 0.64), "relu": (2.0, 0.1), "gelu": (2.0, 0.1)}
REAL = {"digits": 300, "breast_cancer": 300, "wine": 178, "diabetes": 300}


def gaussian(name, n, covariance, spread=0.0, mean=0.0):
    """n samples with these eigenvalues, norms multiplied by e^{spread z}, and a mean in a direction of its own."""
    random = np.random.default_rng((1301, n, len(covariance)))
    x = random.standard_normal((n, len(covariance))) * np.sqrt(covariance)
    x *= np.exp(spread * random.standard_normal((n, 1)))
    direction = random.standard_normal(len(covariance)) * np.sqrt(mean * np.mean(covariance))
    return name, x + direction


def real(name, scaling, n):
    x = getattr(datasets, f"load_{name}")().data.astype(float)
    x = x[np.random.default_rng((1302,)).permutation(len(x))[:n]]
    if scaling == "standard":
        x = x[:, x.std(axis=0) > 0]
        x = (x - x.mean(axis=0)) / x.std(axis=0)
    return f"{name} {scaling}", x


def cases():
    i = np.arange(300.0)
    for n in (75, 300, 600):
        yield gaussian("identity, d = 300", n, 1 + 0 * i)
        yield gaussian("exp(-.01 i), d = 300", n, np.exp(-0.01 * i))
        yield gaussian("exp(-.03 i), d = 300", n, np.exp(-0.03 * i))
        yield gaussian("i^-1/2, d = 300", n, (1 + i) ** -0.5)
        yield gaussian("i^-1, d = 300", n, 1 / (1 + i))
        yield gaussian("a tenth 9 times, d = 300", n, np.where(i < 30, 9.0, 1.0))
        yield gaussian("with a mean, d = 300", n, np.exp(-0.01 * i), mean=0.5)
        yield gaussian("norms e^.1z, d = 300", n, 1 + 0 * i, spread=0.1)
        yield gaussian("norms e^.3z, d = 300", n, 1 + 0 * i, spread=0.3)
        yield gaussian("exp(-.1 i), d = 64", n, np.exp(-0.1 * np.arange(64)))
    for name, most in REAL.items():
        for scaling in ("standard", "raw"):
            for n in (60, most):
                yield real(name, scaling, n)


def compared(activation, x, seed):
    n, d = x.shape
    x = x / np.sqrt(np.mean(x**2))
    network = Network(3, activation, *LAWS[activation], width_ratios=[d / WIDTH, 1, 1])
    m = measure(network, FIM(), width=WIDTH, inputs=x, seed=seed, spectrum="full")
    own, e = {"width": WIDTH, "samples": n, "kernels": m.order_parameters}, m.eigenvalues
    values = np.zeros(d)
    values[: min(n, d)] = np.linalg.svd(x - x.mean(axis=0), compute_uv=False) ** 2
    law, mine = spectrum(network, FIM(), width=WIDTH, inputs=x), spectrum(network, FIM(), inputs=x, **own)
    iid = spectrum(network, FIM(), **own)
    sample = spectrum(network, FIM(), input_spectrum=values / values.mean(), **own)
    count = len(law.outliers.values)
    outlier = e[0] / law.outliers.values[0] if count else np.nan
    distances = [
        law.distance(e),
        law.distance(e, normalised=True),
        mine.distance(e),
        iid.distance(e),
        sample.distance(e),
    ]
    return law, [*distances, e[count] / law.upper, e[-1] / law.lower if law.lower > 0 else np.nan, outlier]


def main():
    seed, rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1300, []
    for name, x in cases():
        for activation in LAWS:
            seed += 1
            law, numbers = compared(activation, x, seed)
            rows.append((law.inputs.ridge_spread, f"{name} {activation}", x.shape, law.status == "ok", numbers))
    print(f"{'inputs':<38} {'N':>4} {'d':>4} spread | raw   scaled kernels iid   sample | top   bottom outlier")
    for spread, name, (n, d), ok, r in sorted(rows, key=lambda row: row[0]):
        print(
            f"{name:<38} {n:>4} {d:>4} {spread:.3f}  | {' '.join(f'{v:.3f}' for v in r[:5])} | "
            f"{' '.join(f'{v:.3f}' for v in r[5:])}{'' if ok else '  not ok'}"
        )
    spreads, kernels = np.array([r[0] for r in rows]), np.array([r[4][2] for r in rows])
    print("\nKolmogorov distance, kernels measured, by spread: cases, median, least, largest")
    for low, high in ((0, 0.15), (0.15, 0.3), (0.3, 0.45), (0.45, 0.6), (0.6, 0.8), (0.8, 1.2), (1.2, 2.01)):
        d = kernels[(spreads >= low) & (spreads < high)]
        if len(d):
            print(f"  {low:.2f} to {high:.2f}: {len(d):3} {np.median(d):.3f} {d.min():.3f} {d.max():.3f}")
    ranks = [np.argsort(np.argsort(v)) for v in (spreads, kernels)]
    print(f"rank correlation of spread and distance: {np.corrcoef(*ranks)[0, 1]:.3f}")


if __name__ == "__main__":
    main()
