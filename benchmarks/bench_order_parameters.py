"""What order parameters cost: one network, a grid of networks, the first call, and depth. Values are checked first.

    python benchmarks/bench_order_parameters.py

neural-tangents takes part where it is installed: its tanh has no kernel of its own, so it integrates with
`ElementwiseNumerical` at the recommended degree 25, and it knows the forward parameters only. Times are seconds of this
machine, the least of several runs; compare ratios. BLAS runs on one thread.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_limits

from meanfield.gaussian.interpolants import moment_table
from meanfield.propagation.recursion import OrderParameters, order_parameters, order_parameters_grid
from meanfield.spec import Network

POINTS, DEPTH = 100, 50
NAMES = ("q", "q_st", "forward", "forward_st", "backward", "backward_st")


def least(run: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def grid() -> tuple[OrderParameters, np.ndarray, np.ndarray]:
    weight, bias = np.meshgrid(np.linspace(0.5, 4.0, POINTS), np.linspace(0.0, 1.0, POINTS))
    return order_parameters_grid("tanh", DEPTH, weight, bias), weight, bias


def worst_error() -> float:
    """Of 200 random points of the grid, per order parameter, relative to it, against the direct path."""
    answer, weight, bias = grid()
    worst = 0.0
    for flat in np.random.default_rng(0).integers(0, POINTS**2, 200):
        i = np.unravel_index(flat, weight.shape)
        direct = order_parameters(Network(DEPTH, "tanh", float(weight[i]), float(bias[i])))
        for name in NAMES:
            found, truth = getattr(answer, name)[(slice(None), *i)], getattr(direct, name)
            scale = np.where(truth == 0, 1.0, np.abs(truth))
            worst = max(worst, float(np.max(np.abs(found - truth) / scale)))
    return worst


def report_grid() -> None:
    order_parameters(Network(3, "tanh", 1.0, 0.1))  # loads the compiled kernels
    moment_table.cache_clear()
    cold = least(grid, 1)
    warm = least(grid, 3)
    print(f"grid {POINTS} x {POINTS}, tanh, depth {DEPTH}, six order parameters:")
    print(f"  with its interpolants made on the way  {cold:7.2f} s")
    print(f"  interpolants there                     {warm:7.2f} s")
    print(f"  largest relative error, 200 points     {worst_error():7.1e}")


def report_single() -> None:
    counter = iter(range(1, 100_000))

    def unseen(depth: int) -> Callable[[], object]:
        return lambda: order_parameters(Network(depth, "tanh", 1.4 + 1e-5 * next(counter), 0.3))

    times = {depth: least(unseen(depth), 9) for depth in (10, 20, 40, 80, 160)}
    print("one network not seen before, tanh:")
    for depth, seconds in times.items():
        print(f"  L = {depth:3d}  {1e3 * seconds:7.2f} ms   {1e6 * seconds / depth:6.0f} µs a layer")


def report_start() -> None:
    load = "import meanfield"
    first = f"{load}; meanfield.order_parameters(meanfield.Network(3, 'tanh', 3.0, 0.64))"
    for title, code in (("import meanfield", load), ("first order_parameters in a new process", first)):
        seconds = least(lambda code=code: subprocess.run([sys.executable, "-c", code], check=True), 3)
        print(f"{title:42s} {seconds:6.2f} s")


def report_peer() -> None:
    if importlib.util.find_spec("neural_tangents") is None:
        print("neural-tangents: not installed, left out")
        return
    import jax
    from neural_tangents import stax

    def forward() -> None:
        for weight in np.linspace(0.5, 4.0, POINTS):
            layer = stax.Dense(1, W_std=float(np.sqrt(weight)), b_std=0.1)
            activation = stax.ElementwiseNumerical(jax.numpy.tanh, deg=25)
            _, _, kernel = stax.serial(*[layer, activation] * (DEPTH - 1), layer)
            kernel(np.eye(2), None, "nngp")

    seconds = least(forward, 1)
    print(f"neural-tangents, forward parameters of {POINTS} of the {POINTS**2} points: {seconds:.1f} s")


if __name__ == "__main__":
    with threadpool_limits(1):
        report_start()
        report_single()
        report_grid()
        report_peer()
