"""What `measure` costs, beside others doing the same on the same weights. Results are compared before they are timed.

    python benchmarks/bench_empirical.py             the speed figures (about two minutes)
    python benchmarks/bench_empirical.py --slow      also peers that take minutes (and 16 GiB)
    python benchmarks/bench_empirical.py --large     also the large cases (20 GiB)

CPU seconds are of the process, the least of several runs; peaks of memory are of a fresh process above its imports. A
peer that is not installed is named and left out. BLAS runs on one thread; CPU seconds count all threads.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from empirical.backends import make_backend
from empirical.dual.eigen import spectrum, top
from empirical.dual.gram import Drawn, dual_blocks
from empirical.dual.plan import Plan, Size
from empirical.dual.routes import take
from empirical.dual.statistics import Scope
from empirical.networks.layers.linear import DrawnLinear
from empirical.networks.passes import draw_network, forward
from empirical.networks.streams import Source, as_seed, draw_inputs
from meanfield.spec import FIM, NTK, Network

HOST = make_backend("numpy", "float64")


class Case:
    """tanh, L = 3, drawn once; everybody gets these arrays."""

    def __init__(self, width: int, samples: int, outputs: int) -> None:
        self.network = Network(3, "tanh", 3.0, 0.64, outputs)
        source = Source(as_seed(0), HOST)
        self.sequence = draw_network(self.network, width, source)
        self.layers = [layer for layer in self.sequence if isinstance(layer, DrawnLinear)]
        self.x = draw_inputs(samples, width, source)
        self.width, self.samples, self.outputs = width, samples, outputs
        self.parameters = sum(layer.parameters for layer in self.layers)

    def drawn(self) -> Drawn:
        return Drawn(forward(self.sequence, self.x, HOST), HOST)


# --------------------------------------------------------------------------------------------------------------
# Who takes part. Each gives (mean, second moment) of the FIM.


def ours(case: Case) -> tuple[float, float]:
    plan = Plan("dense", case.samples, 1, 0, 0.0)
    ((found,), _) = take(plan, [FIM()], case.drawn(), Scope("moments", False))
    return found.mean, found.second_moment


def layerwise_numpy(case: Case, symmetric: bool = True) -> tuple[float, float]:
    """theory.md §7 as one would write it down. ``symmetric``: D @ D.T, in which NumPy sees the symmetry."""
    hs = [case.x]
    for layer in case.layers:
        u = hs[-1] @ layer.weight.T + layer.bias
        hs.append(np.tanh(u))
    n, c = case.samples, case.outputs
    delta = np.repeat(np.eye(c), n, axis=0)
    dual = np.zeros((c * n, c * n))
    for l in (2, 1, 0):
        right, g = (delta, hs[l]) if symmetric else (delta.copy(), hs[l].copy())
        dual += (delta @ right.T) * np.tile((hs[l] @ g.T + 1) / n, (c, c))
        if l:
            delta = (delta @ case.layers[l].weight) * np.tile(1 - hs[l] ** 2, (c, 1))
    return float(np.trace(dual)) / case.parameters, float(np.sum(dual**2)) / case.parameters


def full_products(case: Case) -> tuple[float, float]:
    return layerwise_numpy(case, symmetric=False)


def neural_tangents(case: Case) -> Callable[[], tuple[float, float]]:
    """Structured derivatives, float64, jitted: Θ over all parameters in standard parameterisation, over N.

    Weights are (in, out), as its own layers have them: a transpose in f makes it take a hundred times longer.
    """
    import jax
    from jax._src import source_info_util
    from jax.interpreters import ad

    # neural-tangents 0.6.5 looks for two names where jax 0.4.23 had them; with them it runs up to jax 0.4.35.
    for name, value in (("source_info_util", source_info_util), ("config", jax.config)):
        if not hasattr(ad, name):
            setattr(ad, name, value)
    import neural_tangents as nt

    jax.config.update("jax_enable_x64", True)
    parameters = [(jax.numpy.asarray(y.weight.T), jax.numpy.asarray(y.bias)) for y in case.layers]

    def f(p: Any, x: Any) -> Any:
        for i, (w, b) in enumerate(p):
            u = x @ w + b
            x = jax.numpy.tanh(u) if i < len(p) - 1 else u
        return x

    kernel = nt.empirical_ntk_fn(
        f, trace_axes=(), vmap_axes=0, implementation=nt.NtkImplementation.STRUCTURED_DERIVATIVES
    )
    x = jax.numpy.asarray(case.x)

    @jax.jit
    def moments(p: Any, x: Any) -> Any:
        dual = kernel(x, None, p) / case.samples  # (N, N, C, C)
        return jax.numpy.einsum("nnkk->", dual) / case.parameters, jax.numpy.sum(dual**2) / case.parameters

    return lambda: tuple(float(v) for v in moments(parameters, x))  # type: ignore[return-value]


def torch_func(case: Case) -> Callable[[], tuple[float, float]]:
    """vmap(jacrev) and a product: float32, as float64 wouldn't fit (16 GiB at N = 100)."""
    import torch

    parameters = [(torch.tensor(y.weight).float(), torch.tensor(y.bias).float()) for y in case.layers]
    x = torch.tensor(case.x).float()

    def f(p: Any, x: Any) -> Any:
        for i, (w, b) in enumerate(p):
            u = w @ x + b
            x = torch.tanh(u) if i < len(p) - 1 else u
        return x

    def run() -> tuple[float, float]:
        jacobian = torch.func.vmap(torch.func.jacrev(f), in_dims=(None, 0))(parameters, x)
        rows = case.samples * case.outputs
        dual = sum(j.reshape(rows, -1) @ j.reshape(rows, -1).T for pair in jacobian for j in pair) / case.samples
        return float(dual.trace()) / case.parameters, float((dual**2).sum()) / case.parameters

    return run


def curvlinops_largest(case: Case) -> Callable[[], float]:
    """λ_max of the FIM by scipy's eigsh on curvlinops' GGN of the loss ½|f - y|², float32."""
    import torch
    from curvlinops import GGNLinearOperator
    from scipy.sparse.linalg import eigsh

    steps: list[Any] = []
    for i, layer in enumerate(case.layers):
        linear = torch.nn.Linear(layer.weight.shape[1], layer.weight.shape[0])
        linear.weight.data, linear.bias.data = torch.tensor(layer.weight).float(), torch.tensor(layer.bias).float()
        steps += [linear] if i == len(case.layers) - 1 else [linear, torch.nn.Tanh()]
    model, x = torch.nn.Sequential(*steps), torch.tensor(case.x).float()
    loss = torch.nn.MSELoss(reduction="sum")
    data = [(x, torch.zeros(case.samples, case.outputs))]
    parameters = [p for p in model.parameters() if p.requires_grad]
    # MSELoss(sum) is |f - y|², whose GGN is 2 Σ JᵀJ = 2 N F.
    operator = GGNLinearOperator(model, loss, parameters, data, check_deterministic=False).to_scipy()
    return lambda: float(eigsh(operator, k=1, tol=1e-3, return_eigenvectors=False)[0]) / (2 * case.samples)


# --------------------------------------------------------------------------------------------------------------


def cpu_seconds(run: Callable[[], Any], times: int = 7) -> float:
    run()
    found = []
    for _ in range(times):
        begin = time.process_time()
        run()
        found.append(time.process_time() - begin)
    return min(found)


def cpu_seconds_in_turn(runs: dict[str, Callable[[], Any]], times: int = 9) -> dict[str, float]:
    """The least CPU seconds of each, taken in turn so that what else the machine does strikes all alike. What takes
    longer than ten seconds runs once."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(times):
        for name, run in runs.items():
            if not (found[name] and found[name][0] > 10):
                begin = time.process_time()
                run()
                found[name].append(time.process_time() - begin)
    return {name: min(seconds) for name, seconds in found.items()}


def section(title: str) -> None:
    print(f"\n{title}\n{'-' * len(title)}", flush=True)


def agree(name: str, found: tuple[float, float], expected: tuple[float, float], tolerance: float) -> None:
    if not np.allclose(found, expected, rtol=tolerance):
        raise SystemExit(f"{name}: expected {expected}, got {found}: nothing is timed")


def dgemm_peak() -> float:
    """The best rate of a product of 2048 × 2048 matrices, flop/s."""
    a = np.random.default_rng(0).standard_normal((2048, 2048))
    return 2 * 2048**3 / cpu_seconds(lambda: a @ a)


def side_by_side(peak: float, slow: bool) -> None:
    section("FIM, dual and moments: M = 1000, N = 100, C = 10, float64 unless noted")
    case = Case(1000, 100, 10)
    rows: list[tuple[str, str, Callable[[Case], Callable[[], Any]], float]] = [
        ("empirical", "empirical", lambda c: lambda: ours(c), 1e-10),
        ("plain layerwise NumPy", "numpy", lambda c: lambda: layerwise_numpy(c), 1e-12),
        ("NumPy with full products", "numpy", lambda c: lambda: full_products(c), 1e-10),
        ("neural-tangents, structured", "neural_tangents", neural_tangents, 1e-8),
        *([("torch.func (float32)", "torch", torch_func, 1e-3)] if slow else []),
    ]
    taking_part = {name: run for name, module, make, e in rows if (run := prepared(name, module, make, e, case))}
    seconds = cpu_seconds_in_turn(taking_part)
    reference = seconds["empirical"]
    for name, taken in seconds.items():
        print(f"{name:<30}{taken:9.4f} CPU s   {taken / reference:7.2f} × ours", flush=True)
    rate = Size.of(case.network, [FIM()], 1000, 100, "moments", 8).work / reference
    print(f"empirical, by the flop model: {rate / 1e9:.1f} GFLOP/s, {rate / peak:.0%} of dgemm's")
    if slow and importlib.util.find_spec("curvlinops") is not None:
        curvlinops_row(case)


def prepared(
    name: str, module: str, make: Callable[[Case], Callable[[], Any]], tolerance: float, case: Case
) -> Callable[[], Any] | None:
    """A way to run it, once it has given the right result; ``None`` and a line where it can't."""
    if importlib.util.find_spec(module) is None:
        print(f"{name:<30}not installed: left out")
        return None
    try:
        run = make(case)
        agree(name, run(), layerwise_numpy(case), tolerance)
    except (ImportError, AttributeError, TypeError) as error:
        print(f"{name:<30}installed, but doesn't run here: {type(error).__name__}: {str(error).splitlines()[0]}")
        return None
    return run


def curvlinops_row(case: Case) -> None:
    plan = Plan("dense", case.samples, 1, 0, 0.0)

    def largest() -> float:
        return take(plan, [FIM()], case.drawn(), Scope("extremes", False))[0][0].largest

    try:
        run = curvlinops_largest(case)
        agree("curvlinops", (run(), 0.0), (largest(), 0.0), 1e-2)
    except (ImportError, AttributeError, TypeError) as error:
        print(f"curvlinops: installed, but doesn't run here: {type(error).__name__}: {str(error).splitlines()[0]}")
        return
    print(
        f"λ_max: curvlinops (float32, tol 1e-3) {cpu_seconds(run, 1):.2f} CPU s, empirical {cpu_seconds(largest):.3f}"
    )


def extremes_against_full() -> None:
    section("Top C + 1 eigenvalues against the full spectrum: N = 400, C = 10 (4000 × 4000), M = 1000")
    case = Case(1000, 400, 10)
    for metric in (FIM(), NTK()):
        drawn = case.drawn()
        matrix = dual_blocks([metric], drawn, drawn.passed, drawn.passed)[0].matrix.reshape(4000, 4000)
        begin = time.process_time()
        values = spectrum(matrix, HOST)
        full = time.process_time() - begin
        begin = time.process_time()
        found = top(matrix, 11, False, 0.0, HOST).values
        some = time.process_time() - begin
        error = float(np.abs(found - values[:11]).max() / values[0])
        print(
            f"{metric.label:<8}full {full:7.2f} CPU s   top {some:6.2f} CPU s   {some / full:.3f} ×   error {error:.1e}"
        )


def peak_memory() -> None:
    section("Peak memory above the imported libraries: M = 1000, N = 100, C = 10, drawing included")
    done = subprocess.run([sys.executable, __file__, "--peak"], capture_output=True, text=True, check=True)
    print(done.stdout.strip())


def print_peak() -> None:
    ours(Case(8, 4, 10))  # the libraries' own first calls
    before = peak_bytes()
    ours(Case(1000, 100, 10))
    print(f"{(peak_bytes() - before) / 2**20:.1f} MiB")


def peak_bytes() -> int:
    """The most this process has held; ``getrusage`` would count what its parent held."""
    rows = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(rows["VmHWM"].split()[0]) * 1024


def flop_model(peak: float) -> None:
    section("Cost against the flop model: exponents of CPU seconds fitted over M, N and C")
    grids = {
        "M": [(m, 100, 10) for m in (500, 1000, 2000)],
        "N": [(1000, n, 10) for n in (50, 100, 200, 400)],
        "C": [(1000, 100, c) for c in (5, 10, 20, 40)],
    }
    for axis, cases in grids.items():
        sizes, seconds, flops = [], [], []
        for width, samples, outputs in cases:
            case = Case(width, samples, outputs)
            size = Size.of(case.network, [FIM()], width, samples, "moments", 8)
            seconds.append(cpu_seconds(lambda c=case: ours(c), 3))  # type: ignore[misc]
            flops.append(size.work)
            sizes.append({"M": width, "N": samples, "C": outputs}[axis])
        measured, model = (np.polyfit(np.log(sizes), np.log(y), 1)[0] for y in (seconds, flops))
        rates = ", ".join(f"{f / s / peak:.0%}" for f, s in zip(flops, seconds, strict=True))
        print(
            f"{axis} in {sizes}: seconds ~ {axis}^{measured:.2f}, model ~ {axis}^{model:.2f}; of dgemm's rate {rates}"
        )


def large(peak: float) -> None:
    section("Large: FIM, dual and moments, L = 3; and the same products alone")
    for words in (("4096", "512", "10"), ("16384", "64", "1")):
        done = subprocess.run([sys.executable, __file__, "--one", *words], capture_output=True, text=True, check=True)
        seconds, rate, of_products, gib = (float(x) for x in done.stdout.split())
        title = f"M = {words[0]}, N = {words[1]}, C = {words[2]}"
        print(
            f"{title}: {seconds:.1f} CPU s, {rate / peak:.0%} of dgemm's rate, its products {of_products / peak:.0%}, "
            f"peak {gib:.2f} GiB",
            flush=True,
        )


def print_one(width: int, samples: int, outputs: int) -> None:
    case = Case(width, samples, outputs)
    flops = Size.of(case.network, [FIM()], width, samples, "moments", 8).work
    begin = time.process_time()
    ours(case)
    seconds = time.process_time() - begin
    most = peak_bytes()
    print(seconds, flops / seconds, flops / cpu_seconds(lambda: products(case), 1), most / 2**30)


def products(case: Case) -> None:
    """The matrix products of a measurement and nothing else."""
    h, order = case.x, case.samples * case.outputs
    signal = np.resize(case.x, (order, case.width))
    for layer in case.layers:
        h @ layer.weight.T
    signal @ case.layers[1].weight  # δ^2 W^2; δ^3 is the identity
    for _ in case.layers[1:]:
        signal @ signal.T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slow", action="store_true", help="peers that take minutes too")
    parser.add_argument("--large", action="store_true", help="cases that take 20 GiB too")
    parser.add_argument("--peak", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--one", type=int, nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    with threadpool_limits(1):
        if options.peak:
            print_peak()
        elif options.one:
            print_one(*options.one)
        else:
            report(options)


def report(options: argparse.Namespace) -> None:
    """Everything, in order."""
    peak = dgemm_peak()
    print(f"dgemm: {peak / 1e9:.1f} GFLOP/s for each CPU second")
    side_by_side(peak, options.slow)
    extremes_against_full()
    peak_memory()
    flop_model(peak)
    if options.large:
        large(peak)


if __name__ == "__main__":
    main()
