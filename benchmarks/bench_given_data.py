"""`predict(..., inputs=X)` against random networks on the same X, eigenvalue by eigenvalue.

    python benchmarks/bench_given_data.py [accuracy] [required] [groups] [softmax]

Without a word, all four tables: about ten minutes of one core. L = 3, N = 300 (all of a smaller set), four networks a
cell; the data's and the networks' seeds stand below. Δ = log10(measured/predicted) of the eigenvalues that both
sides resolve, λ > 10 N ε λ_1. A cell's figure is the median of |Δ| over eigenvalues and networks; its shift the median
of Δ in each decade below λ_1. Warnings: N for N/M, K for samples that few kinks tell apart, R for unresolved
eigenvalues. Needs scikit-learn and mlxtend (extra `datasets`).
"""

from __future__ import annotations

import importlib.util
import sys

import numpy as np

from empirical import measure
from empirical.backends import make_backend
from empirical.data import load
from empirical.networks.passes import draw_network, forward
from empirical.networks.streams import Source, as_seed
from meanfield import FIM, NTK, Network, predict

LAWS = {"relu": (2.0, 0.1), "tanh": (3.0, 0.64), "erf": (3.0, 0.3)}
SETS = ("digits", "breast_cancer", "diabetes", "boston", "mnist5k", "wine")  # §A doesn't show wine, and sloppy below
SLOPPY = {"d": 40, "c": 0.4}
SAMPLES, DATA_SEED, FIRST_SEED, NETWORKS, WIDTHS = 300, 1515, 151_500, 4, (500, 2000)
LETTERS = {"N/M": "N", "have their kink": "K", "are below what is known": "R"}


def cases():
    """Name, scaling, inputs."""
    for name in SETS:
        n = min(SAMPLES, 178) if name == "wine" else SAMPLES
        for scaling in ("raw", "standard"):
            yield name, scaling, load(name, n, scaling, DATA_SEED).inputs
    yield "sloppy e^-.4i", "raw", load("sloppy", SAMPLES, "raw", DATA_SEED, **SLOPPY).inputs


def network_of(activation, inputs, width, outputs=1):
    law = Network(3, activation, *LAWS[activation], outputs=outputs)
    return law.with_features(inputs.shape[1], width)


def apart(measured, predicted):
    """Δ of the eigenvalues that both resolve, and the predicted ones."""
    count = min(len(measured), len(predicted))
    rounding = 10 * count * np.finfo(float).eps
    known = (measured[:count] > rounding * measured[0]) & (predicted[:count] > rounding * predicted[0])
    return np.log10(measured[:count][known] / predicted[:count][known]), predicted[:count][known]


def letters(prediction):
    return "".join(letter for words, letter in LETTERS.items() if any(words in w for w in prediction.warnings))


def shifts(pairs):
    """The median of Δ in each decade below λ_1."""
    off, values = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    decade = np.floor(np.log10(values.max() / values)).astype(int)
    return " ".join(f"{np.median(off[decade == k]):+.2f}" for k in range(decade.max() + 1) if np.any(decade == k))


def accuracy():
    print(f"{'FIM and NTK, C = 1':<35}| M = {WIDTHS[0]}          | M = {WIDTHS[1]}")
    print(f"{'inputs':<25} {'':<5} dec. | FIM   NTK   warns| FIM   NTK   |Δ_1| warns| FIM's shift by decade")
    seed = FIRST_SEED
    for name, scaling, x in cases():
        for activation in LAWS:
            row, decades = "", 0.0
            for width in WIDTHS:
                law = network_of(activation, x, width)
                laws = [predict(law, metric, width=width, inputs=x) for metric in (FIM(), NTK())]
                pairs = ([], [])
                for _ in range(NETWORKS):
                    seed += 1
                    found = measure(law, [FIM(), NTK()], width=width, inputs=x, seed=seed, spectrum="full")
                    for pair, one, p in zip(pairs, found, laws, strict=True):
                        pair.append(apart(one.eigenvalues, p.eigenvalues))
                fim, ntk = (np.median(np.abs(np.concatenate([off for off, _ in pair]))) for pair in pairs)
                row += f" | {fim:.3f} {ntk:.3f} "
                row += f"{max(abs(off[0]) for off, _ in pairs[0]):.3f} " if width == WIDTHS[-1] else ""
                row += f"{letters(laws[0]):<4}"
                decades = np.log10(np.max(pairs[0][0][1]) / np.min(pairs[0][0][1]))
            print(f"{name + ' ' + scaling:<25} {activation:<5} {decades:4.1f}{row} | {shifts(pairs[0])}", flush=True)


def required():
    """The cells that have a target, with more networks: of all eigenvalues, and the best and worst single network."""
    print("\nFIM, tanh, 16 networks: median |Δ|, least and largest of one network; median Δ by decade")
    for name, scaling, width in (("digits", "standard", 2000), ("digits", "standard", 500), ("boston", "raw", 2000)):
        x = load(name, SAMPLES, scaling, DATA_SEED).inputs
        law = network_of("tanh", x, width)
        p = predict(law, FIM(), width=width, inputs=x).eigenvalues
        pairs = [
            apart(measure(law, FIM(), width=width, inputs=x, seed=seed, spectrum="full").eigenvalues, p)
            for seed in range(FIRST_SEED + 5000, FIRST_SEED + 5016)
        ]
        single = [np.median(np.abs(off)) for off, _ in pairs]
        every = np.median(np.abs(np.concatenate([off for off, _ in pairs])))
        print(
            f"  {name} {scaling:<9} M = {width:<5} {every:.3f}  {min(single):.3f} {max(single):.3f}  {shifts(pairs)}",
            flush=True,
        )


def groups():
    """Each predicted eigenvalue against the geometric mean of its group of C, and the spread within."""
    width = 1000
    print(f"\nFIM, M = {width}: median |Δ| of groups, of single eigenvalues; sd of Δ in a group: median, top")
    for scaling in ("standard", "raw"):
        for activation in LAWS:
            for outputs, samples in ((10, SAMPLES), (10, 100), (1, SAMPLES)):
                x = load("digits", samples, scaling, DATA_SEED).inputs
                law, off = network_of(activation, x, width, outputs), []
                predicted = predict(law, FIM(), width=width, inputs=x).eigenvalues
                for seed in range(FIRST_SEED + 6000, FIRST_SEED + 6000 + NETWORKS):
                    e = measure(law, FIM(), width=width, inputs=x, seed=seed, spectrum="full").eigenvalues
                    off.append(np.log10(e.reshape(-1, outputs) / predicted[:, None]))
                off = np.array(off)
                spread = np.median(off.std(axis=2), axis=0)
                print(
                    f"  digits {scaling:<9} {activation:<5} C = {outputs:<3} N = {samples:<4} "
                    f"{np.median(np.abs(off.mean(axis=2))):.3f} {np.median(np.abs(off)):.3f}  "
                    f"{np.median(spread):.3f} {spread[0]:.3f}",
                    flush=True,
                )


def logits_of(law, width, x, seed):
    """Those of the network that ``measure`` draws from this seed."""
    machine = make_backend("numpy", "float64")
    return forward(draw_network(law, width, Source(as_seed(seed), machine)), x, machine).logits


def softmax():
    """Cross-entropy: the measured logits with the predicted kernel."""
    width, metric = 1000, FIM(loss="cross_entropy")
    print(f"\nFIM of cross-entropy, C = 10, M = {width}, logits measured: median |Δ| of the first, second, third;")
    print("mean Δ of the first ± its standard error; median |Δ| of all")
    for scaling in ("standard", "raw"):
        x = load("digits", SAMPLES, scaling, DATA_SEED).inputs
        for activation in LAWS:
            law, off = network_of(activation, x, width, 10), []
            for seed in range(FIRST_SEED + 7000, FIRST_SEED + 7000 + NETWORKS):
                logits = logits_of(law, width, x, seed)
                e = measure(law, metric, width=width, inputs=x, seed=seed, spectrum="full").eigenvalues
                off.append(apart(e, predict(law, metric, width=width, inputs=x, logits=logits).eigenvalues)[0])
            top = np.array([o[:3] for o in off])
            numbers = " ".join(f"{v:.3f}" for v in np.median(np.abs(top), axis=0))
            mean = f"{np.mean(top[:, 0]):+.3f} ± {np.std(top[:, 0], ddof=1) / np.sqrt(NETWORKS):.3f}"
            every = np.median(np.abs(np.concatenate(off)))
            print(f"  digits {scaling:<9} {activation:<5} {numbers}   {mean}   {every:.3f}", flush=True)


TABLES = {"accuracy": accuracy, "required": required, "groups": groups, "softmax": softmax}


def main():
    missing = [name for name in ("sklearn", "mlxtend") if importlib.util.find_spec(name) is None]
    if missing:
        print(f"{', '.join(missing)}: not installed, nothing measured (extra `datasets`)")
        return
    for name in sys.argv[1:] or TABLES:
        TABLES[name]()


if __name__ == "__main__":
    main()
