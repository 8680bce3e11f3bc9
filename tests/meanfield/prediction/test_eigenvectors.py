"""Eigenvectors of the outliers: of the exchangeable dual exactly, of a random network's nearly."""

from __future__ import annotations

import numpy as np
import pytest

from meanfield.kernels.exchangeable import exchangeable_kernel
from meanfield.prediction.asking import predict
from meanfield.prediction.eigenvectors import outlier_eigenvectors
from meanfield.spec import FIM, NTK, InputMetric, Network

C, N, M = 3, 12, 200
SETTING = {"weight_variance": 3.0, "bias_variance": 0.64}
NETWORK = Network(3, "tanh", outputs=C, **SETTING)


def exchangeable_dual(prediction, logits):
    """The wide-limit dual of the metric, output-major, with the softmax where it is asked."""
    widths = np.array(NETWORK.widths(M), float)
    kernel = exchangeable_kernel(NETWORK, prediction.metric, prediction.order_parameters, widths, np.array(float(N)))
    block = kernel.normaliser * (kernel.gap * np.eye(N) + kernel.other)
    if logits is None:
        return np.kron(np.eye(C), block)
    g = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    root = np.zeros((C, N, C, N))
    for n, p in enumerate(g):
        root[:, n, :, n] = np.diag(np.sqrt(p)) - np.outer(p, np.sqrt(p))
    root = root.reshape(C * N, C * N)
    return root.T @ np.kron(np.eye(C), block) @ root


@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
@pytest.mark.parametrize("metric", [FIM, NTK, InputMetric])
def test_eigenvectors_of_the_wide_dual(metric, loss):
    logits = np.random.default_rng(0).normal(size=(N, C)) if loss == "cross_entropy" else None
    prediction = predict(NETWORK, metric(loss=loss), width=M, samples=N, logits=logits)
    vectors = outlier_eigenvectors(prediction, logits)
    known = np.isfinite(prediction.outliers)
    assert known.any()
    assert np.isnan(vectors[:, ~known]).all()
    dual = exchangeable_dual(prediction, logits)
    found = vectors[:, known]
    np.testing.assert_allclose(dual @ found, found * prediction.outliers[known], atol=1e-9 * prediction.largest)
    np.testing.assert_allclose(found.T @ found, np.eye(known.sum()), atol=1e-9)


def test_a_random_network_has_them_nearly(draw):
    # The share of the top eigenspace that lies in the predicted one; the rest is of the order of the noise, N/M.
    drawn = draw(2, 10, "tanh", NETWORK.widths(M), samples=N, **SETTING)
    vectors = outlier_eigenvectors(predict(NETWORK, FIM(), width=M, samples=N))
    _, eigenvectors = np.linalg.eigh(drawn.dual("fim"))
    shares = np.sum((vectors.T @ eigenvectors[:, :, -C:]) ** 2, axis=(1, 2)) / C
    assert shares.mean() > 1 - 2 * N / M


def test_void_outliers_have_no_eigenvectors():
    prediction = predict(NETWORK, FIM(layer=1), width=M, samples=N)
    assert np.isnan(outlier_eigenvectors(prediction)).all()
    assert outlier_eigenvectors(predict(NETWORK, FIM(centered=True), width=M, samples=N)).shape == (C * N, 0)


@pytest.mark.parametrize(
    ("metric", "width", "logits", "message"),
    [
        (FIM(), [100, 200], None, "prediction: expected one at one width"),
        (FIM(), 100, np.zeros((N, C)), "logits: expected none for the loss 'mse'"),
        (FIM(loss="cross_entropy"), 100, None, "logits: expected an array for the loss 'cross_entropy'"),
        (FIM(loss="cross_entropy"), 100, np.zeros((N, 2)), r"logits: expected the shape \(12, 3\)"),
    ],
    ids=str,
)
def test_refuses(metric, width, logits, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        outlier_eigenvectors(predict(NETWORK, metric, width=width, samples=N), logits)
