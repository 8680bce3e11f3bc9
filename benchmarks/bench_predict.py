"""How long one ``predict`` takes, warm: the median of several calls, in milliseconds of processor time.

python benchmarks/bench_predict.py
"""

from __future__ import annotations

import statistics
import time

from meanfield import FIM, NTK, InputMetric, Network, predict

LAWS = {"tanh": (3.0, 0.64), "relu": (2.0, 0.1)}
SIZES = [(1000, 100), (1000, 10_000), (100_000, 100)]


def milliseconds(question, repeat: int) -> float:
    question()
    times = []
    for _ in range(repeat):
        start = time.process_time()
        question()
        times.append(time.process_time() - start)
    return 1e3 * statistics.median(times)


def main() -> None:
    print(f"{'activation':<11}{'metric':<30}{'width':>8}{'samples':>9}{'ms':>9}")
    for activation, (weight, bias) in LAWS.items():
        network = Network(3, activation, weight, bias, outputs=10)
        for metric in (FIM(), NTK(), InputMetric(), FIM(loss="cross_entropy"), NTK(loss="cross_entropy")):
            for width, samples in SIZES:
                repeat = 20 if metric.loss == "mse" else 5
                taken = milliseconds(lambda: predict(network, metric, width=width, samples=samples), repeat)  # noqa: B023
                print(f"{activation:<11}{metric.label:<30}{width:>8}{samples:>9}{taken:>9.1f}")


if __name__ == "__main__":
    main()
