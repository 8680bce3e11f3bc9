"""What the plan decides, and that its numbers are those of the algorithm."""

import tracemalloc

import pytest

from empirical import measure, measurement
from empirical.dual import plan as module
from empirical.dual.plan import Size, TooLarge, choose
from meanfield.spec import FIM, NTK, InputMetric, Network

NET = Network(3, "tanh", 3.0, 0.64, outputs=10)
GIB = 2**30


def plan(width, samples, spectrum="moments", budget=16 * GIB, network=NET, metrics=None):
    return choose(Size.of(network, metrics or [FIM()], width, samples, spectrum, 8), budget)


def test_what_fits_is_dense():
    assert plan(1000, 100).route == "dense"
    assert plan(4096, 512, "extremes").route == "dense"
    assert plan(4096, 512, metrics=[FIM(), NTK(), InputMetric()]).together == 3


def test_what_does_not_fit_is_cut():
    assert plan(1000, 8000).route == "blocks"
    assert plan(1000, 8000).rows < 8000
    assert plan(1000, 100, "full", budget=90 * 2**20, metrics=[FIM(), NTK(), InputMetric()]).together < 3


def test_probes_where_exactness_would_cost_too_much():
    assert plan(64, 60_000, "extremes").route == "probes"


def test_what_can_never_fit_is_refused_with_its_bytes():
    with pytest.raises(TooLarge, match=r"width 1000000.*needs 3\.73e\+04 GiB"):
        plan(10**6, 10)
    with pytest.raises(TooLarge, match="spectrum full"):
        plan(1000, 50_000, "full")
    with pytest.raises(ValueError, match="memory: expected"):
        measure(NET, FIM(), width=1000, samples=10, memory=1000)


def test_many_outputs_go_to_lapack():
    """5000 × 5000, 101 eigenvalues sought: a Krylov space large enough is half the matrix."""
    many = Network(3, "tanh", 3.0, 0.64, outputs=100)
    assert plan(200, 50, "extremes", network=many).route == "dense"


@pytest.mark.parametrize(
    ("route", "spectrum", "width", "samples"),
    [
        ("dense", "moments", 400, 60),
        ("dense", "moments", 100, 150),
        ("dense", "extremes", 100, 150),
        ("dense", "extremes", 60, 300),
        ("dense", "full", 60, 120),
        ("blocks", "moments", 100, 300),
        ("blocks", "extremes", 100, 300),
        ("probes", "moments", 100, 300),
        ("probes", "extremes", 100, 300),
        ("probes", "extremes", 400, 60),
    ],
)
def test_bytes_are_those_taken(monkeypatch, route, spectrum, width, samples):
    """The estimate covers what NumPy takes, and is not more than twice as much."""
    outputs = 10 if route == "dense" else 2
    network = Network(3, "tanh", 3.0, 0.64, outputs=outputs)
    make = {
        "dense": lambda size: module._dense(size, size.metrics),
        "blocks": lambda size: module._blocks(size, 8 * 2**20),
        "probes": module._probes,
    }[route]

    def forced(size, budget, implicit=True):
        assert implicit  # Lanczos converges
        return make(size)

    measure(network, FIM(), width=8, samples=4)
    monkeypatch.setattr(measurement, "choose", forced)
    tracemalloc.start()
    found = measure(network, FIM(), width=width, samples=samples, spectrum=spectrum)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.provenance["plan"]["route"] == route
    assert 0.5 < peak / found.provenance["plan"]["bytes"] < 1.0
