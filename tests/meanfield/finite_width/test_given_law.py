"""The refined order at given inputs: against the theory of exchangeable inputs, against networks, and its warnings."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from empirical import measure
from meanfield import FIM, NTK, InputMetric, Network, order_parameters
from meanfield.finite_width import given_law
from meanfield.finite_width.given_joint import relative, root_given
from meanfield.finite_width.given_law import refine_given
from meanfield.finite_width.given_layers import given_chain
from meanfield.finite_width.given_moments import trace_deviation
from meanfield.finite_width.given_noise import last_noise, lower_noise, sources
from meanfield.finite_width.given_shift import pushed
from meanfield.finite_width.given_spectrum import resolved_basis
from meanfield.finite_width.refined import kernel_law
from meanfield.finite_width.traces import trace_laws
from meanfield.kernels.setting import Setting
from meanfield.propagation.inputs import as_inputs

METRICS = [FIM(), NTK(), InputMetric(), FIM(layer=2), InputMetric(layer=1), InputMetric(layer=0)]


def inputs(count, units, seed, spread=0.4):
    """Three clusters, of log-normal norms."""
    rng = np.random.default_rng([seed, 20])
    x = rng.standard_normal((3, units))[rng.integers(0, 3, count)] + rng.standard_normal((count, units))
    return np.sqrt(0.5) * x * np.exp(spread * rng.standard_normal((count, 1)))


def exchangeable(count, units, overlap):
    """x_s·x_t/M_0 is 1 for s = t, else ``overlap``."""
    directions = np.linalg.qr(np.random.default_rng(5).standard_normal((units, count + 1)))[0].T
    return np.sqrt(units) * (np.sqrt(overlap) * directions[0] + np.sqrt(1 - overlap) * directions[1:])


@pytest.mark.parametrize("overlap", [0.0, 0.5])
@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_exchangeable_inputs(metric, overlap):
    """For inputs of one norm and overlap: K, dK and the variance of the trace of the theory by classes of pairs."""
    network, count, units = (
        Network(4, ["gelu", "tanh", "gelu"], [1.5, 2.0, 1.8, 1.2], [0.2, 0.1, 0.3, 0.0], 3, [1, 2, 1, 1.5]),
        8,
        40,
    )
    x = exchangeable(count, units, overlap)
    widths = np.array(network.widths(units), float)
    chain = given_chain(network, metric, widths, x)
    given = as_inputs(x @ x.T / units, np.array(count))
    parameters = order_parameters(network, norm=1.0, overlap=overlap, gaussian=False)
    setting = Setting.of(network, metric, parameters, units, count, given)
    law = kernel_law(next(setting.cells()))
    same, other = np.eye(count, dtype=bool), ~np.eye(count, dtype=bool)
    change = pushed(chain)
    for kind, chosen in enumerate((same, other)):
        assert chain.kernel[chosen] == pytest.approx(law.mean[1, kind], rel=1e-7)
        scale = np.abs(law.shift[1]).max()
        assert change.shift[chosen].mean() == pytest.approx(law.shift[1, kind], abs=0.03 * scale + 1e-9)
    deviation = trace_deviation(sources(chain, change.responses), 3, 40_000, False)
    expected = float(trace_laws(law, setting.kernel).mean_std) * float(setting.kernel.dimension)
    normaliser = float(setting.kernel.normaliser)
    # Without the resummed V_θ + B, which is of the next order here.
    assert normaliser * deviation == pytest.approx(expected, rel=0.04)


def test_noise_has_the_covariance_of_its_sources():
    """Var K_kk(s,t) and K_kj(s,t) over drawn networks, one hidden layer: against sums over many neurons."""
    network, x = Network(2, "relu", 2.0, 0.1, outputs=2), inputs(4, 12, 1)
    chain = given_chain(network, FIM(), np.array([12.0, 50.0, 2.0]), x)
    (source,) = sources(chain, pushed(chain).responses)
    rng = np.random.default_rng(11)
    drawn = np.array([last_noise(source, 2, 1000, rng) for _ in range(4000)])
    own, crossed = drawn[:, 0, 0], drawn[:, 0, 1]
    u = rng.multivariate_normal(np.zeros(4), chain.layers[0].q, 400_000)
    phi, slope = np.maximum(u, 0), (u > 0) * 1.0
    w2 = rng.standard_normal((400_000, 2))
    theta, v, (weight, *_) = chain.layers[0].theta[0, 1], 2.0, (chain.terms[1].weight, 0)
    of_own = weight * phi[:, 0] * phi[:, 1] + v * w2[:, 0] ** 2 * theta * slope[:, 0] * slope[:, 1]
    of_crossed = v * w2[:, 0] * w2[:, 1] * theta * slope[:, 0] * slope[:, 1]
    for found, neuron in ((own[:, 0, 1], of_own), (crossed[:, 0, 1], of_crossed)):
        fourth = np.mean((found - found.mean()) ** 4) / found.var() ** 2
        assert found.var() == pytest.approx(neuron.var() / 50, rel=4 * np.sqrt((fourth - 1) / len(drawn)))
        assert abs(found.mean()) < 4 * found.std() / np.sqrt(len(drawn))


PAIRS = np.repeat(inputs(5, 40, 8), 2, axis=0) + 0.02 * inputs(10, 40, 9)


def mean_kernel(x, depth, sw2, sb2, width, count):
    """The NTK K(s,t) of gelu networks with one output, its mean over ``count`` of them and the standard error: J Jᵀ by
    backpropagation, all networks at once."""
    rng = np.random.default_rng(77)
    h, layers = np.broadcast_to(x, (count, *x.shape)), []
    for layer in range(depth):
        leaving = width if layer < depth - 1 else 1
        w = rng.standard_normal((count, leaving, h.shape[2])) * np.sqrt(sw2 / h.shape[2])
        gram = sw2 * h @ h.swapaxes(1, 2) / h.shape[2] + sb2
        u = h @ w.swapaxes(1, 2) + np.sqrt(sb2) * rng.standard_normal((count, 1, leaving))
        layers.append((w, gram, ndtr(u) + u * np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi)))
        h = u * ndtr(u)
    total, delta = 0, np.ones((count, len(x), 1))
    for layer in reversed(range(depth)):
        w, gram, _ = layers[layer]
        total = total + (delta @ delta.swapaxes(1, 2)) * gram
        delta = (delta @ w) * (layers[layer - 1][2] if layer else 1)
    return total.mean(axis=0), total.std(axis=0) / np.sqrt(count)


def test_mean_kernel():
    """E K = K + dK entry by entry: 20,000 networks, which the leading order misses by several standard errors."""
    x, width = inputs(5, 10, 2), 20
    network = Network(4, "gelu", 2.2, 0.3, width_ratios=[10 / width, 1, 1, 1])
    chain = given_chain(network, NTK(), np.array(network.widths(width), float), x)
    shift = pushed(chain).shift
    mean, error = mean_kernel(x, 4, 2.2, 0.3, width, 20_000)
    miss = mean - chain.kernel
    assert np.max(np.abs(miss) / error) > 5
    second_order = 0.1 * np.abs(shift).max()  # 1/M², relative to 1/M, with a factor of 2
    assert np.all(np.abs(miss - shift) < 4 * error + second_order)


@pytest.mark.parametrize(
    ("network", "metric", "width", "units"),
    [
        (Network(3, "relu", 2.0, 0.1, outputs=2, width_ratios=[0.3, 1, 1]), FIM(), 100, 30),
        (Network(3, ["tanh", "gelu"], [2.0, 1.5, 1.0], 0.2, width_ratios=[0.3, 1, 2]), NTK(centered=True), 100, 30),
        (Network(4, "erf", 1.6, 0.2, outputs=2, width_ratios=[0.3, 1, 1, 1]), InputMetric(layer=2), 100, 30),
    ],
    ids=str,
)
def test_networks(network, metric, width, units):
    """100 networks: every eigenvalue's mean, the spread, and how many lie in the 95 % interval."""
    x, count = inputs(15, units, 3), 100
    law = refine_given(network, metric, network.widths(width), x)
    n = len(law.leading)
    drawn = [measure(network, metric, width=width, inputs=x, spectrum="full", seed=9000 + s) for s in range(count)]
    values = np.array([m.eigenvalues[: n * network.outputs] for m in drawn])
    found = values.reshape(count, n, network.outputs).mean(axis=2)
    error = np.hypot(found.std(axis=0, ddof=1) / np.sqrt(count), law.std / np.sqrt(len(law.law)))
    assert np.all(np.abs(found.mean(axis=0) - law.mean) < 4 * error + 0.03 * law.mean)
    # a deviation from 100 values is good to 7 %, the median over levels a little better
    assert np.median(found.std(axis=0, ddof=1) / law.std) == pytest.approx(1, abs=0.2)
    low, high = np.quantile(law.law, [0.025, 0.975], axis=0)
    assert np.mean((low <= found) & (found <= high)) == pytest.approx(0.95, abs=0.04)
    traces = values.sum(axis=1)
    assert abs(traces.mean() - law.trace_mean) < 4 * traces.std() / np.sqrt(count) + 0.02 * law.trace_mean
    assert traces.std(ddof=1) == pytest.approx(law.trace_std, rel=4 / np.sqrt(2 * count))


def test_first_order(monkeypatch):
    """Beyond the joint law's size λ_max and the trace are those of the joint law."""
    network, x = Network(3, "relu", 2.0, 0.2, outputs=2, width_ratios=[0.3, 1, 1]), inputs(15, 30, 4)
    joint = refine_given(network, FIM(), network.widths(100), x)
    monkeypatch.setattr(given_law, "JOINT", 1)
    first = refine_given(network, FIM(), network.widths(100), x, draws=8000)
    assert first.law is None
    assert np.all(np.isnan(first.mean[1:]))
    assert any("the largest eigenvalue and the trace alone" in w for w in first.warnings)
    error = joint.largest.std() / np.sqrt(len(joint.largest))
    assert abs(first.largest.mean() - joint.largest.mean()) < 4 * error + 0.01 * joint.largest.mean()
    assert first.largest.std() == pytest.approx(joint.largest.std(), rel=4 / np.sqrt(2 * 600))
    assert first.mean[0] == pytest.approx(joint.mean[0], rel=0.04)
    assert first.std[0] == pytest.approx(joint.std[0], rel=4 / np.sqrt(2 * 600))
    assert (first.trace_mean, first.trace_std) == pytest.approx((joint.trace_mean, joint.trace_std), rel=0.1)


def test_infinite_width():
    network, x = Network(3, "gelu", 2.0, 0.1, width_ratios=[2e-6, 1, 1]), inputs(6, 20, 5)
    law = refine_given(network, NTK(), network.widths(10**7), x, networks=50)
    assert law.mean == pytest.approx(law.leading, rel=1e-3)
    assert law.warnings == ()


def test_same_question_same_numbers():
    network, x = Network(3, "tanh", 2.0, 0.1, width_ratios=[0.1, 1, 1]), inputs(6, 10, 6)
    one, two = (refine_given(network, FIM(), network.widths(100), x, networks=20) for _ in range(2))
    assert np.array_equal(one.all, two.all)


def test_no_hidden_layer():
    """K of the FIM is the inputs' Gram matrix, that of the input metric a Wishart matrix of M_0 units."""
    x = inputs(4, 12, 7)
    network = Network(1, [], 1.5, 0.2, outputs=3)
    fim = refine_given(network, FIM(), (12, 3), x)
    expected = np.linalg.eigvalsh((x @ x.T + 1) / 4)[::-1]
    assert fim.mean == pytest.approx(expected, rel=1e-9)
    assert np.ptp(fim.all.reshape(len(fim.all), 4, 3), axis=(0, 2)) == pytest.approx(0, abs=1e-9)
    metric = refine_given(network, InputMetric(), (12, 3), x)
    wishart = 1.5 / 12 * np.linalg.eigvalsh([g @ g.T for g in np.random.default_rng(1).standard_normal((4000, 3, 12))])
    assert metric.all[:, 0].mean() == pytest.approx(wishart[:, 2].mean(), rel=0.03)
    assert metric.validity.resolved == 1


@pytest.mark.parametrize(
    ("network", "x", "metric", "width", "reason"),
    [
        (Network(3, "relu", 2.0, 0.1), PAIRS, FIM(), 40, "near-d"),
        (Network(3, "tanh", 2.0, 0.1), inputs(50, 40, 8), FIM(), 40, "N/M = 1.2"),
        (Network(3, "tanh", 2.0, 0.1, outputs=5), inputs(20, 40, 8), FIM(), 40, "C N/M = 2.5"),
        (Network(3, "tanh", 2.0, 0.1), inputs(10, 40, 8), InputMetric(), 40, "M_0/N = 4, below 10"),
        (Network(8, "relu", 2.0, 0.1), inputs(4, 20, 8), FIM(), 20, "order 1/M reach"),
        (Network(2, "linear", 1.0, 0.0), inputs(8, 5, 8), NTK(), 5, "rounding is too much of them"),
    ],
)  # fmt: skip
def test_warnings(network, x, metric, width, reason):
    law = refine_given(network, metric, network.widths(width), x, networks=2)
    assert any(reason in w for w in law.warnings), law.warnings


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": FIM(loss="cross_entropy")}, "loss: expected mse for the refined order at given inputs"),
        ({"metric": InputMetric(layer=1, centered=True)}, "metric: expected one that is not zero at these inputs"),
        ({"metric": FIM(centered=True), "inputs": np.ones((1, 5))}, "metric: expected one that is not zero"),
        ({"inputs": np.ones((3, 4))}, r"inputs: expected finite numbers \(samples, 5\)"),
        ({"inputs": np.full((3, 5), np.nan)}, "inputs: expected finite numbers"),
        ({"inputs": np.ones((5001, 5))}, "inputs: expected at most 5000 samples"),
        ({"inputs": np.zeros((2, 5)), "network": Network(2, "tanh", 1.0, 0.0, outputs=2)}, "inputs: expected q > 0"),
        ({"widths": (5, 5)}, r"widths: expected the 3 numbers M_0..M_L, got the shape \(2,\)"),
        ({"network": Network(2, "step", 1.0, 0.1, outputs=2)}, "activation: expected one without jumps"),
        ({"network": Network(2, "tanh", [1.0, 0.0], 0.1, outputs=2)}, "weight_variance: expected positive numbers"),
    ],
)
def test_refused(options, message):
    asked = {"network": Network(2, "tanh", 1.0, 0.1, outputs=2), "metric": FIM(), "widths": (5, 5, 2)}
    asked |= {"inputs": np.eye(3, 5)} | options
    with pytest.raises(ValueError, match=message):
        refine_given(**asked)


def test_noise_through_the_weights_is_none_on_average():
    """Of a lower layer, relative to the neurons' own share: its trace has mean r, whatever the neurons are."""
    network, x = Network(3, "relu", 2.0, 0.1, outputs=2), inputs(6, 20, 1)
    chain = given_chain(network, NTK(), np.array([20.0, 40.0, 40.0, 2.0]), x)
    change = pushed(chain)
    lower, _ = sources(chain, change.responses)
    white = resolved_basis(chain.kernel, change.shift, False).whitening
    rng = np.random.default_rng(12)
    noises = [lower_noise(lower, 2, 1000, rng) for _ in range(400)]
    pairs = [(relative(n.passed, white), relative(n.given[None, None], white)) for n in noises]
    traces = np.array([np.sum(root_given(*pair) ** 2) / 2 for pair in pairs])
    own = np.array([np.trace(given) for _, given in pairs])
    assert abs(traces.mean() - 6) < 4 * traces.std() / np.sqrt(400)
    assert abs(np.corrcoef(traces, own)[0, 1]) < 4 / np.sqrt(400)
    assert np.corrcoef([np.trace(passed) for passed, _ in pairs], own)[0, 1] > 0.4
