"""The bounds against dense Fisher matrices of random networks, differentiated by torch; and where they are attained."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from meanfield import Network, block_bounds, homogeneous_traces, partial_sum_bounds, trace_bounds
from meanfield.information import homogeneous_gain
from meanfield.spec.activations import as_activation

Floats = NDArray[np.float64]
SLACK = 1 + 1e-10

PHI = {
    "relu": (torch.relu, 1.0),
    "tanh": (torch.tanh, 1.0),
    "steep": (lambda u: 1.7 * torch.sin(u), 1.7),
    "leaky": (lambda u: torch.where(u > 0, 1.3 * u, -0.4 * u), 1.3),
    "linear": (lambda u: 0.6 * u, 0.6),
}


@dataclass(frozen=True)
class Drawn:
    """One network at N samples: weights, signals h^0..h^{L-1} (N × M), gradients δ^1..δ^L (N × C × M), the softmax's
    covariances Q (N × C × C), and the Jacobian of each layer (N × C × P_l) as torch has it."""

    weights: list[Floats]
    inputs: Floats
    signals: list[Floats]
    gradients: list[Floats]
    q: Floats
    jacobian: list[Floats]
    lipschitz: float

    @property
    def norms(self) -> Floats:
        return np.array([np.linalg.norm(w, 2) for w in self.weights])

    @property
    def input_trace(self) -> float:
        return float(np.sum(self.inputs**2) / len(self.inputs))

    def fisher(self, l: int, softmax: bool = False) -> Floats:
        """F^l, dense: P_l × P_l."""
        j = self.jacobian[l]
        return np.einsum(
            "nkp,nkj,njr->pr", j, self.q if softmax else np.broadcast_to(np.eye(j.shape[1]), self.q.shape), j
        ) / len(j)


def differentiate(weights, inputs, phi, lipschitz=1.0) -> Drawn:
    depth = len(weights)
    ws = tuple(torch.from_numpy(w) for w in weights)
    shifts = tuple(torch.zeros(len(w), dtype=torch.float64) for w in weights)

    def pieces(ws, shifts, x):
        """Outputs and h^0..h^{L-1}; to differentiate by a shift of u^l is to differentiate by u^l."""
        signals = []
        for l, (w, shift) in enumerate(zip(ws, shifts, strict=True)):
            signals.append(x)
            u = w @ x + shift
            x = u if l == depth - 1 else phi(u)
        return x, signals

    def outputs(ws, shifts, x):
        return pieces(ws, shifts, x)[0]

    xs = torch.from_numpy(inputs)
    by_weights, by_units = torch.func.vmap(torch.func.jacrev(outputs, (0, 1)), (None, None, 0))(ws, shifts, xs)
    f, signals = torch.func.vmap(pieces, (None, None, 0))(ws, shifts, xs)
    p = torch.softmax(f, -1).numpy()
    return Drawn(
        weights=list(weights),
        inputs=inputs,
        signals=[h.numpy() for h in signals],
        gradients=[d.numpy() for d in by_units],
        q=np.einsum("nk,kj->nkj", p, np.eye(p.shape[1])) - p[:, :, None] * p[:, None, :],
        jacobian=[j.flatten(2).numpy() for j in by_weights],
        lipschitz=lipschitz,
    )


CASES = [
    (name, widths, seed)
    for seed, (name, widths) in enumerate(
        [
            ("relu", (5, 7, 6, 3)),
            ("tanh", (4, 6, 8, 2)),
            ("steep", (9, 4, 5, 4)),
            ("leaky", (3, 8, 8, 8, 1)),
            ("relu", (6, 5, 1)),
            ("tanh", (2, 9, 4, 7, 5)),
        ]
    )
]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def drawn(request) -> Drawn:
    name, widths, seed = request.param
    rng = np.random.default_rng([31, seed])
    weights = [rng.standard_normal((m, n)) * math.sqrt(2 / n) for n, m in itertools.pairwise(widths)]
    inputs = rng.standard_normal((12, widths[0])) * rng.uniform(0.2, 2.0, (12, 1))
    return differentiate(weights, inputs, *PHI[name])


def layers(drawn: Drawn) -> range:
    return range(len(drawn.weights))


def covariance(vectors: Floats, samples: int) -> Floats:
    return vectors.T @ vectors / samples


@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
@pytest.mark.parametrize("frobenius", [False, True])
def test_traces_stay_below(drawn, loss, frobenius):
    outputs = len(drawn.weights[-1])
    bounds = trace_bounds(
        drawn.norms,
        drawn.input_trace,
        outputs,
        lipschitz=drawn.lipschitz,
        loss=loss,
        output_frobenius=np.linalg.norm(drawn.weights[-1]) if frobenius else None,
    )
    traces = [np.trace(drawn.fisher(l, loss == "cross_entropy")) for l in layers(drawn)]
    assert np.all(traces <= bounds * SLACK)
    assert bounds.shape == (len(drawn.weights),)


def test_the_frobenius_norm_only_helps(drawn):
    arguments = (drawn.norms, drawn.input_trace, len(drawn.weights[-1]))
    norm = np.linalg.norm(drawn.weights[-1])
    for loss in ("mse", "cross_entropy"):
        spectral, both = (trace_bounds(*arguments, loss=loss, output_frobenius=x) for x in (None, norm))
        assert np.all(both <= spectral)
        assert both[-1] == spectral[-1]


def test_of_output_weights_of_rank_one_both_norms_are_the_same():
    norms, trace = [2.0, 3.0], 5.0
    of_mse = trace_bounds(norms, trace, 4, output_frobenius=3.0)
    np.testing.assert_allclose(of_mse, [9 * 5, 4 * 4 * 5])
    of_softmax = trace_bounds(norms, trace, 4, output_frobenius=3.0, loss="cross_entropy")
    np.testing.assert_allclose(of_softmax, [9 / 2 * 5, 0.75 * 4 * 5])


def orthogonal(rng: np.random.Generator, size: int) -> Floats:
    return np.linalg.qr(rng.standard_normal((size, size)))[0]


def test_traces_are_attained():
    """A linear network of scaled orthogonal matrices loses nothing, nor does a softmax of equal probabilities."""
    rng, size, scales = np.random.default_rng(41), 4, (0.7, 1.9, 1.2)
    weights = [s * orthogonal(rng, size) for s in scales]
    inputs = 1e-6 * rng.standard_normal((9, size))
    drawn = differentiate(weights, inputs, *PHI["linear"])
    for loss in ("mse", "cross_entropy"):
        for norm in (None, np.linalg.norm(weights[-1])):
            bounds = trace_bounds(scales, drawn.input_trace, size, lipschitz=0.6, loss=loss, output_frobenius=norm)
            traces = [np.trace(drawn.fisher(l, loss == "cross_entropy")) for l in range(3)]
            np.testing.assert_allclose(traces, bounds, rtol=1e-5)


def test_the_frobenius_variants_are_attained():
    """By output weights of rank one; with a softmax those that tell two equally probable outputs apart."""
    rng, size = np.random.default_rng(42), 3
    inputs = 1e-6 * rng.standard_normal((9, size))
    for loss, direction in (("mse", [0.6, 0.8, 0.0]), ("cross_entropy", [1.0, -1.0])):
        weights = [
            1.1 * orthogonal(rng, size),
            2 * orthogonal(rng, size),
            np.outer(direction, rng.standard_normal(size)),
        ]
        drawn = differentiate(weights, inputs, *PHI["linear"])
        bounds = trace_bounds(
            drawn.norms, drawn.input_trace, len(direction), lipschitz=0.6, loss=loss,
            output_frobenius=np.linalg.norm(weights[-1]),
        )  # fmt: skip
        # What the output weights let through of δ depends on the direction alone; h of the first layer is x.
        traces = [np.trace(drawn.fisher(l, loss == "cross_entropy")) for l in range(2)]
        np.testing.assert_allclose(traces, bounds[:2], rtol=1e-5)


def test_blocks_stay_below_with_multiplicity(drawn):
    samples = len(drawn.inputs)
    for l in layers(drawn):
        h = drawn.signals[l]
        for k in range(drawn.q.shape[1]):
            delta, j = drawn.gradients[l][:, k], drawn.jacobian[l][:, k]
            exact = np.linalg.eigvalsh(j @ j.T / samples)[::-1]
            for one, other in ((h, delta), (delta, h)):
                levels = np.linalg.eigvalsh(covariance(one, samples))
                bounds = block_bounds(levels, np.sum(other**2, axis=1), other.shape[1])
                assert np.all(exact <= bounds * SLACK + 1e-12 * exact[0])


def test_blocks_of_all_outputs_stay_below(drawn):
    samples, outputs = len(drawn.inputs), drawn.q.shape[1]
    for l in layers(drawn):
        h, delta = drawn.signals[l], drawn.gradients[l]
        exact = np.linalg.eigvalsh(drawn.fisher(l))[::-1]
        across = np.linalg.norm(delta, 2, axis=(1, 2)) ** 2
        of_h, of_delta = covariance(h, samples), covariance(delta.reshape(-1, delta.shape[2]), samples)
        first = block_bounds(np.linalg.eigvalsh(of_h), across, delta.shape[2], count=len(exact))
        second = block_bounds(np.linalg.eigvalsh(of_delta), np.sum(h**2, axis=1), h.shape[1], count=len(exact))
        assert np.all(exact <= first * SLACK + 1e-12 * exact[0])
        assert np.all(exact <= second * SLACK + 1e-12 * exact[0])
        assert outputs * samples >= np.sum(exact > 1e-12 * exact[0])


def test_the_last_layer_attains_its_block_bound(drawn):
    # δ^L is a unit vector, so that the block of one output is (1/N) Σ hhᵀ itself.
    samples, h, j = len(drawn.inputs), drawn.signals[-1], drawn.jacobian[-1][:, 0]
    levels = np.linalg.eigvalsh(covariance(h, samples))
    exact = np.linalg.eigvalsh(j @ j.T / samples)[::-1]
    np.testing.assert_allclose(block_bounds(levels, np.ones(samples), 1), exact, atol=1e-12 * exact[0])


def test_the_claim_with_the_same_index_is_false(drawn):
    """What multiplicity is for: A = 11ᵀ, B = I; and random networks, in all layers that are wide at all."""
    ones, eye = np.ones((6, 6)), np.eye(6)
    exact = np.linalg.eigvalsh(ones * eye)[::-1]
    levels = np.linalg.eigvalsh(ones)[::-1]
    assert exact[1] == pytest.approx(1.0)
    assert levels[1] == pytest.approx(0.0)
    assert exact[1] > eye.diagonal().max() * levels[1] + 0.9
    assert np.all(exact <= block_bounds(levels, eye.diagonal(), 6) * SLACK)
    samples, j = len(drawn.inputs), drawn.jacobian[0][:, 0]
    levels = np.linalg.eigvalsh(covariance(drawn.signals[0], samples))[::-1]
    same = np.append(levels, np.zeros(samples))[:samples] * np.max(np.sum(drawn.gradients[0][:, 0] ** 2, axis=1))
    found = np.linalg.eigvalsh(j @ j.T / samples)[::-1]
    assert np.any(found > same + 1e-9 * found[0])


def test_multiplicity_is_attained():
    """Two samples with orthogonal δ of one length and the same h: eigenvalues 1, 1 where (1/N) Σ hhᵀ has 1, 0."""
    exact = np.linalg.eigvalsh(np.ones((2, 2)) * np.eye(2) / 2)[::-1]
    np.testing.assert_allclose(block_bounds([1.0, 0.0], [1.0, 1.0], 2), [1.0, 1.0])
    np.testing.assert_allclose(partial_sum_bounds([1.0], [1.0, 1.0]), [1.0, 1.0])
    assert exact.sum() == pytest.approx(1.0)  # so the sum of both is attained


def test_partial_sums_stay_below(drawn):
    samples = len(drawn.inputs)
    for l in layers(drawn):
        delta, h, j = drawn.gradients[l][:, 0], drawn.signals[l], drawn.jacobian[l][:, 0]
        sums = np.cumsum(np.linalg.eigvalsh(j @ j.T / samples)[::-1])
        for one, other in ((h, delta), (delta, h)):
            gram = np.linalg.eigvalsh(one @ one.T / samples)
            squares = np.sum(other**2, axis=1)
            assert np.all(sums <= partial_sum_bounds(gram, squares) * SLACK)
            # the same from the covariance of the features, which lacks zeros or has more
            levels = np.linalg.eigvalsh(covariance(one, samples))
            np.testing.assert_allclose(partial_sum_bounds(levels, squares), partial_sum_bounds(gram, squares))


@pytest.mark.parametrize("name", ["relu", "abs", "leaky_relu(0.3)", "linear"])
def test_homogeneous_traces_are_exact_at_any_width(name):
    """4000 small networks, given inputs of unequal norms, unequal variances and widths; 5 standard errors."""
    network = Network(3, name, (1.3, 0.8, 2.1), outputs=2, width_ratios=(4 / 3, 1.0, 5 / 3))
    count, widths = 4000, network.widths(3)
    rng, phi = np.random.default_rng(51), network.activation[0]
    x = rng.standard_normal((3, widths[0])) * np.array([[0.3], [1.0], [2.0]])
    variances = zip(network.weight_variance, widths, widths[1:], strict=False)
    weights = [rng.standard_normal((count, m, n)) * math.sqrt(v / n) for v, n, m in variances]
    h = [np.broadcast_to(x, (count, *x.shape))]
    slopes = []
    for w in weights[:-1]:
        u = h[-1] @ w.swapaxes(1, 2)
        slopes.append(phi.function(order=1)(u))
        h.append(phi.function()(u))
    delta = np.broadcast_to(np.eye(2)[:, None, None], (2, count, len(x), 2))
    traces = []
    for l in (2, 1, 0):
        traces.insert(0, np.mean(np.sum(delta**2, axis=(0, 3)) * np.sum(h[l] ** 2, axis=2), axis=1))
        delta = (delta @ weights[l]) * slopes[l - 1] if l else delta
    expected = homogeneous_traces(network, 3, np.sum(x**2) / len(x))
    for found, value in zip(traces, expected, strict=True):
        error = found.std(ddof=1) / math.sqrt(count)
        assert abs(found.mean() - value) < 5 * error < 0.25 * value


@pytest.mark.parametrize(("name", "gain"), [("relu", 0.5), ("linear", 1.0), ("abs", 1.0), ("leaky_relu(0.3)", 0.545)])
def test_gains(name, gain):
    assert homogeneous_gain(as_activation(name)) == pytest.approx(gain)


@pytest.mark.parametrize("name", ["tanh", "elu", "squared_relu", "gelu", "u + 1", "hardtanh"])
def test_other_activations_have_no_gain(name):
    with pytest.raises(ValueError, match=r"^activation: expected φ\(au\) = a φ\(u\)"):
        homogeneous_gain(as_activation(name))


def test_biases_have_no_homogeneous_trace():
    with pytest.raises(ValueError, match=r"^bias_variance: expected 0"):
        homogeneous_traces(Network(2, "relu", 2.0, 0.1), 10, 1.0)


@pytest.mark.parametrize(
    ("question", "error", "message"),
    [
        (lambda: trace_bounds([1.0, -1.0], 1.0, 1), ValueError, "norms: expected finite numbers of at least 0, got -1"),
        (lambda: trace_bounds([[1.0]], 1.0, 1), ValueError, "norms: expected one axis"),
        (lambda: trace_bounds(["a"], 1.0, 1), TypeError, "norms: expected an array of numbers"),
        (lambda: trace_bounds([1.0, 1.0], -1.0, 1), ValueError, "input_trace: expected"),
        (lambda: trace_bounds([1.0, 1.0], 1.0, 0), ValueError, "outputs: expected"),
        (lambda: trace_bounds([1.0, 1.0], 1.0, 1, loss="hinge"), ValueError, "loss: expected one of mse"),
        (lambda: trace_bounds([1.0, 1.0], 1.0, 1, lipschitz=[1, 1]), ValueError, "lipschitz: expected one value"),
        (lambda: block_bounds([1.0, -0.5], [1.0], 1), ValueError, "eigenvalues: expected finite numbers of at least 0"),
        (lambda: block_bounds([1.0], [math.nan], 1), ValueError, "squares: expected finite"),
        (lambda: block_bounds([], [1.0], 1), ValueError, "eigenvalues: expected one axis with at least one number"),
        (lambda: block_bounds([1.0], [1.0], 0), ValueError, "units: expected an integer"),
        (lambda: partial_sum_bounds([1.0, 1.0], [1.0]), ValueError, "squares: expected one for each sample, got 1"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(question, error, message):
    with pytest.raises(error, match=message):
        question()
