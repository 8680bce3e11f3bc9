"""Finite-width theory against fresh random networks: ratios, coverage, the verdict, the prototype, and time.

A cell is one metric of one network law at one width and sample number; ``networks`` networks of each law are drawn and
measured. measured / refined is the mean over these networks over the prediction; where the verdict voids the outliers
the formula is compared all the same. A cell fails in a statistic if |measured/refined - 1| > 3 % + 3 standard errors.

    python benchmarks/bench_refined.py [--networks 200] [--seed 810000000] [--prototype PATH] [--cells]

``--cells`` prints every cell. About nine minutes of one core.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
import warnings
from dataclasses import dataclass

import numpy as np
import sympy

from empirical import measure
from meanfield import FIM, NTK, InputMetric, Network, order_parameters, predict
from meanfield.finite_width.refined import refined_spectrum
from meanfield.kernels.setting import Setting
from meanfield.leading.spectra import spectrum_statistics
from meanfield.prediction.intervals import central

STATISTICS = ("m", "s", "λ_max", "mean of top C", "λ_C")

# activation, σ_w², σ_b², depth, outputs, width, samples, width ratios
LAWS = [
    ("silu", 2.0, 0.1, 3, 10, 200, 50, None),
    ("silu", 1.5, 0.3, 2, 5, 100, 60, None),
    ("silu", 2.0, 0.2, 4, 3, 200, 80, None),
    ("gelu", 2.0, 0.2, 3, 5, 150, 60, None),
    ("gelu", 2.0, 0.1, 2, 20, 100, 50, None),
    ("gelu", 1.5, 0.1, 4, 5, 200, 60, None),
    ("softplus", 1.0, 0.1, 3, 10, 200, 50, None),
    ("softplus", 2.0, 0.3, 2, 5, 100, 80, None),
    ("softplus", 0.7, 0.2, 3, 3, 100, 60, None),
    ("sigmoid", 4.0, 0.3, 3, 10, 150, 50, None),
    ("sigmoid", 8.0, 0.1, 2, 5, 100, 60, None),
    ("sigmoid", 6.0, 0.5, 4, 5, 200, 60, None),
    ("tanh", 2.5, 0.5, 3, 10, 100, 50, None),
    ("tanh", 1.5, 0.3, 4, 5, 150, 60, None),
    ("tanh", 3.0, 0.3, 3, 10, 400, 50, None),
    ("tanh", 2.0, 0.2, 3, 20, 200, 50, None),
    ("tanh", 1.8, 0.4, 3, 5, 100, 80, (1.0, 2.0, 0.5)),
    ("relu", 2.0, 0.2, 3, 10, 150, 50, None),
    ("relu", 1.8, 0.1, 4, 5, 200, 60, None),
    ("relu", 2.0, 0.0, 3, 3, 100, 60, None),
    ("linear", 1.0, 0.2, 3, 5, 150, 60, None),
    ("linear", 1.0, 0.1, 2, 20, 200, 50, None),
    ("erf", 1.5, 0.3, 3, 10, 100, 50, None),
    ("erf", 2.0, 0.2, 3, 5, 300, 60, None),
    ("elu", 1.5, 0.2, 3, 5, 150, 60, None),
    ("mish", 2.0, 0.1, 3, 5, 200, 60, None),
    ("hardtanh", 2.0, 0.3, 3, 5, 100, 80, None),
    # Beyond or near the limits.
    ("erf", 5.0, 0.1, 3, 10, 100, 20, None),
    ("tanh", 4.0, 0.1, 3, 10, 300, 30, None),
    ("tanh", 2.0, 0.0, 3, 3, 100, 50, None),
    ("tanh", 3.0, 0.64, 3, 10, 100, 10, None),
    ("tanh", 3.0, 0.64, 3, 15, 50, 30, None),
    ("relu", 2.0, 0.05, 3, 15, 60, 20, None),
    ("relu", 2.0, 0.1, 7, 2, 30, 20, None),
    ("gelu", 2.0, 0.1, 8, 2, 30, 20, None),
    ("linear", 1.0, 0.1, 3, 10, 100, 15, None),
]


@dataclass(frozen=True)
class Cell:
    label: str
    ratio: np.ndarray  # measured / refined, by statistic
    error: np.ndarray  # its standard error
    leading: np.ndarray  # measured / leading order
    covered: np.ndarray  # share of networks inside the 95 % interval
    spread: np.ndarray  # measured / predicted standard deviation
    edge: float
    moments: bool
    outliers: bool

    @property
    def fails(self) -> np.ndarray:
        return np.abs(self.ratio - 1) > 0.03 + 3 * self.error

    @property
    def flagged(self) -> np.ndarray:
        return ~np.array([self.moments] * 2 + [self.outliers] * 3)


def cells(networks: int, seed: int):
    for law, (activation, weight, bias, depth, outputs, width, samples, ratios) in enumerate(LAWS):
        network = Network(depth, activation, weight, bias, outputs=outputs, width_ratios=ratios)
        metrics = [FIM(), NTK(), InputMetric(), FIM(layer=2), InputMetric(layer=0), FIM(centered=True)]
        drawn = [
            measure(network, metrics, width=width, samples=samples, seed=seed + 10_000 * law + n, spectrum="extremes")
            for n in range(networks)
        ]
        for index, metric in enumerate(metrics):
            label = f"{activation} ({weight}, {bias}) L={depth} M={width} C={outputs} N={samples} {metric.label}"
            yield cell(label, network, metric, width, samples, [trial[index] for trial in drawn])


def cell(label, network, metric, width, samples, drawn) -> Cell:
    setting = Setting.of(network, metric, order_parameters(network), width, samples)
    refined, _ = refined_spectrum(setting)
    leading = spectrum_statistics(setting.kernel)
    validity = predict(network, metric, width=width, samples=samples, order="refined").validity
    law = np.array([columns(*values) for values in zip(*refined.networks.values(), strict=True)])
    measured = np.array([columns(m.mean, m.second_moment, m.outliers) for m in drawn])
    predicted = columns(refined.mean, refined.second_moment, refined.outliers)
    low, high = central(law, 0.95).T
    deviation = measured.std(axis=0, ddof=1)
    return Cell(
        label,
        ratio=measured.mean(axis=0) / predicted,
        error=deviation / np.sqrt(len(drawn)) / predicted,
        leading=measured.mean(axis=0) / columns(leading.mean, leading.second_moment, leading.outliers),
        covered=np.where(np.isnan(predicted), np.nan, np.mean((low < measured) & (measured < high), axis=0)),
        spread=deviation / law.std(axis=0),
        edge=float(validity.edge),
        moments=bool(validity.moments),
        outliers=bool(validity.outliers),
    )


def columns(mean, second_moment, outliers) -> np.ndarray:
    top = (outliers[0], np.mean(outliers), outliers[-1]) if len(outliers) else (np.nan,) * 3
    return np.array([mean, second_moment, *top], float)


def summary(title: str, chosen: list[Cell]) -> None:
    print(f"\n{title}: {len(chosen)} cells")
    if not chosen:
        return
    ratio, error, leading, covered, spread = (
        np.array([getattr(c, name) for c in chosen]) for name in ("ratio", "error", "leading", "covered", "spread")
    )
    fails, flagged = np.array([c.fails for c in chosen]), np.array([c.flagged for c in chosen])
    chance = np.sqrt(2 / np.pi) * np.nanmean(error, axis=0)
    rows = {
        "mean |measured/refined - 1|": np.nanmean(np.abs(ratio - 1), axis=0),
        "  of which Monte Carlo": chance,
        "  beyond it": np.sqrt(np.maximum(np.nanmean((ratio - 1) ** 2 - error**2, axis=0), 0)),
        "mean |measured/leading - 1|": np.nanmean(np.abs(leading - 1), axis=0),
        "coverage of 95 %": np.nanmean(covered, axis=0),
        "measured/predicted std": np.nanmean(spread, axis=0),
        "failing": np.nansum(fails, axis=0),
        "failing and flagged": np.nansum(fails & flagged, axis=0),
        "not failing but flagged": np.nansum(~fails & flagged & ~np.isnan(ratio), axis=0),
    }
    print(f"{'':<30}" + "".join(f"{name:>15}" for name in STATISTICS))
    for name, values in rows.items():
        print(f"{name:<30}" + "".join(f"{x:>15.4g}" for x in values))


def milliseconds(depth: int, outputs: int) -> float:
    network = Network(depth, "tanh", 3.0, 0.64, outputs=outputs)
    widths = iter(range(100, 140))  # the law of the outliers is kept by its parameters: another width each time
    times = []
    for _ in range(11):
        width, start = next(widths), time.process_time()
        predict(network, FIM(), width=width, samples=100, order="refined")
        times.append(time.process_time() - start)
    return 1e3 * statistics.median(times[1:])


def against_prototype(path: str) -> None:
    """Largest relative differences over laws that the prototype knows (its erf is erf(u/√2))."""
    spec = importlib.util.spec_from_file_location("prototype", path)
    prototype = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(prototype)
    prototype.X, weights = np.polynomial.hermite_e.hermegauss(200)
    prototype.Wt = weights / np.sqrt(2 * np.pi)
    u = sympy.Symbol("u")
    names = {"tanh": "tanh", "relu": "relu", "linear": "linear", "erf": sympy.erf(u / sympy.sqrt(2))}
    kinds = {"fim": (FIM(), "fim", None), "ntk": (NTK(), "ntk", None), "A": (InputMetric(), "A", None),
             "A0": (InputMetric(layer=0), "A", 1)}  # fmt: skip
    worst: dict[str, float] = {}
    for name, (weight, bias) in {
        "tanh": (2.0, 0.3),
        "relu": (1.9, 0.2),
        "linear": (1.1, 0.2),
        "erf": (2.5, 0.4),
    }.items():
        for depth, width, outputs, samples in ((2, 120, 4, 70), (3, 160, 6, 60), (4, 240, 3, 50)):
            for metric, kind, only in kinds.values():
                theory = prototype.theory(name, depth, width, outputs, weight, bias, kind=kind, only=only)
                found = prototype.stats(theory, samples, nsim=20_000)
                network = Network(depth, names[name], weight, bias, outputs=outputs)
                p = predict(network, metric, width=width, samples=samples, order="refined")
                lam = found["lam"].mean(axis=0)
                differences = {
                    "E m": p.mean / found["m"][0] - 1, "sd m": p.std["mean"] / found["m"][1] - 1,
                    "E s": p.second_moment / found["s"][0] - 1, "sd s": p.std["second_moment"] / found["s"][1] - 1,
                    "λ_max, sampled by both": p.largest / lam[0] - 1,
                    "mean of top C, sampled by both": p.outliers.mean() / lam.mean() - 1,
                }  # fmt: skip
                for key, value in differences.items():
                    worst[key] = np.fmax(worst.get(key, 0.0), abs(value))
    print("\nagainst the prototype, largest relative differences over 48 cells:")
    for key, value in worst.items():
        print(f"  {key:<32}{value:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--networks", type=int, default=200)
    parser.add_argument("--seed", type=int, default=810_000_000)
    parser.add_argument("--prototype")
    parser.add_argument("--cells", action="store_true")
    options = parser.parse_args()
    print("predict, warm, processor time in ms: " + ", ".join(
        f"L={depth} C={outputs} {milliseconds(depth, outputs):.0f}" for depth, outputs in ((3, 10), (4, 10), (3, 20))
    ))  # fmt: skip
    if options.prototype:
        against_prototype(options.prototype)
    found = list(cells(options.networks, options.seed))
    whole = [c for c in found if "centered" not in c.label]
    new = [c for c in whole if c.label.split()[0] in ("silu", "gelu", "softplus", "sigmoid")]
    summary("edge/λ_C <= 0.7", [c for c in whole if c.edge <= 0.7])
    summary("edge/λ_C <= 0.7, silu, gelu, softplus, sigmoid", [c for c in new if c.edge <= 0.7])
    summary("verdict: outliers hold", [c for c in whole if c.outliers])
    summary("verdict: outliers do not hold", [c for c in whole if not c.outliers])
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no outliers: means of nothing
        summary("centered", [c for c in found if "centered" in c.label])
    print("\nfailing cells, (m, s, λ_max, mean of top C, λ_C):")
    for c in found:
        if c.fails.any() or options.cells:
            verdict = f"moments {'hold' if c.moments else 'flagged'}, outliers {'hold' if c.outliers else 'flagged'}"
            print(f"  {np.round(c.ratio, 3)}  edge {c.edge:.2f}  {verdict}  {c.label}")


if __name__ == "__main__":
    main()
