"""Products with the dual, and eigenvectors, against the dense Jacobian."""

import numpy as np

from empirical import measure
from empirical.dual.gram import dual_blocks
from empirical.dual.implicit import DualOperator
from empirical.dual.projection import Projection
from meanfield.spec import FIM, InputMetric, Network


def test_products_are_those_of_the_matrix(case, drawn):
    size = drawn.size
    for metric in case[-1]:
        dual = dual_blocks([metric], drawn, drawn.passed, drawn.passed)[0]
        projection = Projection(metric, drawn.passed.logits, drawn.backend)
        rounding = 1e-12 * np.trace(dual.matrix.reshape(size, size))
        matrix = projection.dual(dual.matrix).reshape(size, size)
        product = DualOperator(metric, drawn)(np.eye(size))
        np.testing.assert_allclose(product, matrix, rtol=0, atol=rounding)


def test_vectors_are_eigenvectors_of_the_metric(case):
    network, width, samples, seed, dense, metrics = case
    chosen = [m for m in metrics if m.family != "ntk" and not m.centered]
    results = measure(network, chosen, width=width, samples=samples, seed=seed, spectrum="extremes", vectors=True)
    for result in results:
        tensor, _ = dense.tensor(result.metric)
        real = result.outliers > result.floor  # a narrow block has fewer directions than outputs
        assert np.isnan(result.vectors[~real]).all()
        vectors = result.vectors[real]
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-12)
        expected = result.outliers[real, None] * vectors
        np.testing.assert_allclose(vectors @ tensor, expected, rtol=0, atol=1e-10 * result.largest)


def test_ntk_vectors_are_those_of_the_kernel(case, drawn):
    network, width, samples, seed, _, metrics = case
    metric = next(m for m in metrics if m.family == "ntk")
    result = measure(network, metric, width=width, samples=samples, seed=seed, spectrum="full", vectors=True)
    product = DualOperator(metric, drawn)(result.vectors.T)
    np.testing.assert_allclose(product, result.vectors.T * result.outliers, atol=1e-10 * result.largest)


def test_outlier_vectors_are_the_mean_gradients(draw_network):
    """Theorem 3.2: the C outliers' eigenvectors span E_n ∇f_k, up to what vanishes with the width."""
    network = Network(3, "relu", 2.0, 0.3, outputs=3)

    def largest_angle(metric, width):
        found = measure(network, metric, width=width, samples=200, seed=2, spectrum="extremes", vectors=True)
        mean = np.zeros((200, 3, 3)) + np.eye(3) / 200
        drawn = draw_network(network, width, 200, 2)
        rows = DualOperator(metric, drawn).pull_back(np.transpose(mean, (1, 0, 2)).reshape(600, 3))
        span = np.linalg.qr(rows.T)[0]
        return np.linalg.svd(span.T @ found.vectors.T)[1].min()

    for metric in (FIM(), InputMetric()):
        cosines = [largest_angle(metric, width) for width in (32, 256)]
        # 1 - cos is of the order of the bulk over the outlier, O(1/M) for the FIM: 8 times the width, well below half.
        assert 1 - cosines[1] < 0.5 * (1 - cosines[0])
        assert cosines[1] > 0.98
