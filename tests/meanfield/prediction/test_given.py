"""``predict(inputs=X)``: what it answers, at several widths, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from meanfield import FIM, NTK, Gram, InputMetric, Metric, Network, given_kernel, predict
from meanfield.finite_width.given_law import refine_given
from meanfield.spec import METRICS

RNG = np.random.default_rng(50)
X = RNG.standard_normal((12, 7)) * np.linspace(0.5, 2, 12)[:, None] + 0.3
NETWORK = Network(3, "erf", 2.0, 0.1, outputs=3)
ALL = [k(layer=l, centered=c) for k in METRICS.values() for l in (None, *k().layers(3)) for c in (False, True)]


@pytest.mark.parametrize("metric", ALL, ids=str)
def test_every_statistic_is_that_of_the_eigenvalues(metric: Metric) -> None:
    p = predict(NETWORK, metric, width=400, inputs=X)
    kernel = given_kernel(NETWORK, X, metric=metric, width=400)
    values = np.repeat(np.linalg.eigvalsh(kernel.normaliser * kernel.matrix)[::-1], 3)
    np.testing.assert_allclose(np.repeat(p.eigenvalues, p.multiplicity), values, atol=1e-13 * values[0])  # type: ignore[arg-type]
    assert p.dimension == kernel.dimension
    assert p.mean == pytest.approx(values.sum() / kernel.dimension, rel=1e-11)
    assert p.second_moment == pytest.approx((values**2).sum() / kernel.dimension, rel=1e-11)
    assert p.largest == pytest.approx(values[0])
    outliers = 0 if metric.centered else 3
    np.testing.assert_allclose(p.outliers, values[:outliers], rtol=1e-12)
    mean, number = p.bulk
    assert number == min(3 * (12 - metric.centered), kernel.dimension) - outliers
    assert mean * number + p.outliers.sum() == pytest.approx(values.sum(), rel=1e-11)
    assert p.samples == 12
    if p.resolved:  # centred, the last layer's input metric is nothing at all
        assert p.error < 1e-11
    else:
        assert (p.error, metric) == (1.0, InputMetric(layer=2, centered=True))
    np.testing.assert_allclose(
        p.eigenvectors.T @ kernel.matrix @ p.eigenvectors * kernel.normaliser,
        np.diag(p.eigenvalues),
        atol=1e-12 * values[0],
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(("metric", "law"), [(FIM(), 2), (NTK(), 24), (FIM(loss="cross_entropy"), None)])
def test_learning_rates_follow_from_the_largest(metric: Metric, law: float | None) -> None:
    p = predict(NETWORK, metric, width=50, inputs=X)
    squared = predict(NETWORK, FIM(), width=50, inputs=X).largest
    rates = {name: rate.value for name, rate in p.critical_learning_rates.items()}
    if law is not None:
        assert rates["half_squared_error"] == pytest.approx(law / p.largest, rel=1e-12)
        assert rates["MSELoss"] == pytest.approx(1.5 * law / p.largest, rel=1e-12)
    else:
        assert rates["CrossEntropyLoss"] == pytest.approx(2 / p.largest, rel=1e-12)
        assert rates["CrossEntropyLoss (guaranteed)"] == pytest.approx(4 / squared, rel=1e-12)
    assert predict(NETWORK, FIM(layer=2), width=50, inputs=X).critical_learning_rates == {}


@pytest.mark.parametrize("metric", [FIM(), FIM(loss="cross_entropy"), InputMetric()], ids=str)
def test_several_widths_are_each_alone(metric: Metric) -> None:
    many = predict(NETWORK, metric, width=[[20, 40], [60, 80]], inputs=X)
    one = predict(NETWORK, metric, width=60, inputs=X)
    for name in ("mean", "second_moment", "largest", "eigenvalues", "dimension", "samples", "outliers"):
        value = np.asarray(getattr(many, name))
        assert value.shape[:2] == (2, 2)
        np.testing.assert_allclose(value[1, 0], getattr(one, name), rtol=1e-13)
    assert many.bulk[0][1, 0] == pytest.approx(one.bulk[0], rel=1e-13)
    for name, rate in one.critical_learning_rates.items():
        assert many.critical_learning_rates[name].value[1, 0] == pytest.approx(rate.value, rel=1e-13)
    assert many.kernel is None
    assert many.network == NETWORK
    assert one.network.widths(60) == (7, 60, 60, 3)
    if one.std is not None:
        assert many.std["largest"][1, 0] == pytest.approx(one.std["largest"], rel=1e-12)  # type: ignore[index]
        assert many.interval()["mean"].shape == (2, 2, 2)
    with pytest.raises(ValueError, match="eigenvectors: expected"):
        _ = many.eigenvectors
    assert len(many.to_frame()) == 4
    assert str(many)


@pytest.mark.parametrize("depth", [2, 4])
@pytest.mark.parametrize("metric", [FIM(), FIM(layer=1), FIM(layer=2), NTK(), NTK(layer=1), InputMetric()], ids=str)
def test_exponents_in_the_width_are_the_slopes_of_predictions(depth: int, metric: Metric) -> None:
    """M_0 = 7 stays, so that the first layer's block has M parameters, not M²."""
    p = predict(Network(depth, "relu", 2.0, 0.1), metric, width=[2**24, 2**25], inputs=X)
    for name in ("mean", "second_moment", "largest"):
        low, high = getattr(p, name)
        assert p.exponents[name][0] == pytest.approx(np.log2(high / low), abs=2e-3), name


def test_exponents_in_the_samples_are_those_of_inputs_like_these() -> None:
    exponents = predict(NETWORK, NTK(), width=50, inputs=X).exponents
    assert [exponents[name][1] for name in ("mean", "second_moment", "largest")] == [0, 1, 1]


def test_orthonormal_inputs_have_the_prediction_of_fixed_ones() -> None:
    x = np.linalg.qr(RNG.standard_normal((40, 40)))[0][:10] * np.sqrt(40)
    network = Network(3, "tanh", 2.0, 1.0, outputs=3)  # with outliers that the noise of its kernel doesn't swallow
    for metric in (FIM(), NTK(), FIM(layer=3)):
        given = predict(network, metric, width=40, inputs=x)
        fixed = predict(network, metric, width=40, samples=10, inputs="fixed")
        for name in ("mean", "largest", "outliers", "dimension"):
            np.testing.assert_allclose(getattr(given, name), getattr(fixed, name), rtol=1e-11)
        assert given.bulk[1] == fixed.bulk[1]
        np.testing.assert_allclose(given.bulk[0], fixed.bulk[0], rtol=1e-10)


def test_a_gram_matrix_in_place_of_the_inputs() -> None:
    """It doesn't know d; the network's α_0 does."""
    network = Network(3, "erf", 2.0, 0.1, outputs=3, width_ratios=[0.25, 1, 1])
    by_rows, by_gram = (predict(network, FIM(), width=28, inputs=x) for x in (X, Gram(X @ X.T / 7)))
    np.testing.assert_allclose(by_gram.eigenvalues, by_rows.eigenvalues, rtol=1e-9)  # type: ignore[arg-type]
    assert by_gram.dimension == by_rows.dimension == 7 * 28 + 28 + 28 * 28 + 28 + 28 * 3 + 3


def test_given_logits_are_one_network() -> None:
    logits = RNG.standard_normal((12, 3))
    p = predict(NETWORK, FIM(loss="cross_entropy"), width=50, inputs=X, logits=logits)
    assert p.networks is None
    assert p.eigenvalues is not None
    assert p.eigenvalues.shape == (24,)
    assert p.outliers.shape == (2,)
    assert p.bulk[1] == 22
    assert p.outliers.sum() + p.bulk[0] * 22 == pytest.approx(p.mean * p.dimension, rel=1e-11)
    assert p.resolved == 24
    with pytest.raises(ValueError, match="eigenvectors: expected"):
        _ = p.eigenvectors
    uniform = predict(NETWORK, FIM(loss="cross_entropy"), width=50, inputs=X, logits=np.zeros((12, 3)))
    squared = predict(NETWORK, FIM(), width=50, inputs=X)
    np.testing.assert_allclose(uniform.eigenvalues, np.repeat(squared.eigenvalues, 2) / 3, rtol=1e-9, atol=1e-12)  # type: ignore[arg-type]


def test_logits_as_a_process_have_a_law() -> None:
    p = predict(NETWORK, FIM(loss="cross_entropy"), width=50, inputs=X)
    assert p.networks is not None
    assert p.networks["largest"].shape == (64,)
    assert p.mean == pytest.approx(p.networks["mean"].mean(), rel=1e-12)
    assert any("Gaussian process" in a for a in p.assumptions)
    assert p.error == pytest.approx(p.networks["largest"].std(ddof=1) / 8 / p.largest, rel=1e-9)


def test_what_is_below_the_rounding_is_said() -> None:
    x = np.vstack([X, X[:4]])
    p = predict(NETWORK, FIM(), width=500, inputs=x)
    assert p.resolved == 12
    assert any(w.startswith("eigenvalues: 4 of 16 are below what is known") for w in p.warnings)
    assert not any("below what is known" in w for w in predict(NETWORK, FIM(), width=500, inputs=X).warnings)
    assert not any(
        "below what is known" in w for w in predict(NETWORK, FIM(centered=True), width=500, inputs=X).warnings
    )


@pytest.mark.parametrize(
    ("network", "metric", "width", "words"),
    [
        (NETWORK, FIM(), 20, "C N/M = 1.8 is not small"),
        (Network(3, "relu", 2.0), FIM(), 60, "neurons of the first layer have their kink"),
        (NETWORK, InputMetric(), 500, "the 7 units of layer 0 are no more than 10 N"),
        (NETWORK, InputMetric(layer=1), 120, "the 120 units of layer 1 are no more than 10 N"),
        (Network(2, "tanh", 2.0, outputs=30), FIM(), 30, "as many outputs as a hidden layer"),
    ],
)
def test_warnings_of_finite_width(network: Network, metric: Metric, width: int, words: str) -> None:
    assert any(words in w for w in predict(network, metric, width=width, inputs=X).warnings)
    for calm in (FIM(), InputMetric(layer=1)):
        assert predict(NETWORK, calm, width=5000, inputs=X).warnings == ()


def test_a_single_input() -> None:
    p = predict(NETWORK, FIM(), width=50, inputs=X[:1])
    assert p.eigenvalues is not None
    assert p.eigenvalues.shape == (1,)
    assert (p.bulk[1], np.isnan(p.bulk[0])) == (0, True)
    centered = predict(NETWORK, FIM(centered=True), width=50, inputs=X[:1])
    assert (centered.largest, centered.bulk[1]) == (0, 0)
    assert centered.error <= 1
    assert predict(NETWORK, FIM(loss="cross_entropy"), width=50, inputs=X[:1]).outliers.shape == (2,)


def test_as_plain_data_and_a_table() -> None:
    p = predict(NETWORK, FIM(), width=50, inputs=X)
    record = json.loads(json.dumps(p.to_dict()))
    np.testing.assert_array_equal(record["eigenvalues"], p.eigenvalues)
    assert (record["multiplicity"], record["resolved"], record["samples"]) == (3, 12, 12)
    assert "12 eigenvalues, each 3 times, 12 of them resolved" in str(p)
    frame = p.to_frame()
    assert frame["largest"][0] == p.largest
    assert p.sloppiness.effective_rank > 1
    assert predict(NETWORK, FIM(), width=50, samples=12).to_dict()["eigenvalues"] is None


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"inputs": X[0]}, ValueError, r"inputs: expected the shape \(N, d\)"),
        ({"inputs": np.full((2, 2), np.nan)}, ValueError, "inputs: expected finite numbers"),
        ({"inputs": 1j * X}, TypeError, "inputs: expected an array of numbers"),
        ({"inputs": X.astype(str)}, TypeError, "inputs: expected an array of numbers"),
        ({"inputs": np.ma.masked_greater(X, 0.5)}, TypeError, "inputs: expected an array of numbers"),
        ({"inputs": [["a"]]}, TypeError, "inputs: expected an array of numbers"),
        ({"inputs": "digits", "samples": 3}, ValueError, "inputs: expected gaussian, fixed or the inputs"),
        ({"inputs": X, "samples": 5}, ValueError, "samples: expected 12, the number of inputs, or none, got 5"),
        ({"inputs": X, "samples": [12, 13]}, ValueError, "samples: expected 12"),
        ({"inputs": X, "order": "refined", "metric": FIM(loss="cross_entropy")}, ValueError,
         "order: expected leading for given inputs and cross_entropy, got 'refined'"),
        ({"inputs": Gram(X @ X.T), "order": "refined"}, ValueError, "inputs: expected an array .* got a Gram matrix"),
        ({"inputs": X, "data": "fixed"}, ValueError, "data: expected none beside inputs"),
        ({"inputs": "fixed", "data": "gaussian", "samples": 3}, ValueError, "data: expected none beside inputs"),
        ({"inputs": X, "network": Network(3, "step", 1.0)}, ValueError, "inputs: expected finite order parameters"),
        ({"inputs": X, "network": Network(2, "tanh", 1.0, width_ratios=[2, 1])}, ValueError, "width_ratios: expected"),
        ({"inputs": X, "logits": np.zeros((12, 3))}, ValueError, "logits: expected none for the loss 'mse'"),
        ({"inputs": X, "width": 0}, ValueError, "width: expected positive integers"),
        ({}, TypeError, "samples: expected N, or inputs=X"),
    ],
)  # fmt: skip
def test_refused(options: dict[str, Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        predict(**{"network": NETWORK, "metric": FIM(), "width": 10, **options})
    assert "\n" not in str(caught.value)


def test_samples_may_be_said_where_they_agree() -> None:
    assert predict(NETWORK, NTK(), width=10, inputs=X, samples=12).samples == 12


def test_the_former_name_warns_and_answers() -> None:
    with pytest.warns(DeprecationWarning, match="data= is now inputs="):
        old = predict(NETWORK, FIM(), width=10, samples=5, data="fixed")
    assert old.to_dict() == predict(NETWORK, FIM(), width=10, samples=5, inputs="fixed").to_dict()


def test_the_refined_order_is_the_law_of_the_sampled_networks() -> None:
    """Means, spread and intervals of one law; the trace by its closed form."""
    network = Network(3, "tanh", 2.0, 0.2, outputs=2)
    p = predict(network, FIM(), width=60, inputs=X, order="refined")
    law = refine_given(p.network, FIM(), p.network.widths(60), X)
    np.testing.assert_array_equal(p.eigenvalues, law.mean)
    np.testing.assert_allclose(p.std["eigenvalues"], law.law.std(axis=0, ddof=1))
    np.testing.assert_allclose(p.outliers, law.all[:, :2].mean(axis=0))
    assert p.largest == pytest.approx(law.largest.mean())
    assert p.mean * p.dimension == pytest.approx(law.trace_mean)
    assert p.std["mean"] * p.dimension == pytest.approx(law.trace_std, rel=1e-2)
    assert p.second_moment * p.dimension == pytest.approx(np.mean(np.sum(law.all**2, axis=1)))
    assert p.interval()["eigenvalues"].shape == (12, 2)
    assert (p.order, p.resolved, p.warnings) == ("refined", 12, law.warnings)
    assert p.validity == law.validity
    both = predict(network, FIM(), width=[60, 90], inputs=X, order="refined")
    assert both.largest[0] == p.largest
    assert both.validity.crowding[1] == pytest.approx(12 / 90)


def test_beyond_the_joint_law_the_largest_and_the_trace_alone_are_known() -> None:
    network = Network(2, "erf", 2.0, 0.2, outputs=5)
    x = np.random.default_rng(5).standard_normal((110, 20))
    p = predict(network, NTK(), width=400, inputs=x, order="refined")
    assert np.isfinite([p.mean, p.largest, p.eigenvalues[0], p.bulk[0]]).all()
    assert np.isnan(p.second_moment)
    assert np.isnan(p.eigenvalues[1:]).all()
    assert p.resolved == 1
    assert any("first-order" in w for w in p.warnings)
