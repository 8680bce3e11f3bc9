"""``predict`` as a whole: its numbers against random networks, its record, its refusals."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from meanfield.kernels.exchangeable import exchangeable_kernel
from meanfield.kernels.logits import Ensemble
from meanfield.leading.spectra import softmax_spectrum
from meanfield.prediction.asking import predict
from meanfield.spec import FIM, LOSSES, METRICS, NTK, InputMetric, Network
from meanfield.spec.activations import Activation

C, N = 3, 10
NARROW, WIDE = 64, 192
COUNT = {NARROW: 120, WIDE: 40}
SETTINGS = {
    "tanh": {"activation": "tanh", "weight_variance": 3.0, "bias_variance": 0.64},
    "relu": {"activation": "relu", "weight_variance": 2.0, "bias_variance": 0.3},
    "mixed": {
        "activation": ("relu", "tanh"), "weight_variance": (1.6, 2.2, 1.3), "bias_variance": (0.5, 0.3, 0.1),
        "width_ratios": (0.5, 1.5, 1.0),
    },
}  # fmt: skip
ALL = [
    kind(layer=layer, loss=loss, centered=centered)
    for kind in METRICS.values()
    for layer in (None, *kind().layers(3))
    for loss in LOSSES
    for centered in (False, True)
]
# The sandwich doesn't know the activation: two settings are enough for it.
CASES = [(name, metric) for name in SETTINGS for metric in ALL if name != "relu" or metric.loss == "mse"]
DEFAULT = Network(3, "tanh", weight_variance=3.0, bias_variance=0.64, outputs=10)


@pytest.fixture(scope="module")
def networks(draw):
    """setting, width → (Network, networks drawn)."""
    made = {}
    for index, (name, setting) in enumerate(SETTINGS.items()):
        network = Network(3, outputs=C, **setting)
        physics = {k: v for k, v in setting.items() if k != "width_ratios"}
        for width, count in COUNT.items():
            drawn = draw(10 * index + width, count, widths=network.widths(width), samples=N, **physics)
            made[name, width] = network, drawn
    return made


def ratios(networks, name, width, metric):
    """measured / predicted, one a network, for each statistic that is predicted."""
    network, drawn = networks[name, width]
    prediction = predict(network, metric, width=width, samples=N)
    dual = drawn.dual(metric.family, metric.layer, metric.loss, metric.centered)
    eigenvalues = np.linalg.eigvalsh(dual)
    dimension = drawn.dimension(metric.family, metric.layer)
    assert prediction.dimension == dimension
    outliers = C if metric.loss == "mse" else C - 1
    predicted = statistics(prediction) if metric.loss == "mse" else given_logits_of(drawn, prediction)
    measured = {
        "mean": eigenvalues.sum(1) / dimension,
        "second_moment": (eigenvalues**2).sum(1) / dimension,
        # The C outliers of one network are spread by finite width; their mean is what leading order speaks of.
        "largest": eigenvalues[:, -outliers:].mean(1),
    }
    return {k: v / predicted[k] for k, v in measured.items() if np.all(predicted[k] > 0)}


def statistics(prediction):
    return {k: getattr(prediction, k) for k in ("mean", "second_moment", "largest")}


def given_logits_of(drawn, prediction):
    """The same statistics for each network from its own logits; NaN where the prediction over all networks is void."""
    network, metric = prediction.network, prediction.metric
    widths = np.array(network.widths(int(prediction.width)), float)
    kernel = exchangeable_kernel(network, metric, prediction.order_parameters, widths, np.array(float(N)))
    kernel = kernel.centered() if metric.centered else kernel
    logits = drawn.logits - (drawn.logits.mean(1, keepdims=True) if metric.centered else 0)
    g = np.exp(logits.swapaxes(1, 2))
    g /= g.sum(1, keepdims=True)
    each = softmax_spectrum(kernel, lambda _: Ensemble(g, replicates=1)).networks
    largest = each["outliers"].mean(1) if prediction.outliers.size else np.full(len(g), np.nan)
    void = np.isnan(prediction.outliers).any()
    each = {**each, "largest": np.where(void, np.nan, largest)}
    return {k: np.where(np.isnan(getattr(prediction, k)), np.nan, each[k]) for k in statistics(prediction)}


# The declared finite-width error of measured / predicted at width M: a₁/M with |a₁| at most this. Products of L random
# layers miss by a few L/M, entries' noise adds C N/M (or its share) to s.
SLOPE = {"mean": 6.0, "second_moment": 4.0 * C * N, "largest": 24.0}


@pytest.mark.parametrize(("name", "metric"), CASES, ids=lambda x: str(x))
def test_random_networks_approach_the_prediction(name, metric, networks):
    narrow, wide = (ratios(networks, name, width, metric) for width in (NARROW, WIDE))
    if not narrow:  # a metric that is zero: linear output layer, centred
        assert predict(networks[name, WIDE][0], metric, width=WIDE, samples=N).mean == 0
    for statistic in narrow.keys() & wide.keys():
        means = np.array([narrow[statistic].mean(), wide[statistic].mean()])
        errors = np.array([x[statistic].std(ddof=1) / math.sqrt(len(x[statistic])) for x in (narrow, wide)])
        declared = SLOPE[statistic] / np.array([NARROW, WIDE])
        assert np.all(np.abs(means - 1) <= 4 * errors + declared), (statistic, means, errors)
        # Extrapolated to M → ∞ along a₀ + a₁/M, what is left of the declared error is its square.
        weights = np.array([-NARROW, WIDE]) / (WIDE - NARROW)
        left = np.abs(weights) @ (declared / 2) ** 2
        assert abs(weights @ means - 1) <= 4 * math.hypot(*(weights * errors)) + left, (statistic, means, errors)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (FIM(), {"mean": (-1, 0), "second_moment": (0, 0), "largest": (1, 0)}),
        (NTK(), {"mean": (0, 0), "second_moment": (0, 1), "largest": (0, 1)}),
        (InputMetric(), {"mean": (-1, 0), "second_moment": (-1, 0), "largest": (0, 0)}),
        (FIM(layer=3), {"mean": (0, 0), "second_moment": (1, 0), "largest": (1, 0)}),
        (NTK(layer=2), {"mean": (0, 0), "second_moment": (0, 1), "largest": (0, 1)}),
        (InputMetric(layer=0), {"mean": (-1, 0), "second_moment": (-1, 0), "largest": (0, 0)}),
    ],
    ids=str,
)
def test_exponents(metric, expected):
    assert predict(DEFAULT, metric, width=1000, samples=100).exponents == expected


@pytest.mark.parametrize("metric", [FIM(), NTK(), InputMetric(), FIM(layer=3)], ids=str)
@pytest.mark.parametrize("statistic", ["mean", "second_moment", "largest"])
def test_exponents_are_the_slopes_far_out(metric, statistic):
    far = predict(DEFAULT, metric, width=[10**6, 2 * 10**6], samples=10**4)
    slope = np.diff(np.log2(getattr(far, statistic)))
    assert slope == pytest.approx(far.exponents[statistic][0], abs=1e-3)
    far = predict(DEFAULT, metric, width=10**6, samples=[10**6, 2 * 10**6])
    slope = np.diff(np.log2(getattr(far, statistic)))
    assert slope == pytest.approx(far.exponents[statistic][1], abs=1e-3)


def test_learning_rates_are_the_edges_of_the_loss(draw):
    # At zero residual the Hessian of (1/2N) Σ |f - y|² is the FIM; in NTK parameterisation it has the spectrum of Θ/N.
    sw2, sb2, m, n = 2.0, 0.5, 5, 4
    drawn = draw(0, 1, "tanh", (m, m, C), samples=n, weight_variance=sw2, bias_variance=sb2)
    rng = np.random.default_rng(0)
    shapes = [(m, m), (m,), (C, m), (C,)]
    scales = [math.sqrt(sw2 / m), math.sqrt(sb2)] * 2
    # The same draws, in the same order: weight, bias, feature of each layer, then inputs.
    normals = []
    for weight, bias in ((shapes[0], shapes[1]), (shapes[2], shapes[3])):
        normals += [rng.standard_normal(weight), rng.standard_normal(bias)]
        rng.standard_normal(m)
    x = torch.from_numpy(rng.standard_normal((n, m)))
    start = torch.from_numpy(np.concatenate([z.ravel() for z in normals]))
    scale = torch.from_numpy(np.concatenate([np.full(z.size, s) for z, s in zip(normals, scales, strict=True)]))

    def outputs(theta):
        w1, b1, w2, b2 = (p.reshape(s) for p, s in zip(theta.split([m * m, m, C * m, C]), shapes, strict=True))
        return torch.tanh(x @ w1.T + b1) @ w2.T + b2

    def top(of_parameters, at):
        target = of_parameters(at).detach()
        hessian = torch.autograd.functional.hessian(lambda p: ((of_parameters(p) - target) ** 2).sum() / (2 * n), at)
        return float(torch.linalg.eigvalsh(hessian)[-1])

    largest = {f: np.linalg.eigvalsh(drawn.dual(f))[0, -1] for f in ("fim", "ntk")}
    network = Network(2, "tanh", sw2, sb2, outputs=C)
    fim, ntk = (predict(network, k(), width=1000, samples=n) for k in (FIM, NTK))
    assert fim.critical_learning_rate * fim.largest == pytest.approx(2 * largest["fim"] / top(outputs, scale * start))
    in_ntk = top(lambda p: outputs(scale * p), start)
    assert ntk.critical_learning_rate * ntk.largest == pytest.approx(2 * largest["ntk"] / in_ntk)


@pytest.mark.parametrize("metric", [InputMetric(), FIM(centered=True), NTK(layer=2), FIM(layer=2)], ids=str)
def test_metrics_that_set_no_learning_rate(metric):
    assert predict(DEFAULT, metric, width=100, samples=10).critical_learning_rate is None


def test_widths_and_samples_broadcast():
    table = predict(DEFAULT, NTK(), width=[[100], [200]], samples=[10, 20, 40])
    assert table.mean.shape == table.width.shape == table.samples.shape == table.dimension.shape == (2, 3)
    assert table.outliers.shape == (2, 3, 10)
    one = predict(DEFAULT, NTK(), width=200, samples=40)
    assert np.shape(one.mean) == ()
    assert one.outliers.shape == (10,)
    for name in ("mean", "second_moment", "largest", "dimension", "critical_learning_rate"):
        assert getattr(table, name)[1, 2] == getattr(one, name)
    assert table.bulk[0][1, 2] == one.bulk[0]


def test_bulk_and_outliers_share_the_trace():
    for metric in (FIM(), NTK(), InputMetric()):
        p = predict(DEFAULT, metric, width=300, samples=1000)
        assert p.outliers.sum() + p.bulk[0] * p.bulk[1] == pytest.approx(p.mean * p.dimension)
        assert p.bulk[1] == min(p.dimension, 10 * 1000) - 10


@pytest.mark.parametrize("metric", [FIM(), NTK(), InputMetric()], ids=str)
def test_a_metric_that_is_zero_is_predicted_to_be_zero(metric):
    # σ_w = 0: no gradient passes a layer, and in NTK parameterisation none enters the weights.
    network = Network(2, "tanh", weight_variance=0.0, outputs=2)
    p = predict(network, metric, width=10, samples=10)
    if metric.family == "fim":  # its last block still sees the biases' ones
        assert p.mean * p.dimension == pytest.approx(2)
    else:
        assert (p.mean, p.second_moment, p.largest) == (0, 0, 0)
        assert p.critical_learning_rate in (None, math.inf)
        assert p.warnings == ()


CROSS = FIM(loss="cross_entropy")


def test_given_logits_decide_the_outliers():
    f = np.random.default_rng(0).normal(size=(50, 10))
    given = predict(DEFAULT, CROSS, width=[500, 1000], samples=50, logits=f)
    assert given.outliers.shape == (2, 9)
    assert given.std is None
    with pytest.raises(ValueError, match=r"^interval: expected .* got one network's logits$"):
        given.interval()
    # Uniform probabilities: every outlier is 1/C of the FIM's.
    flat = predict(DEFAULT, CROSS, width=1000, samples=50, logits=np.zeros((50, 10)))
    mse = predict(DEFAULT, FIM(), width=1000, samples=50)
    assert flat.outliers == pytest.approx(np.full(9, mse.largest / 10))
    assert flat.mean == pytest.approx(mse.mean * 0.9 / 10)
    assert np.all(given.bounds[0] <= given.largest)
    assert np.all(given.largest <= given.bounds[1])


def test_large_sample_limit_of_the_softmax_outliers():
    f = np.random.default_rng(0).normal(size=(20_000, 10))
    p = predict(DEFAULT, CROSS, width=10**7, samples=20_000, logits=f)
    g = np.exp(f) / np.exp(f).sum(1, keepdims=True)
    mean = np.diag(g.mean(0)) - g.T @ g / len(g)
    limit = predict(DEFAULT, FIM(), width=10**7, samples=20_000).largest * np.linalg.eigvalsh(mean)[:0:-1]
    assert p.outliers == pytest.approx(limit, rel=1e-3)


def test_spread_over_networks_comes_from_the_logits():
    p = predict(DEFAULT, CROSS, width=[[500], [1000]], samples=[50, 100])
    assert p.outliers.shape == p.std["outliers"].shape == (2, 2, 9)
    assert p.std["mean"].shape == (2, 2)
    interval = p.interval(0.9)
    assert interval["outliers"].shape == (2, 2, 9, 2)
    assert np.all(interval["largest"][..., 0] < p.largest)
    assert np.all(p.largest < interval["largest"][..., 1])
    share = np.mean(
        (p.networks["largest"] > interval["largest"][..., 0]) & (p.networks["largest"] < interval["largest"][..., 1])
    )
    assert share == pytest.approx(0.9, abs=0.02)
    mean_of_100 = p.interval(0.9, networks=100)["largest"]
    assert np.ptp(mean_of_100, axis=-1) == pytest.approx(2 * 1.6448536 * p.std["largest"] / 10)
    assert 0 < p.error < 0.03
    for values in (p.std["outliers"], p.interval()["outliers"].sum(-1)):
        assert np.isfinite(values).tolist() == np.isfinite(p.outliers).tolist()
    assert predict(DEFAULT, FIM(), width=100, samples=10).std is None
    again = predict(DEFAULT, CROSS, width=1000, samples=100)
    np.testing.assert_array_equal(again.outliers, p.outliers[1, 1])


@pytest.mark.parametrize(("level", "networks"), [(0, 1), (1.0, 1), ("most", 1), (0.9, 0), (0.9, 1.5)])
def test_interval_refuses(level, networks):
    with pytest.raises((ValueError, TypeError), match=r"^(level|networks): expected"):
        predict(DEFAULT, CROSS, width=100, samples=10).interval(level, networks)


def test_condition_number_of_the_kernel():
    few, one = (predict(DEFAULT, NTK(), width=10**6, samples=n) for n in (20, 1))
    # The NTK's two eigenvalues as M → ∞ at fixed N.
    assert few.condition_number == pytest.approx(few.largest / few.bulk[0])
    assert one.condition_number == 1
    assert predict(DEFAULT, FIM(), width=100, samples=20).condition_number is None


def test_record_survives_json():
    plain = predict(DEFAULT, FIM(layer=1), width=[100, 200], samples=10).to_dict()
    again = json.loads(json.dumps(plain, allow_nan=False))
    assert again == plain
    assert again["largest"] == [None, None]
    assert Network.from_dict(again["network"]) == DEFAULT


def test_frame_has_a_row_for_each_size():
    frame = predict(DEFAULT, FIM(), width=[[100], [200]], samples=[10, 20]).to_frame()
    assert frame["width"].tolist() == [100, 100, 200, 200]
    assert frame["samples"].tolist() == [10, 20, 10, 20]
    single = predict(DEFAULT, FIM(), width=200, samples=10)
    assert frame["largest"][2] == single.largest
    assert len(single.to_frame()) == 1


def test_prints_as_a_table():
    text = str(predict(DEFAULT, FIM(layer=1), width=100, samples=10))
    assert text.startswith("FIM, layer 1, leading order")
    assert "warning: largest" in text


def test_notebooks_show_a_table():
    p = predict(DEFAULT, FIM(layer=1), width=[100, 200], samples=10)
    html = p._repr_html_()
    assert html.count("<tr>") == 3
    assert "warning: largest" in html


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": "tanh"}, "network: expected a Network"),
        ({"metric": 3}, "metric: expected a family name or a table, got 3"),
        ({"metric": "fisher"}, "metric: expected one of fim, ntk, input_metric"),
        ({"width": 0}, "width: expected positive integers, got 0"),
        ({"width": 10.5}, "width: expected positive integers"),
        ({"width": []}, "width: expected at least one positive integer"),
        ({"samples": -1}, "samples: expected positive integers"),
        ({"width": [10, 20], "samples": [1, 2, 3]}, r"samples: expected a shape that broadcasts with \(2,\)"),
        ({"samples": True}, "samples: expected positive integers"),
        ({"order": "next"}, "order: expected"),
        ({"metric": CROSS, "network": Network(2, "tanh", 1.0)}, "outputs: expected at least 2 for cross_entropy"),
        ({"logits": np.zeros((10, 10))}, "logits: expected none for the loss 'mse'"),
        ({"metric": CROSS, "logits": np.zeros((9, 10))}, r"logits: expected the shape \(samples, 10\), got \(9, 10\)"),
        ({"metric": CROSS, "logits": np.full((10, 10), np.nan)}, "logits: expected finite numbers"),
        ({"metric": CROSS, "logits": "many"}, "logits: expected an array of numbers"),
        ({"metric": FIM(layer=4)}, "layer: expected 1..3"),
        ({"network": Network(2, Activation("jump", "sign(u)"), 1.0)}, "activation: expected one without jumps"),
        ({"network": Network(3, "exp", 400.0)}, "weight_variance: expected order parameters below"),
        ({"network": Network(2, "tanh", 1.0, width_ratios=(1, 0.5)), "width": 11}, "width: expected α_1"),
    ],
    ids=lambda x: x if isinstance(x, str) else None,
)
def test_refuses(change, message):
    question = {"network": DEFAULT, "metric": FIM(), "width": 10, "samples": 10, **change}
    with pytest.raises((ValueError, TypeError), match=f"^{message}"):
        predict(**question)


def test_a_metric_by_name_or_table_is_the_record():
    by_record = predict(DEFAULT, FIM(layer=2), width=100, samples=10)
    assert predict(DEFAULT, {"family": "fim", "layer": 2}, width=100, samples=10).largest == by_record.largest
    assert predict(DEFAULT, "ntk", width=100, samples=10).metric == NTK()


@pytest.mark.parametrize("order", ["leading", "refined"])
@pytest.mark.parametrize("loss", LOSSES)
def test_several_sizes_are_each_size_alone(order, loss):
    widths, samples = [[60, 80]], [[20], [30]]
    whole = predict(DEFAULT, FIM(loss=loss), width=widths, samples=samples, order=order)
    for i, j in np.ndindex(2, 2):
        alone = predict(DEFAULT, FIM(loss=loss), width=widths[0][j], samples=samples[i][0], order=order)
        for name in ("mean", "second_moment", "largest", "outliers", "dimension"):
            np.testing.assert_allclose(getattr(whole, name)[i, j], getattr(alone, name), rtol=1e-12, err_msg=name)
        assert whole.std is None or whole.std["mean"][i, j] == pytest.approx(float(alone.std["mean"]), rel=1e-12)
