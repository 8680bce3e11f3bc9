"""Every route to a statistic gives the same statistic."""

import functools

import numpy as np
import pytest
from numpy.random import default_rng

from empirical import measure
from empirical.backends import make_backend
from empirical.dual import plan, routes
from empirical.dual.lanczos import RitzPairs
from empirical.dual.plan import Plan, TooLarge
from empirical.dual.routes import probe_moments, take
from empirical.dual.statistics import Scope
from meanfield.spec import FIM, NTK, InputMetric, Network

NET = Network(3, "tanh", 3.0, 0.64, outputs=3)
METRICS = [FIM(), NTK(layer=2), InputMetric(), FIM(loss="cross_entropy", centered=True), NTK(centered=True)]


def by_route(drawn, metrics, route, rows, spectrum="extremes", together=9):
    chosen = Plan(route, rows, together, 0, 0.0)
    return take(chosen, metrics, drawn, Scope(spectrum, spectrum != "moments"))


@pytest.mark.parametrize("rows", [1, 4, 6])
def test_blocks_give_the_dense_moments(case, drawn, rows):
    metrics = case[-1]
    dense, sums = by_route(drawn, metrics, "dense", 6, "moments")
    blocks, block_sums = by_route(drawn, metrics, "blocks", rows, "moments")
    scale = {m.metric.family: m.second_moment for m in dense if m.metric.layer is None and not m.metric.centered}
    for a, b in zip(dense, blocks, strict=True):
        np.testing.assert_allclose(b.mean, a.mean, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(b.second_moment, a.second_moment, rtol=1e-11, atol=1e-14 * scale[a.metric.family])
        assert b.dimension == a.dimension
        np.testing.assert_allclose(b.floor, a.floor, rtol=1e-12)
    for l, of_layer in sums.items():
        np.testing.assert_allclose(block_sums[l].overlaps(6), of_layer.overlaps(6), rtol=1e-12)


@pytest.mark.parametrize("route", ["blocks", "probes"])
def test_implicit_extremes_are_the_dense_ones(draw_network, route):
    drawn = draw_network(NET, 20, 40, 5)
    dense, _ = by_route(drawn, METRICS, "dense", 40)
    for a, b in zip(dense, by_route(drawn, METRICS, route, 13)[0], strict=True):
        np.testing.assert_allclose([b.largest, b.bulk_largest], [a.largest, a.bulk_largest], rtol=1e-7)
        np.testing.assert_allclose(b.outliers, a.outliers, rtol=1e-8)
        np.testing.assert_allclose(abs(np.sum(a.vectors * b.vectors, axis=1)), 1, rtol=1e-6)
        for name in ("mean", "second_moment"):
            error = getattr(b, f"{name}_error")
            assert (error > 0) == (route == "probes")
            assert abs(getattr(b, name) - getattr(a, name)) <= 4 * error + 1e-10 * getattr(a, name)


def test_metrics_a_few_at_a_time_are_all_at_once(draw_network):
    drawn = draw_network(NET, 12, 9, 5)
    for a, b in zip(*(by_route(drawn, METRICS, "dense", 9, together=t)[0] for t in (5, 2)), strict=True):
        assert a.metric == b.metric
        assert (a.mean, a.second_moment, a.largest) == (b.mean, b.second_moment, b.largest)


def test_probes_are_unbiased_and_their_errors_honest():
    """Over many sets of probes: the mean is right, and the spread is what each set says of itself."""
    values = np.r_[40.0, 30.0, default_rng(1).exponential(size=98)]
    basis = np.linalg.qr(default_rng(2).standard_normal((100, 100)))[0]
    matrix, host = (basis * values) @ basis.T, make_backend("numpy", "float64")
    pairs = RitzPairs(values[:2], basis[:, :2], np.zeros(2))
    sets = []
    for turn in range(200):
        # A rotation of the operator stands for other probes: the function always draws the same ones.
        signs = default_rng([3, turn]).choice([-1.0, 1.0], size=100)[:, None]
        turned = RitzPairs(pairs.values, signs * pairs.vectors, pairs.residuals)
        sets.append(probe_moments(lambda v, s=signs: s * (matrix @ (s * v)), turned, 100, 0.0, host, probes=20))
    for found, error, exact in (
        ([m.total for m in sets], [m.total_error for m in sets], values.sum()),
        ([m.squares for m in sets], [m.squares_error for m in sets], values @ values),
    ):
        spread = np.std(found, ddof=1)
        assert abs(np.mean(found) - exact) < 4 * spread / 200**0.5
        assert (
            0.8 < np.sqrt(np.mean(np.square(error))) / spread < 1.25
        )  # 200 sets: spread known to 5 %, four times that


def test_little_memory_gives_the_same_statistics():
    rich = measure(NET, METRICS, width=30, samples=120, seed=4, spectrum="extremes")
    poor = measure(NET, METRICS, width=30, samples=120, seed=4, spectrum="extremes", memory=2_200_000)
    assert rich[0].provenance["plan"]["route"] == "dense"
    assert poor[0].provenance["plan"]["route"] == "blocks"
    assert poor[0].provenance["plan"]["rows"] < 120
    for a, b in zip(rich, poor, strict=True):
        np.testing.assert_allclose([b.mean, b.second_moment], [a.mean, a.second_moment], rtol=1e-11)
        np.testing.assert_allclose(b.outliers, a.outliers, rtol=1e-8)
        np.testing.assert_allclose(b.order_parameters.backward_st, a.order_parameters.backward_st, rtol=1e-10)


def test_where_lanczos_finds_no_gap_the_dense_route_answers(monkeypatch):
    """A basis of three steps is too small for any spectrum here: a plan without a matrix gives way to the one with."""
    monkeypatch.setattr("empirical.dual.lanczos.basis_size", lambda count, size: 3 * (count + 2))
    net = Network(3, "tanh", 1.5, 0.2, outputs=3)
    ask = functools.partial(measure, net, FIM(), width=40, samples=40, spectrum="extremes")
    expected, choose = ask(), plan.choose

    def without_matrix_first(size, budget, implicit=True):
        return plan._blocks(size, budget) if implicit else choose(size, budget, implicit=False)

    monkeypatch.setattr("empirical.measurement.choose", without_matrix_first)
    found = ask()
    assert found.provenance["plan"]["route"] == "dense"
    np.testing.assert_array_equal(found.outliers, expected.outliers)
    with pytest.raises(TooLarge, match="memory"):  # there is none for the matrix, and no other way
        ask(memory=400_000)


@pytest.mark.parametrize("route", ["dense", "blocks", "probes"])
def test_a_metric_that_is_zero_has_extremes(draw_network, route):
    """A centred input metric of a linear network: what rounding leaves of it has no gaps."""
    drawn = draw_network(Network(2, "linear", 2.0, 0.1), 20, 400, 1)
    found = by_route(drawn, [InputMetric(centered=True)], route, 150)[0][0]
    assert 0 <= found.largest < found.floor
    bare = by_route(drawn, [InputMetric()], "dense", 400)[0][0]
    np.testing.assert_allclose(found.floor, bare.floor, rtol=1 if route == "probes" else 1e-10)


def test_a_metric_that_is_zero_has_a_full_spectrum(draw_network):
    """∂f/∂h^{L-1} is the same for every sample: centred, rounding is all that is left, and no two sums of it agree."""
    network = Network(2, "erf", (1.3, 0.8), (0.2, 0.5), outputs=2)
    for seed in range(10):
        drawn = draw_network(network, 8, 7, seed)
        (found,), _ = by_route(drawn, [InputMetric(1, "mse", True)], "dense", 7, "full")
        assert found.eigenvalues.size == 0
        assert abs(found.largest) < found.floor


def test_blocks_check_their_trace(draw_network, monkeypatch):
    drawn = draw_network(NET, 12, 9, 5)
    monkeypatch.setattr(type(drawn.backend), "gram", lambda self, x: (x @ x.T) * (1 + 1e-9))
    with pytest.raises(ArithmeticError, match="trace of a dual block"):
        by_route(drawn, [FIM()], "blocks", 4, "moments")


def test_implicit_extremes_are_held_against_the_second_moment(draw_network, monkeypatch):
    pairs = routes.largest_pairs

    def larger(*arguments, **options):
        found = pairs(*arguments, **options)
        return RitzPairs(2 * found.values, found.vectors, found.residuals)

    monkeypatch.setattr(routes, "largest_pairs", larger)
    with pytest.raises(ArithmeticError, match="sum of squared eigenvalues: expected at most"):
        by_route(draw_network(NET, 20, 40, 5), [FIM()], "blocks", 13)
