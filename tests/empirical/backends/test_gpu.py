"""What only a CUDA device can show. Run with `pytest -m gpu`: it fails, and doesn't skip, where none can be used."""

import time

import numpy as np
import pytest
from numpy.random import default_rng

from empirical import empirical_kernel, measure
from empirical.backends import examine, make_backend
from empirical.dual.gram import Drawn, dual_blocks
from empirical.dual.lanczos import largest_pairs
from empirical.dual.plan import Plan
from empirical.dual.routes import take
from empirical.dual.statistics import Scope
from empirical.networks.passes import draw_network as draw_layers
from empirical.networks.passes import forward
from empirical.networks.streams import Source, as_seed, draw_inputs
from meanfield.spec import FIM, NTK, InputMetric, Network

pytestmark = pytest.mark.gpu

NET = Network(3, ("tanh", "relu"), 2.0, 0.3, outputs=5)
METRICS = [FIM(), NTK(2), InputMetric(), FIM(loss="cross_entropy"), NTK(None, "cross_entropy", True)]
NAMES = ("torch:cuda", "cupy")
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    found = {p.backend: p for p in examine()}
    usable = [n for n in NAMES if found[n].code == "ok"]
    reasons = "; ".join(f"{n}: {found[n].code} ({found[n].detail})" for n in NAMES)
    if not usable:
        pytest.fail(f"no CUDA device can be used: {reasons}", pytrace=False)
    if found[request.param].code == "not-installed":
        pytest.skip(f"{request.param} is not installed; {usable[0]} is tested")
    if request.param not in usable:
        pytest.fail(reasons, pytrace=False)
    return request.param


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_same_seed_gives_numpys_dual(draw_network, name, precision):
    machine = make_backend(name, precision)
    reference = draw_network(NET, 200, 30, 1)
    with machine.strict():
        drawn = draw_network(NET, 200, 30, 1, machine)
        found = [machine.host(d.matrix) for d in dual_blocks(METRICS, drawn, drawn.passed, drawn.passed)]
    expected = dual_blocks(METRICS, reference, reference.passed, reference.passed)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(b, a.matrix, rtol=0, atol=TOLERANCE[precision] * abs(a.matrix).max())


@pytest.mark.parametrize("outputs", ["sum", "each", "full"])
def test_kernels_in_blocks_are_numpys(name, outputs, tmp_path):
    x, x2 = default_rng(1).standard_normal((2, 50, 200))
    options = {"outputs": outputs, "width": 200, "seed": 1, "block": 16, "progress": False}
    for others in (None, x2):
        expected = empirical_kernel(NET, x, others, **options).values
        found = empirical_kernel(NET, x, others, backend=name, **options).values
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * abs(expected).max())
    written = empirical_kernel(NET, x, backend=name, out=tmp_path / "K.npy", **options).values
    np.testing.assert_array_equal(written, empirical_kernel(NET, x, backend=name, **options).values)


@pytest.mark.parametrize("size", [33, 1000, 10240])
def test_eigenvalues_are_lapacks(name, size):
    machine = make_backend(name, "float64")
    x = default_rng(size).standard_normal((size, size // 3 + 5))
    matrix = x @ x.T / size
    with machine.strict():
        values = machine.host(machine.eigvalsh(machine.asarray(matrix)))[::-1]
        device = machine.asarray(matrix)
        top = largest_pairs(lambda v: device @ v, size, 6, machine).values
    expected = np.linalg.eigvalsh(matrix)[::-1]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12 * expected[0] * size**0.5)
    np.testing.assert_allclose(top, expected[:6], rtol=1e-8)


@pytest.mark.parametrize("spectrum", ["moments", "extremes", "full"])
def test_statistics_are_numpys(name, spectrum):
    asked = {"width": 100, "samples": 60, "seed": 3, "spectrum": spectrum}
    for a, b in zip(measure(NET, METRICS, **asked), measure(NET, METRICS, backend=name, **asked), strict=True):
        np.testing.assert_allclose([b.mean, b.second_moment], [a.mean, a.second_moment], rtol=1e-10)
        np.testing.assert_allclose(b.outliers, a.outliers, rtol=1e-8)
        assert b.provenance["tf32"] is False


def test_nothing_waits_for_the_device_before_the_end(draw_network, name):
    """Passes and products ask the device for no number: torch raises at any synchronisation; CuPy has no such mode, and
    here only runs them."""
    machine = make_backend(name, "float32")
    network = Network(3, "tanh", 3.0, 0.64, outputs=10)
    with machine.strict():
        drawn = draw_network(network, 4096, 512, 1, machine)
        if name.startswith("torch"):
            import torch

            torch.cuda.set_sync_debug_mode("error")  # raises at any hidden synchronisation
        try:
            inputs = drawn.passed.weights[0].given
            passed = forward(draw_layers(network, 4096, Source(as_seed(1), machine)), inputs, machine)
            dual_blocks([FIM()], Drawn(passed, machine), passed, passed)
        finally:
            if name.startswith("torch"):
                torch.cuda.set_sync_debug_mode("default")
        machine.synchronize()


def test_blocks_give_the_whole(draw_network, name):
    machine = make_backend(name, "float64")
    with machine.strict():
        drawn = draw_network(NET, 60, 50, 2, machine)
        whole, _ = take(Plan("dense", 50, 9, 0, 0.0), METRICS, drawn, Scope("moments", False))
        parts, _ = take(Plan("blocks", 13, 9, 0, 0.0), METRICS, drawn, Scope("moments", False))
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_allclose([b.mean, b.second_moment], [a.mean, a.second_moment], rtol=1e-10)


def test_out_of_memory_is_tried_again_with_less(name):
    """A plan that believes in ten times the device's memory fails there, and a smaller one succeeds."""
    machine = make_backend(name, "float64")
    free = machine.free_memory()
    samples = int((1.5 * free / 8) ** 0.5 / 10)  # one dual matrix is half as large again as what is free
    found = measure(
        Network(2, "tanh", 3.0, 0.64, outputs=10), FIM(), width=64, samples=samples, backend=name, memory=10 * free
    )
    assert found.provenance["plan"]["bytes"] < free
    assert np.isfinite(found.second_moment)


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_benchmark(name, precision, capsys):
    """Prints the table for docs/measurement.md."""
    machine = make_backend(name, precision)
    lines = []
    for width, samples, outputs in ((1000, 100, 10), (4096, 512, 10), (16384, 64, 1)):
        network = Network(3, "tanh", 3.0, 0.64, outputs=outputs)
        with machine.strict():
            source = Source(as_seed(0), machine)
            layers = draw_layers(network, width, source)
            x = draw_inputs(samples, width, source)
            seconds = []
            for _ in range(3):
                machine.synchronize()
                begin = time.perf_counter()
                drawn = Drawn(forward(layers, x, machine), machine)
                take(Plan("dense", samples, 1, 0, 0.0), [FIM()], drawn, Scope("moments", False))
                machine.synchronize()
                seconds.append(time.perf_counter() - begin)
        lines.append(f"{name} {precision} M={width} N={samples} C={outputs}: {min(seconds):.4f} s")
    with capsys.disabled():
        print("", *lines, sep="\n")
    assert len(lines) == 3
