"""`given_spectrum` against random networks on the same inputs, real ones and planted.

    python benchmarks/bench_given_spectrum.py [first seed, default 1500]

C = 1, one network a row. Kolmogorov distance of the network's bulk from the law, raw and scaled to equal means, from
the mean-field kernel's eigenvalues alone, and from `spectrum(..., inputs=X)`, the law for their covariance; median
|log10(measured/predicted)| eigenvalue by eigenvalue, by the law and by the kernel; top, bottom: the bulk's extreme
eigenvalues over the predicted ones; common: the outlier over the kernel's. The kernel is that of closed forms (relu,
erf). Needs scikit-learn.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from sklearn import datasets

from empirical import measure
from meanfield import FIM, NTK, Network, spectrum
from meanfield.bulk.given import given_spectrum

LAWS = {"relu": (2.0, 0.1), "erf": (3.0, 0.3)}


def arcs(q):
    root = np.sqrt(np.outer(np.diagonal(q), np.diagonal(q)))
    angle = np.arccos(np.clip(q / root, -1, 1))
    return root / (2 * np.pi) * (np.sin(angle) + (np.pi - angle) * np.cos(angle)), (np.pi - angle) / (2 * np.pi)


def errors(q):
    a = 1 + 2 * np.diagonal(q)
    outer = np.outer(a, a)
    return 2 / np.pi * np.arcsin(2 * q / np.sqrt(outer)), 4 / np.pi / np.sqrt(outer - 4 * q**2)


DUAL = {"relu": arcs, "erf": errors}


def kernel(x, activation, depth, width, metric):
    """Of the whole metric, "fim" or "ntk", in its normalisation."""
    (n, d), (sw2, sb2) = x.shape, LAWS[activation]
    features, qs, slopes = [x @ x.T / d], [], []
    for _ in range(depth):
        qs.append(sw2 * features[-1] + sb2)
        feature, slope = DUAL[activation](qs[-1])
        features.append(feature)
        slopes.append(slope)
    backward, total = np.ones((n, n)), np.zeros((n, n))
    for l in range(depth, 0, -1):
        units = d if l == 1 else width
        total += backward * ((units * features[l - 1] + 1) / n if metric.family == "fim" else qs[l - 1])
        backward = backward * sw2 * slopes[l - 2] if l > 1 else backward
    return total


def planted(n, d, slope, seed):
    return np.random.default_rng((1501, seed)).standard_normal((n, d)) * np.exp(-slope / 2 * np.arange(d))


def real(name, scaling, n):
    x = getattr(datasets, f"load_{name}")().data.astype(float)
    x = x[np.random.default_rng(1502).permutation(len(x))[:n]]
    if scaling == "standard":
        x = x[:, x.std(axis=0) > 0]
        x = (x - x.mean(axis=0)) / x.std(axis=0)
    return x


def cases():
    sets = [(f"{name} {s}", real(name, s, 250)) for name in ("digits", "breast_cancer", "diabetes", "wine", "iris")
            for s in ("standard", "raw")]  # fmt: skip
    sets += [(f"exp(-{c} i), d = 100", planted(250, 100, c, k)) for k, c in enumerate((0, 0.05, 0.2))]
    for name, x in sets:
        for activation in LAWS:
            yield name, x, activation, 3, 500, FIM()
    digits = real("digits", "standard", 250)
    for width in (125, 250, 1000, 2000):
        for activation in LAWS:
            yield "digits standard", digits, activation, 3, width, FIM()
    for activation in LAWS:
        yield "digits standard", digits, activation, 3, 500, NTK()
        for depth in (2, 5):
            yield "digits standard", digits, activation, depth, 500, FIM()


def row(x, activation, depth, width, metric, seed):
    x = x / np.sqrt(np.mean(x**2))
    n, d = x.shape
    network = Network(depth, activation, *LAWS[activation], width_ratios=[d / width] + [1] * (depth - 1))
    e = measure(network, metric, width=width, inputs=x, seed=seed, spectrum="full").eigenvalues
    begin = time.process_time()
    law = given_spectrum(network, metric, width=width, inputs=x, kernel=kernel(x, activation, depth, width, metric))
    seconds = time.process_time() - begin
    covariance = spectrum(network, metric, width=width, inputs=x)
    common = int(np.sum(law.eigenvalues > law.common))
    bulk = np.delete(e, common)
    count = len(bulk)  # fewer than N - 1 where the rest is zero to rounding
    pairs = (law.eigenvalues, np.maximum(law.kernel_eigenvalues, 1e-300))
    logs = [np.median(np.abs(np.log10(bulk / values[:count]))) for values in pairs]
    alone = stepwise(np.concatenate([bulk, np.zeros(n - 1 - count)]), law.kernel_eigenvalues)
    ends = [bulk[0] / law.eigenvalues[0], bulk[-1] / law.eigenvalues[count - 1], e[common] / law.common]
    return law, [
        law.distance(e),
        law.distance(e, normalised=True),
        alone,
        covariance.distance(e),
        *logs,
        *ends,
        seconds,
    ]


def surrogates():
    """Kernels of Gaussian inputs with a set's mean and covariance against networks on the set: what no law of the
    covariance alone can be better than, but for the noise of the width (M = 2000)."""
    print("\nkernels of Gaussian surrogates against networks on the set, M = 2000; the set's own kernel")
    for scaling in ("standard", "raw"):
        x = real("digits", scaling, 250)
        x = x / np.sqrt(np.mean(x**2))
        n, d = x.shape
        values, vectors = np.linalg.eigh(np.cov(x.T))
        z = np.random.default_rng(1503).standard_normal((n, d)) * np.sqrt(values.clip(0))
        surrogate = x.mean(axis=0) + z @ vectors.T
        for activation in LAWS:
            network = Network(3, activation, *LAWS[activation], width_ratios=[d / 2000, 1, 1])
            e = measure(network, FIM(), width=2000, inputs=x, seed=1504, spectrum="full").eigenvalues
            pair = [stepwise(np.linalg.eigvalsh(kernel(y, activation, 3, 2000, FIM())), e) for y in (surrogate, x)]
            print(f"  digits {scaling:<9} {activation:<4} {pair[0]:.3f} {pair[1]:.3f}")


def stepwise(one, other):
    """The Kolmogorov distance of two spectra."""
    one, other = np.sort(one), np.sort(other)
    both = np.concatenate([one, other])
    shares = [np.searchsorted(v, both, "right") / len(v) for v in (one, other)]
    return np.abs(shares[0] - shares[1]).max()


def main():
    seed, table = int(sys.argv[1]) if len(sys.argv) > 1 else 1500, []
    sizes = f"{'inputs':<22} {'N':>4} {'M':>5} L          "
    print(f"{sizes}| law   scaled kernel cov.  | |Δlog10| kernel | top   bottom common | s")
    for name, x, activation, depth, width, metric in cases():
        seed += 1
        law, r = row(x, activation, depth, width, metric, seed)
        warned = "  warns" if law.warnings else ""
        if not law.warnings and law.status == "ok":
            table.append(r)
        print(
            f"{name:<22} {len(x):>4} {width:>5} {depth} {activation:<4} {metric.family:<4}| "
            + " ".join(f"{v:.3f}" for v in r[:4])
            + f" | {r[4]:.3f}    {r[5]:.3f}  | {r[6]:.3f} {r[7]:6.3f} {r[8]:6.3f} | {r[9]:.2f}{warned}",
            flush=True,
        )
    t = np.array(table)
    print(f"\n{len(t)} rows without a warning: median, worst")
    names = ("law", "scaled", "kernel alone", "covariance", "|Δlog10|", "kernel")
    for name, column in zip(names, t.T, strict=False):
        print(f"  {name:<13} {np.median(column):.3f} {column.max():.3f}")
    print("least, median, largest")
    for name, column in zip(("top", "bottom", "common"), t.T[6:9], strict=True):
        print(f"  {name:<13} {column.min():.3f} {np.median(column):.3f} {column.max():.3f}")
    surrogates()


if __name__ == "__main__":
    main()
