"""``predict(order="refined")`` as its users see it, and against measured networks."""

from __future__ import annotations

import json

import numpy as np
import pytest

from empirical import measure
from meanfield import FIM, NTK, InputMetric, Network, predict
from meanfield.spec.activations import activation_names, as_activation

NETWORK = Network(3, "tanh", 3.0, 0.64, outputs=4)
STATISTICS = ("mean", "second_moment", "largest", "outliers")


def refined(network, metric, width, samples, **options):
    return predict(network, metric, width=width, samples=samples, order="refined", **options)


@pytest.mark.parametrize(
    "metric", [FIM(), NTK(), InputMetric(), FIM(layer=2), NTK(layer=3), InputMetric(layer=0)], ids=str
)
def test_infinite_width_is_the_leading_order(metric):
    leading, found = (predict(NETWORK, metric, width=10**7, samples=50, order=o) for o in ("leading", "refined"))
    for name in ("mean", "second_moment", "largest"):
        assert getattr(found, name) == pytest.approx(float(getattr(leading, name)), rel=2e-3)
    assert found.order == "refined"
    assert found.dimension == leading.dimension


def test_corrections_fall_like_one_over_the_width():
    """Twice the width, half the correction of E s and a 1/√2 of the spread."""
    p, leading = (predict(NETWORK, NTK(), width=[4000, 8000], samples=50, order=o) for o in ("refined", "leading"))
    corrections = p.second_moment / leading.second_moment - 1
    assert corrections[0] / corrections[1] == pytest.approx(2, rel=2e-2)
    assert p.std["mean"][0] / p.std["mean"][1] == pytest.approx(np.sqrt(2), rel=1e-2)


def test_arrays_are_single_answers():
    p = refined(NETWORK, NTK(), [[100], [300]], [20, 80])
    one = refined(NETWORK, NTK(), 300, 20)
    for name in STATISTICS:
        assert getattr(p, name)[1, 0] == pytest.approx(getattr(one, name), rel=1e-12)
        assert p.std[name][1, 0] == pytest.approx(one.std[name], rel=1e-9)
    assert p.interval()["outliers"].shape == (2, 2, 4, 2)


def test_intervals():
    p = refined(NETWORK, FIM(), 150, 60)
    single, many = p.interval(0.95), p.interval(0.95, networks=25)
    for name in STATISTICS:
        value, std = getattr(p, name), p.std[name]
        assert np.all((single[name][..., 0] < value) & (value < single[name][..., 1]))
        assert np.diff(many[name], axis=-1)[..., 0] == pytest.approx(2 * 1.96 * std / 5, rel=1e-3)
        assert many[name].mean(axis=-1) == pytest.approx(value, rel=1e-3)
    assert np.all(np.diff(p.interval(0.5)["mean"]) < np.diff(single["mean"]))


@pytest.mark.parametrize("outputs", [4, 300])
def test_known_laws_do_not_shrink_with_the_outputs(outputs):
    """m and s are log-normal, whatever the sample of outliers is: quantiles and deviation by formula."""
    p = refined(Network(2, "tanh", 1.5, 0.3, outputs=outputs), NTK(), 4000, 30)
    for name in ("mean", "second_moment"):
        values = p.networks[name]
        width = np.std(np.log(values))
        low, high = p.interval()[name]
        assert np.log([low, high]) == pytest.approx(
            np.log(np.mean(values)) - width**2 / 2 + 1.96 * width * np.array([-1, 1]), abs=2e-3 * width
        )
        low, high = p.interval(0.999)[name]
        assert np.log(high / low) == pytest.approx(2 * 3.2905 * width, rel=5e-3)


def test_given_inputs_take_their_own_fluctuations_out():
    gaussian, fixed = (refined(NETWORK, NTK(), 150, 60, inputs=d) for d in ("gaussian", "fixed"))
    assert fixed.std["mean"] < gaussian.std["mean"]
    assert fixed.second_moment < gaussian.second_moment
    assert any("given inputs" in a for a in fixed.assumptions)
    leading = [predict(NETWORK, NTK(), width=150, samples=60, inputs=d).largest for d in ("gaussian", "fixed")]
    assert leading[0] == leading[1]


def test_given_gram_matrix():
    """Unequal overlaps of 30 given inputs, 200 networks: the mean overlap alone, and with what pairs differ by."""
    rng = np.random.default_rng(17)
    network, count, units = Network(2, "tanh", 2.0, 0.1, outputs=3), 30, 80
    x = rng.standard_normal((count, units)) + rng.uniform(0.3, 1.5, (count, 1)) * rng.standard_normal(units)
    x *= np.sqrt(1.3 * units) / np.linalg.norm(x, axis=1, keepdims=True)
    gram = x @ x.T / units
    overlap = (gram.sum() - np.trace(gram)) / count / (count - 1)
    flat = 1.3 * np.eye(count) + overlap * (1 - np.eye(count))
    metric = NTK()
    drawn = [measure(network, metric, width=units, seed=s, inputs=x) for s in range(2000, 2200)]
    with pytest.warns(DeprecationWarning, match="data= is now inputs="):
        found, without = (refined(network, metric, units, count, data=g) for g in (gram, flat))
    for name in ("mean", "second_moment"):
        values = np.array([getattr(m, name) for m in drawn])
        assert miss(values, float(getattr(found, name)), 0.005) < 1, name
    assert miss(values, float(without.second_moment), 0.005) > 1  # s sees what pairs differ by
    assert values.std(ddof=1) == pytest.approx(float(found.std["second_moment"]), rel=3.5 / np.sqrt(2 * 200))


def test_records():
    p = refined(NETWORK, FIM(), [100, 200], 60)
    record = json.loads(json.dumps(p.to_dict()))
    assert record["order"] == "refined"
    assert record["std"]["largest"] == p.std["largest"].tolist()
    assert record["validity"]["outliers"] == [True, True]
    assert np.shape(record["interval"]["outliers"]) == (2, 4, 2)
    assert "over networks" in str(p)
    assert p.condition_number is None
    assert p.critical_learning_rate == pytest.approx(2 / p.largest)


@pytest.mark.parametrize("name", [x for x in activation_names() if not as_activation(x).jumps])
def test_every_activation(name):
    p = refined(Network(3, name, 0.8, 0.2, outputs=2), NTK(), 200, 30)
    assert np.all(np.isfinite([p.mean, p.second_moment, p.std["mean"], p.std["second_moment"]]))
    assert p.error < 1e-2


def test_mixed_layers():
    network = Network(4, ["tanh", "relu", "gelu"], [2.0, 1.5, 1.8, 1.0], [0.1, 0.2, 0.0, 0.3], 3, [1, 0.5, 2, 1])
    p = refined(network, FIM(), 100, 40)
    assert p.validity.moments
    assert np.all(np.isfinite(p.outliers))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": "next"}, "order: expected leading or refined, got 'next'"),
        ({"inputs": "mnist"}, "inputs: expected gaussian, fixed or the inputs themselves .*got 'mnist'"),
        ({"data": np.eye(9)}, "data: expected a Gram matrix .samples, samples., got the shape .9, 9."),
        ({"data": np.diag(np.arange(1.0, 11))}, "equal norms, got 1..10"),
        ({"data": 1.1 * np.eye(10) - 0.1}, "data: expected a mean overlap from 0"),
        (
            {"metric": FIM(loss="cross_entropy", centered=True)},
            "order: expected leading for centered cross_entropy, got 'refined'",
        ),
        (
            {"metric": FIM(loss="cross_entropy"), "logits": np.zeros((10, 4))},
            "order: expected leading for given logits and cross_entropy, got 'refined'",
        ),
        ({"network": Network(2, "tanh", [1.0, 0.0], 0.1, outputs=2)}, "weight_variance: expected positive numbers"),
        ({"network": Network(2, "step", 1.0, 0.1, outputs=2)}, "activation: expected one without jumps"),
    ],
)
def test_refused(options, message):
    question = {"network": NETWORK, "metric": FIM(), "width": 100, "samples": 10, "order": "refined"} | options
    with pytest.raises(ValueError, match=message):
        predict(question.pop("network"), question.pop("metric"), **question)


def miss(values, mean, tolerance):
    """How far the mean of ``values`` is from ``mean``, in units of 3.5 standard errors plus the theory's own error."""
    error = values.std(ddof=1) / np.sqrt(len(values))
    return abs(values.mean() - mean) / (3.5 * error + tolerance * mean)


@pytest.mark.parametrize("metric", [FIM(), InputMetric(), NTK(centered=True)], ids=str)
def test_networks(metric):
    """40 networks of width 100; the leading order misses second moment and largest by 10 to 60 %."""
    p = refined(NETWORK, metric, 100, 40)
    drawn = [measure(NETWORK, metric, width=100, samples=40, seed=s, spectrum="extremes") for s in range(500, 540)]
    for name in ("mean", "second_moment") + (() if metric.centered else ("largest",)):
        values = np.array([getattr(m, name) for m in drawn])
        assert miss(values, float(getattr(p, name)), 0.015) < 1, name
        # the standard deviation of 40 values is good to 11 %
        assert values.std(ddof=1) == pytest.approx(float(p.std[name]), rel=0.45), name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("activation", "weight", "bias"), [("relu", 2.0, 0.1), ("silu", 2.0, 0.2), ("sigmoid", 4.0, 0.3)]
)
def test_networks_of_other_activations(activation, weight, bias):
    network, metrics = Network(3, activation, weight, bias, outputs=5), [FIM(), NTK(), InputMetric(), FIM(layer=2)]
    drawn = [measure(network, metrics, width=150, samples=60, seed=s, spectrum="extremes") for s in range(700, 800)]
    for index, metric in enumerate(metrics):
        p = refined(network, metric, 150, 60)
        assert p.validity.outliers
        for name in ("mean", "second_moment", "largest"):
            values = np.array([getattr(m[index], name) for m in drawn])
            assert miss(values, float(getattr(p, name)), 0.015) < 1, (metric, name)
