"""The outliers of real softmax networks, as wide as the theory speaks of them: minutes, so marked slow.

Networks of M = 800 are too wide for a Jacobian; their duals are summed layer by layer from Hadamard products of Gram
matrices, written here in NumPy alone.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.linalg import eigvalsh

from meanfield.prediction.asking import predict
from meanfield.spec import FIM, Network

pytestmark = pytest.mark.slow

C, N = 10, 100
CROSS = FIM(loss="cross_entropy")
ACTIVATIONS = {
    "tanh": (np.tanh, lambda u: 1 - np.tanh(u) ** 2, 3.0, 0.64),
    "relu": (lambda u: np.maximum(u, 0), lambda u: (u > 0).astype(float), 2.0, 0.1),
    "softplus": (lambda u: np.logaddexp(u, 0), lambda u: 1 / (1 + np.exp(-u)), 1.5, 0.2),
}


def draw(rng, name, width, depth=3):
    """The FIM's dual (output-major) and the logits (N × C) of a random network."""
    function, slope, sw2, sb2 = ACTIVATIONS[name]
    widths = [width] * depth + [C]
    weights = [rng.normal(0, np.sqrt(sw2 / a), (b, a)) for a, b in itertools.pairwise(widths)]
    h, u = [rng.standard_normal((N, width))], [None]
    for weight in weights:
        u.append(h[-1] @ weight.T + rng.normal(0, np.sqrt(sb2), len(weight)))
        h.append(function(u[-1]))
    delta = np.repeat(np.eye(C)[:, None], N, axis=1)
    dual = np.zeros((C, N, C, N))
    for l in range(depth, 0, -1):
        rows = delta.reshape(C * N, -1)
        dual += (rows @ rows.T).reshape(C, N, C, N) * (h[l - 1] @ h[l - 1].T + 1)[:, None, :] / N
        delta = (delta @ weights[l - 1]) * slope(u[l - 1]) if l > 1 else delta
    return dual, u[-1]


def softmax_outliers(dual, logits):
    """The C - 1 largest eigenvalues of Rᵀ dual R, descending."""
    g = np.exp(logits - logits.max(1, keepdims=True))
    g /= g.sum(1, keepdims=True)
    root = np.sqrt(g)[:, :, None] * np.eye(C) - g[:, :, None] * np.sqrt(g)[:, None, :]
    half = np.einsum("kanj,nji->kani", dual.transpose(0, 1, 3, 2), root, optimize=True)
    full = np.einsum("aki,kanj->ianj", root, half, optimize=True).transpose(0, 1, 3, 2)
    size = C * N
    return eigvalsh(full.reshape(size, size), subset_by_index=[size - C + 1, size - 1])[::-1]


@pytest.mark.parametrize("name", ["tanh", "relu"])
def test_three_largest_outliers_given_the_logits(name):
    width, count = 800, 20
    network = Network(3, name, *ACTIVATIONS[name][2:], outputs=C)
    rng = np.random.default_rng(11)
    ratios = []
    for _ in range(count):
        dual, logits = draw(rng, name, width)
        prediction = predict(network, CROSS, width=width, samples=N, logits=logits)
        measured = softmax_outliers(dual, logits)
        ratios.append(measured[:3] / prediction.outliers[:3])
        lower, upper = prediction.bounds
        assert lower * 0.8 < measured[0] < upper * 1.2
    assert np.mean(ratios, axis=0) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_outlier_from_the_order_parameters_alone(name):
    width, count = 400, 100
    network = Network(3, name, *ACTIVATIONS[name][2:], outputs=C)
    prediction = predict(network, CROSS, width=width, samples=N)
    rng = np.random.default_rng(12)
    measured = np.array([softmax_outliers(*draw(rng, name, width)) for _ in range(count)])
    known = np.isfinite(prediction.outliers)
    assert known[:3].all()
    error = measured.std(0, ddof=1) / np.sqrt(count)
    miss = np.abs(measured.mean(0) - prediction.outliers)[known]
    assert np.all(miss <= (0.05 * prediction.outliers + 3 * error)[known])
    # The spread over networks comes from the logits; finite width adds to it.
    assert np.all(measured.std(0, ddof=1)[known] == pytest.approx(prediction.std["outliers"][known], rel=0.35))
