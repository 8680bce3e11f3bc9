"""Moments, eigenvalues and the checks between them."""

import numpy as np
import pytest
from numpy.random import default_rng

from empirical.backends import make_backend
from empirical.dual import eigen

HOST = make_backend("numpy", "float64")


def matrix_of(values, seed=0):
    basis = np.linalg.qr(default_rng(seed).standard_normal((len(values), len(values))))[0]
    return (basis * values) @ basis.T


def test_moments_are_sums_of_eigenvalues():
    values = default_rng(1).exponential(size=50)
    np.testing.assert_allclose(eigen.moments(matrix_of(values), HOST), [values.sum(), values @ values], rtol=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_float32_moments_of_a_large_matrix_are_those_of_float64(backend):
    """2000 × 2000 positive entries, a row far above the rest: one long float32 sum would lose a per cent of them."""
    from empirical import measure
    from meanfield.spec import FIM, Network

    network = Network(3, "relu", 2.0, 0.1, outputs=10)
    double = measure(network, FIM(), width=40, samples=200, spectrum="moments")
    asked = {"width": 40, "samples": 200, "spectrum": "moments", "backend": backend, "dtype": "float32"}
    for memory, route in ((None, "dense"), (20_000_000, "blocks")):
        single = measure(network, FIM(), memory=memory, **asked)
        assert single.provenance["plan"]["route"] == route
        np.testing.assert_allclose([single.mean, single.second_moment], [double.mean, double.second_moment], rtol=2e-5)
    ones = make_backend(backend, "float32")
    assert eigen.moments(ones.asarray(np.ones((5000, 5000))), ones) == (5000, 25e6)  # 2^24 is the largest naive sum


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_float32_full_spectrum_passes_its_checks(backend):
    from empirical import measure
    from meanfield.spec import FIM, Network

    network = Network(3, "relu", 2.0, 0.1, outputs=10)
    found = measure(network, FIM(), width=30, samples=100, backend=backend, dtype="float32", spectrum="full")
    np.testing.assert_allclose(found.eigenvalues @ found.eigenvalues, found.second_moment * found.dimension, rtol=1e-5)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("size", [60, 700])  # LAPACK's, and Lanczos'
@pytest.mark.parametrize("vectors", [False, True])
def test_top_is_the_same_by_both_solvers(size, count, vectors):
    values = np.r_[30.0, 20.0, 19.0, default_rng(2).exponential(size=size - 3)]
    matrix = matrix_of(values)
    found = eigen.top(matrix, count, vectors, 0.0, HOST)
    np.testing.assert_allclose(found.values, np.sort(values)[::-1][:count], rtol=1e-8)
    if vectors:
        np.testing.assert_allclose(matrix @ found.vectors, found.vectors * found.values, atol=1e-6)


def test_a_spectrum_that_lanczos_cannot_take_goes_to_lapack():
    """No decay at all: the residuals stay too large within the vectors allowed."""
    values = 1.0 + 1e-4 * np.linspace(0, 1, 900)
    np.testing.assert_allclose(eigen.top(matrix_of(values), 1, False, 0.0, HOST).values, values[-1:], rtol=1e-8)


def test_checks_tell_what_disagrees():
    eigen.check_close("sum", 1.0 + 1e-15, 1.0, 1.0, 10, "float64")
    with pytest.raises(ArithmeticError, match=r"sum: expected 1\.0, got 1\.001"):
        eigen.check_close("sum", 1.001, 1.0, 1.0, 10, "float64")
    with pytest.raises(ArithmeticError, match="sum"):
        eigen.check_close("sum", float("nan"), 1.0, 1.0, 10, "float64")
    eigen.check_part("part", 1.0, 1.0, 10, "float64")
    with pytest.raises(ArithmeticError, match="part: expected at most"):
        eigen.check_part("part", 1.1, 1.0, 10, "float64")
    with pytest.raises(ArithmeticError, match="overflow"):
        eigen.moments(np.full((2, 2), np.inf), HOST)


def test_production_checks_catch_a_wrong_solver(monkeypatch):
    """A backend whose eigenvalues or products are wrong doesn't get through `measure`."""
    from empirical import measure
    from empirical.backends.numpy import NumpyBackend
    from meanfield.spec import FIM, Network

    network = Network(2, "tanh", 2.0, 0.3, outputs=3)
    with monkeypatch.context() as patch:
        patch.setattr(NumpyBackend, "eigvalsh", lambda self, m: np.linalg.eigvalsh(m) * (1 + 1e-9))
        with pytest.raises(ArithmeticError, match="sum of the eigenvalues"):
            measure(network, FIM(), width=10, samples=5, spectrum="full")
    with monkeypatch.context() as patch:
        patch.setattr(NumpyBackend, "eigvalsh", lambda self, m: np.full(len(m), np.trace(m) / len(m)))
        with pytest.raises(ArithmeticError, match="sum of the squared eigenvalues"):
            measure(network, FIM(), width=10, samples=5, spectrum="full")
    with monkeypatch.context() as patch:
        patch.setattr(NumpyBackend, "gram", lambda self, x: (x @ x.T) * (1 + 1e-9))
        with pytest.raises(ArithmeticError, match="trace of the dual matrix"):
            measure(network, FIM(), width=10, samples=5)


def test_out_of_memory_is_tried_with_half_until_it_fits(monkeypatch):
    from empirical import measure, measurement
    from meanfield.spec import FIM, Network

    network, budgets, plans, choose = Network(2, "tanh", 2.0, 0.3, outputs=3), [], [], measurement.choose

    def spy(size, budget, **options):
        budgets.append(budget)
        plans.append(choose(size, budget, **options))
        return plans[-1]

    def greedy(*arguments):
        if plans[-1].bytes > 100_000:
            raise MemoryError
        return take(*arguments)

    take = measurement.take
    monkeypatch.setattr(measurement, "choose", spy)
    monkeypatch.setattr(measurement, "take", greedy)
    found = measure(network, FIM(), width=10, samples=60, spectrum="moments", memory=1_000_000)
    assert budgets[0] == 1_000_000
    assert budgets[1:] == [plan.bytes // 2 for plan in plans[:-1]]  # no plan is made twice
    monkeypatch.undo()
    expected = measure(network, FIM(), width=10, samples=60, spectrum="moments")
    np.testing.assert_allclose([found.mean, found.second_moment], [expected.mean, expected.second_moment], rtol=1e-11)
