"""What `empirical_kernel` costs, beside a plain contraction of torch.func's Jacobians, on the same weights in one run.

    python benchmarks/bench_kernel.py            about two minutes
    python benchmarks/bench_kernel.py --large    also N = 10,000 into a file (0.8 GB, some minutes)

Results are compared before they are timed. CPU seconds of the process, the least of three runs; one BLAS thread.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import nn

from empirical import empirical_diagonal, empirical_kernel, plan_kernel
from empirical.backends import make_backend
from empirical.networks.layers.linear import DrawnLinear
from empirical.networks.passes import draw_network
from empirical.networks.streams import Source, as_seed
from meanfield.spec import FIM, Network

NETWORK = Network(3, "tanh", 3.0, 0.64, outputs=10)
CONTRACTED = {"sum": "nkp,mkp->nm", "each": "nkp,mkp->knm", "full": "nkp,mjp->knjm"}


def module(width: int) -> nn.Module:
    """The network that seed 0 draws, as a module."""
    drawn = draw_network(NETWORK, width, Source(as_seed(0), make_backend("numpy", "float64")))
    parts: list[nn.Module] = []
    for layer in drawn:
        if isinstance(layer, DrawnLinear):
            linear = nn.Linear(layer.weight.shape[1], layer.weight.shape[0], dtype=torch.float64)
            linear.weight.data, linear.bias.data = torch.tensor(layer.weight), torch.tensor(layer.bias)
            parts.append(linear)
        else:
            parts.append(nn.Tanh())
    return nn.Sequential(*parts).eval()


def plain(model: nn.Module, x: torch.Tensor, outputs: str) -> np.ndarray:
    """As torch's own tutorial does it: Jacobians of all samples, contracted parameter by parameter."""
    parameters = {n: p.detach() for n, p in model.named_parameters()}

    def of_one(given: dict[str, torch.Tensor], sample: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(model, given, (sample[None],))[0]

    jacobians = torch.func.vmap(torch.func.jacrev(of_one), (None, 0))(parameters, x)
    parts = (torch.einsum(CONTRACTED[outputs], j.flatten(2), j.flatten(2)) for j in jacobians.values())
    return sum(parts).numpy() / len(x)


def timed(work: Callable[[], Any]) -> float:
    """The least of three, in CPU seconds."""
    seconds = []
    for _ in range(3):
        begin = time.process_time()
        work()
        seconds.append(time.process_time() - begin)
    return min(seconds)


def beside_torch_func(width: int, samples: int) -> None:
    model, x = module(width), np.random.default_rng(1).standard_normal((samples, width))
    print(f"FIM, M = {width}, N = {samples}, C = {NETWORK.outputs}, L = 3, float64: CPU s (× ours of the network)")
    for outputs in CONTRACTED:
        asked: dict[str, Any] = {"metric": FIM(), "outputs": outputs, "progress": False}
        ways: dict[str, Callable[[], np.ndarray]] = {
            "network": lambda a=asked: empirical_kernel(NETWORK, x, width=width, seed=0, **a).values,
            "module": lambda a=asked: empirical_kernel(model, x, **a).values,
            "torch.func": lambda o=outputs: plain(model, torch.tensor(x), o),
        }
        reference = ways["torch.func"]()
        for name, way in ways.items():
            error = abs(way() - reference).max() / abs(reference).max()
            assert error < 1e-12, (name, error)
        found = {name: timed(way) for name, way in ways.items()}
        print(f"  {outputs:<6}" + "  ".join(f"{n} {s:.3f} ({s / found['network']:.1f})" for n, s in found.items()))


def at_full_speed(width: int, samples: int, **options: Any) -> None:
    """Flops of the products, half of each, and of one forward and one backward pass, against those of dgemm."""
    x = np.random.default_rng(1).standard_normal((samples, width))
    asked: dict[str, Any] = {"width": width, **options}
    planned = plan_kernel(NETWORK, x, **asked)
    begin = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "K.npy" if samples > 5000 else None
        empirical_kernel(NETWORK, x, out=out, progress=False, **asked)
    seconds = time.process_time() - begin
    outputs = NETWORK.outputs
    per_pair = 3 * width + 2 * outputs * width * (outputs if options.get("outputs") == "full" else 1)
    passes = samples * (4 + 2 * outputs) * width**2
    rate = (samples**2 * per_pair + passes) / seconds
    a = np.random.default_rng(0).standard_normal((2000, 2000))
    peak = 2 * 2000**3 / timed(lambda: a @ a.T.copy())
    print(f"NTK {options}, M = {width}: {planned}")
    print(f"  {seconds:.1f} CPU s, {rate / 1e9:.1f} GFLOP/s, {rate / peak:.0%} of dgemm's {peak / 1e9:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--large", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        beside_torch_func(200, 60)
        at_full_speed(1000, 2000)
        at_full_speed(1000, 2000, memory=400 * 2**20)
        at_full_speed(500, 400, outputs="full")
        x = np.random.default_rng(1).standard_normal((10_000, 1000))
        begin = time.process_time()
        empirical_diagonal(NETWORK, x, width=1000, progress=False)
        print(f"diagonal alone, M = 1000, N = 10,000: {time.process_time() - begin:.1f} CPU s")
        if asked.large:
            at_full_speed(1000, 10_000)


if __name__ == "__main__":
    main()
