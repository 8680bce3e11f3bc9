"""`given_kernel` beside neural-tangents (float64, its analytic kernels), and its cost in N and L.

    taskset -c 0 python benchmarks/bench_given_kernel.py [agreement] [speed] [cost] [memory]

Without a word, all four: some three minutes of one core, 1 GB. The first two need neural-tangents (0.6.5 runs with jax
0.4.35 and tf2jax 0.3.6), best in an environment of its own with this project on PYTHONPATH; without it a line says so.
CPU seconds of the process, one thread, after one untimed call; ours and theirs in turn in one run, the least of four
(of one for tanh).
"""

from __future__ import annotations

import importlib.util
import os
import resource
import sys
import time

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(threads, "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import numpy as np  # noqa: E402 - reads them when loaded

from meanfield import Network, given_kernel  # noqa: E402

LAWS = {
    "relu": (2.0, 0.1), "erf": (3.0, 0.3), "gelu": (2.0, 0.1), "sin": (2.0, 0.1), "leaky_relu": (2.0, 0.1),
    "abs": (1.0, 0.1), "tanh": (3.0, 0.64),
}  # fmt: skip
PEER = {"relu": "Relu", "erf": "Erf", "gelu": "Gelu", "sin": "Sin", "leaky_relu": "LeakyRelu", "abs": "Abs"}


def inputs(n, d=64, seed=0):
    """Norms that differ by factors, and a common mean."""
    random = np.random.default_rng((1516, seed))
    return (random.standard_normal((n, d)) + 0.5) * np.exp(0.4 * random.standard_normal((n, 1)))


def ours(activation, depth):
    network = Network(depth, activation, *LAWS[activation])
    return lambda x, metric="ntk": given_kernel(network, x, metric=metric, progress=False)


def neural_tangents():
    """Its `stax`, with two names put back that jax 0.4.35 moved; ``None`` where it isn't installed."""
    if importlib.util.find_spec("neural_tangents") is None:
        print("neural-tangents: not installed, left out")
        return None
    import jax
    from jax._src import source_info_util
    from jax.interpreters import ad

    for name, value in (("source_info_util", source_info_util), ("config", jax.config)):
        if not hasattr(ad, name):
            setattr(ad, name, value)
    jax.config.update("jax_enable_x64", True)
    from neural_tangents import stax

    return stax


def theirs(stax, activation, depth, jit=True):
    """The kernel function of the same network in NTK parameterisation, compiled by jax.jit or as it comes."""
    import jax

    if activation == "tanh":
        phi = stax.ElementwiseNumerical(jax.numpy.tanh, deg=25)
    else:
        phi = getattr(stax, PEER[activation])(**{"alpha": 0.01} if activation == "leaky_relu" else {})
    weight, bias = LAWS[activation]
    dense = stax.Dense(1, W_std=float(np.sqrt(weight)), b_std=float(np.sqrt(bias)))
    kernel = stax.serial(*[dense, phi] * (depth - 1), dense)[2]
    compiled = (
        jax.jit(lambda x, get: kernel(x, None, get), static_argnums=1) if jit else lambda x, get: kernel(x, None, get)
    )
    return lambda x, metric="ntk": np.asarray(compiled(jax.numpy.asarray(x), metric))


def error_of(one, other):
    """The largest difference in units of √(K_ss K_tt): beside the diagonal, and on it."""
    unit = np.sqrt(np.outer(np.diagonal(one), np.diagonal(one)))
    off = np.abs(one - other) / unit
    own = np.diagonal(off).max()
    np.fill_diagonal(off, 0.0)
    return off.max(), own


def exact_diagonal(activation, depth, x):
    """K_ss of the NTK at a kink in 0 between two straight lines: E φ² = m q and E φ'² = m."""
    (weight, bias), m = LAWS[activation], {"relu": 0.5, "leaky_relu": (1 + 0.01**2) / 2, "abs": 1.0}[activation]
    q = weight * np.mean(x**2, axis=1) + bias
    total = q
    for _ in range(depth - 1):
        q = weight * m * q + bias
        total = q + weight * m * total
    return total


def agreement():
    stax = neural_tangents()
    if stax is None:
        return
    depth, x = 6, inputs(200)
    print(f"L = {depth}, N = {len(x)}, |x|²/d of {np.min(np.mean(x**2, 1)):.2f} to {np.max(np.mean(x**2, 1)):.1f}:")
    print("largest |K - K'|/√(K_ss K_tt) of two inputs; of one with itself. What ours states (NTK, Frobenius).")
    print("At kinks, one with itself: ours and theirs from m, m q exactly")
    for activation in PEER:
        mine, other = ours(activation, depth), theirs(stax, activation, depth)
        line = f"  {activation:<11}"
        for metric in ("ntk", "nngp"):
            off = error_of(mine(x, metric).matrix, other(x, metric))
            line += f"{metric.upper()} {off[0]:.1e} {off[1]:.1e}  "
        kernel = mine(x)
        line += f"stated {kernel.error / np.linalg.norm(kernel.matrix):.1e} {kernel.status}"
        if activation in ("relu", "leaky_relu", "abs"):
            exact = exact_diagonal(activation, depth, x)
            both = (np.max(np.abs(np.diagonal(k) / exact - 1)) for k in (kernel.matrix, other(x)))
            line += "  ours {:.1e} theirs {:.1e}".format(*both)
        print(line, flush=True)


def spent(work):
    """CPU seconds."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def speed():
    depth, x = 3, inputs(1000)
    print(f"\nNTK, L = {depth}, N = {len(x)}: CPU s, ours; neural-tangents' jitted, plain (× ours); how far apart")
    stax = neural_tangents()
    for activation in ("erf", "relu", "tanh"):
        mine = ours(activation, depth)
        mine(inputs(300, seed=1))
        if stax is None:
            print(f"  {activation:<5} {min(spent(lambda k=mine: k(x)) for _ in range(3)):.3f}", flush=True)
            continue
        jits = (True,) if activation == "tanh" else (True, False)
        ways = [mine, *(theirs(stax, activation, depth, jit) for jit in jits)]
        turns = [[spent(lambda k=k: k(x)) for k in ways] for _ in range(1 if activation == "tanh" else 5)]
        best = np.min(turns[len(turns) > 1 :], axis=0)  # the first turn compiles: half a second, of tanh's forty
        kernel = mine(x)
        off, own = error_of(kernel.matrix, ways[1](x))
        stated = kernel.error / np.linalg.norm(kernel.matrix)
        peers = ", ".join(f"{v:.3f} (× {v / best[0]:.2f})" for v in best[1:])
        line = f"  {activation:<5} {best[0]:.3f}; {peers}; {off:.1e}, with itself {own:.1e}; ours states {stated:.1e}"
        print(line, flush=True)


def least(activation, depth, n):
    work, x = ours(activation, depth), inputs(n)
    return min(spent(lambda: work(x)) for _ in range(3))


def exponent(sizes, seconds):
    return np.polyfit(np.log(sizes), np.log(seconds), 1)[0]


def cost():
    print("\nCPU s at L = 3 by N, and at N = 1000 by L; fitted exponents of N (the last three), and of L")
    counts, depths = (500, 1000, 2000, 4000), (2, 4, 8, 16)
    for activation in ("erf", "relu", "tanh"):
        ours(activation, 3)(inputs(300))
        by_count = [least(activation, 3, n) for n in counts]
        by_depth = [least(activation, l, 1000) for l in depths]
        n, l = exponent(counts[1:], by_count[1:]), exponent(np.array(depths) - 1, by_depth)
        columns = (f"N = {k}: {s:.2f}" for k, s in zip(counts, by_count, strict=True))
        print(f"  {activation:<5}" + "  ".join(columns) + f"  ∝ N^{n:.2f}")
        columns = (f"L = {k}: {s:.2f}" for k, s in zip(depths, by_depth, strict=True))
        print(f"  {'':<5}" + "  ".join(columns) + f"  ∝ (L - 1)^{l:.2f}", flush=True)


def memory():
    """The largest resident set so far: of this process, so run it alone."""
    n = 5000
    print(f"\nN = {n}, L = 3: CPU s of the kernel; peak memory so far")
    for activation in ("erf", "tanh"):
        work, x = ours(activation, 3), inputs(n)
        begin = time.process_time()
        kernel = work(x)
        seconds = time.process_time() - begin
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"  {activation:<5} {seconds:.1f}  {peak:.2f} GB, error {kernel.error / np.linalg.norm(kernel.matrix):.0e}",
            flush=True,
        )


TABLES = {"agreement": agreement, "speed": speed, "cost": cost, "memory": memory}

if __name__ == "__main__":
    for asked in sys.argv[1:] or TABLES:
        TABLES[asked]()
