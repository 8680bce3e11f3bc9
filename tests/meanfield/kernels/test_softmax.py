"""The softmax sandwich, held against the sandwich itself: a dense matrix and its eigenvalues."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meanfield.kernels.softmax import (
    bulk_edge,
    derivative_square,
    mean_covariance,
    mean_square,
    outlier_roots,
    probabilities,
    softmax_moments,
)


def draw(seed, networks, outputs, samples, scale=1.5):
    return np.random.default_rng(seed).normal(0, scale, (networks, outputs, samples))


def covariances(g):
    """Q_n of one network (samples × C × C)."""
    return np.array([np.diag(p) - np.outer(p, p) for p in g.T])


def dense(g, epsilon):
    """Rᵀ (ε I + 1 1ᵀ/N ⊗ I_C) R of one network, sample-major."""
    outputs, samples = g.shape
    root = np.zeros((samples, outputs, samples, outputs))
    for n, p in enumerate(g.T):
        root[n, :, n, :] = np.diag(np.sqrt(p)) - np.outer(p, np.sqrt(p))
    root = root.reshape(samples * outputs, -1)
    kernel = epsilon * np.eye(samples * outputs) + np.kron(np.ones((samples, samples)) / samples, np.eye(outputs))
    return root.T @ kernel @ root


def test_probabilities_at_any_scale():
    f = draw(0, 2, 4, 5)
    expected = np.exp(f) / np.exp(f).sum(1, keepdims=True)
    np.testing.assert_allclose(probabilities(f), expected, rtol=1e-14)
    np.testing.assert_allclose(probabilities(f + 1e5), expected, rtol=1e-9)
    assert probabilities(1e6 * f).max(axis=1) == pytest.approx(1.0)


@given(st.integers(0, 100), st.integers(2, 5), st.integers(1, 6))
@settings(max_examples=30)
def test_moments_are_those_of_the_matrices(seed, outputs, samples):
    g = probabilities(draw(seed, 3, outputs, samples))
    found = softmax_moments(g)
    for s in range(3):
        q = covariances(g[s])
        pairs = np.einsum("nij,mji->nm", q, q)
        assert found.trace[s] == pytest.approx(np.trace(q, axis1=1, axis2=2).mean())
        assert found.square[s] == pytest.approx(np.trace(pairs) / samples)
        mixed = (pairs.sum() - np.trace(pairs)) / (samples * (samples - 1)) if samples > 1 else 0
        assert found.product[s] == pytest.approx(mixed, abs=1e-15)
        assert found.variance[s] == pytest.approx(np.diagonal(q.mean(0)).max())
        np.testing.assert_allclose(mean_covariance(g)[s], q.mean(0), atol=1e-15)


@given(st.integers(0, 100), st.integers(2, 5), st.floats(0.1, 6))
@settings(max_examples=30)
def test_edge_is_the_largest_eigenvalue_of_any_sample(seed, outputs, scale):
    g = probabilities(draw(seed, 3, outputs, 8, scale))
    found = bulk_edge(g, 0.3)
    expected = [0.3 * max(np.linalg.eigvalsh(q)[-1] for q in covariances(g[s])) for s in range(3)]
    assert found == pytest.approx(expected, rel=1e-3)
    assert np.all(found >= np.array(expected) * (1 - 1e-12))  # never below: the root search starts there


def test_edge_of_equal_probabilities():
    assert bulk_edge(np.full((1, 4, 3), 0.25), 1.0) == pytest.approx(0.25)
    assert bulk_edge(np.eye(3)[None], 1.0) == pytest.approx(0.0)


@pytest.mark.parametrize("epsilon", [1e-6, 1e-3, 0.02, 0.3])
@pytest.mark.parametrize(("outputs", "samples"), [(2, 40), (4, 30), (6, 60)])
def test_roots_are_the_eigenvalues_of_the_sandwich(epsilon, outputs, samples):
    g = probabilities(draw(1, 5, outputs, samples))
    edge = bulk_edge(g, epsilon)
    found = outlier_roots(g, epsilon, edge, 1e-13)
    assert found.shape == (5, outputs - 1)
    for s in range(5):
        eigenvalues = np.linalg.eigvalsh(dense(g[s], epsilon))[::-1]
        assert found[s] == pytest.approx(eigenvalues[: outputs - 1], rel=1e-10)
        assert eigenvalues[outputs - 1] <= edge[s]  # C - 1 outliers, not C


def test_merged_roots_are_flagged_and_the_others_not():
    g = probabilities(draw(1, 1, 4, 30))
    flags = []
    for epsilon in np.geomspace(0.1, 10, 12):
        edge = bulk_edge(g, epsilon)
        eigenvalues = np.linalg.eigvalsh(dense(g[0], epsilon))[::-1][:3]
        found = outlier_roots(g, epsilon, edge, 1e-12)[0]
        above = eigenvalues > edge[0]
        assert np.isfinite(found).tolist() == above.tolist()
        assert found[above] == pytest.approx(eigenvalues[above], rel=1e-9)
        flags.append(int(above.sum()))
    assert flags[0] == 3
    assert flags[-1] < 3


def test_many_equal_samples_leave_the_eigenvalues_of_the_mean():
    # ε → 0, the limit of many samples: λ_FIM × eigenvalues of Q̄.
    g = probabilities(draw(3, 2, 5, 400))
    found = outlier_roots(g, 1e-9, bulk_edge(g, 1e-9), 1e-13)
    assert found == pytest.approx(np.linalg.eigvalsh(mean_covariance(g))[:, :0:-1], rel=1e-7)


def test_uniform_softmax():
    # Q = (I - 11ᵀ/C)/C for every sample: all C - 1 outliers are 1/C times those of the kernel.
    outputs, epsilon = 5, 0.02
    g = probabilities(np.zeros((1, outputs, 30)))
    found = outlier_roots(g, epsilon, bulk_edge(g, epsilon), 1e-13)
    assert found == pytest.approx(np.full((1, outputs - 1), (1 + epsilon) / outputs))
    moments = softmax_moments(g)
    assert moments.trace == pytest.approx(1 - 1 / outputs)
    assert moments.square == pytest.approx((outputs - 1) / outputs**2)
    assert moments.product == pytest.approx((outputs - 1) / outputs**2)


@pytest.mark.parametrize("scale", [1e6, 1e299])
def test_saturated_softmax_is_zero(scale):
    g = probabilities(scale * draw(0, 3, 4, 20))
    assert np.all(outlier_roots(g, 0.02, bulk_edge(g, 0.02), 1e-12) == 0)
    moments = softmax_moments(g)
    assert all(np.all(values == 0) for values in vars(moments).values())


def test_one_saturated_network_of_many_disturbs_no_other():
    f = draw(0, 3, 4, 20)
    alone = probabilities(f[:2])
    f[2] *= 1e6
    g = probabilities(f)
    found, expected = (outlier_roots(x, 0.02, bulk_edge(x, 0.02), 1e-12) for x in (g, alone))
    assert found[:2] == pytest.approx(expected, rel=1e-9)
    assert np.all(found[2] == 0)


@pytest.mark.parametrize("shift", range(0, 41, 4))
def test_nearly_certain_softmax_loses_no_digits(shift):
    samples, epsilon = 6, 0.02
    f = draw(0, 1, 4, samples, 1.0)
    f[:, 0] += shift
    g = probabilities(f)
    with mpmath.workdps(60):
        q = [exact_covariance(column) for column in f[0].T]
        mean = sum(q[1:], q[0]) / samples
        square = sum(trace(x * x) for x in q) / samples
        product = (trace(mean * mean) * samples - square) / (samples - 1)
        highest = [max(mpmath.eigsy(x, eigvals_only=True)) for x in q]
        total = float(trace(mean))
        expected = np.array(mean.tolist(), dtype=float)
    found = softmax_moments(g)
    assert found.trace == pytest.approx(total, rel=1e-13, abs=0)
    assert found.square == pytest.approx(float(square), rel=1e-13, abs=0)
    assert found.product == pytest.approx(float(product), rel=1e-12, abs=0)
    assert found.variance == pytest.approx(expected.diagonal().max(), rel=1e-13, abs=0)
    np.testing.assert_allclose(mean_covariance(g)[0], expected, rtol=1e-13, atol=0)
    edge = bulk_edge(g, epsilon)
    assert edge == pytest.approx(epsilon * float(max(highest)), rel=1e-3, abs=0)
    roots = outlier_roots(g, epsilon, edge, 1e-13)[0]
    largest = np.linalg.eigvalsh(exact_dense(f[0], epsilon))[-1]
    assert roots[0] == pytest.approx(largest, rel=1e-9, abs=0)


def trace(matrix):
    return sum(matrix[k, k] for k in range(matrix.rows))


def exact_covariance(logits):
    """Q of one sample in mpmath."""
    e = [mpmath.exp(mpmath.mpf(float(x))) for x in logits]
    g = mpmath.matrix([x / sum(e) for x in e])
    return mpmath.diag(list(g)) - g * g.T


def exact_dense(logits, epsilon):
    """The sandwich, whose blocks are R_nᵀ R_m (1/N + ε δ_nm), from R in 60 digits."""
    outputs, samples = logits.shape
    with mpmath.workdps(60):
        roots = []
        for column in logits.T:
            e = [mpmath.exp(mpmath.mpf(float(x))) for x in column]
            g = [x / sum(e) for x in e]
            roots.append([[((j == k) - g[j]) * mpmath.sqrt(g[k]) for k in range(outputs)] for j in range(outputs)])
        r = np.array(roots, dtype=float)
    blocks = np.einsum("njk,mjl->nkml", r, r) * (1 / samples + epsilon * np.eye(samples)[:, None, :, None])
    return blocks.reshape(samples * outputs, -1)


def test_squares_and_weights_are_those_of_the_matrices():
    f = draw(3, 2, 4, 6)
    g, weights = probabilities(f), np.random.default_rng(4).normal(size=(2, 6))
    for s in range(2):
        q = covariances(g[s])
        np.testing.assert_allclose(mean_square(g)[s], (q @ q).mean(0), atol=1e-15)
        np.testing.assert_allclose(mean_covariance(g, weights)[s], (weights[s][:, None, None] * q).mean(0), atol=1e-15)


def test_derivatives_are_differences():
    f, step = draw(5, 2, 4, 6), 1e-5
    slopes = []
    for k in range(4):
        move = step * np.eye(4)[k][None, :, None]
        slopes.append(
            (mean_covariance(probabilities(f + move)) - mean_covariance(probabilities(f - move))) / (2 * step)
        )
    expected = sum(u @ u for u in slopes)
    np.testing.assert_allclose(derivative_square(probabilities(f)), expected, rtol=1e-7, atol=1e-12)


def test_roots_where_outputs_share_a_part():
    """Against the dense dual of the kernel K₂ A for all pairs of samples and a gap for each of them."""
    g, epsilon = probabilities(draw(6, 1, 4, 30, 0.8)), 0.02
    mix = np.random.default_rng(7).normal(size=(4, 4)) * 0.15
    half = np.eye(4) + mix + mix.T
    outputs, samples = g.shape[1:]
    root = np.zeros((samples, outputs, samples, outputs))
    for n, p in enumerate(g[0].T):
        root[n, :, n, :] = np.diag(np.sqrt(p)) - np.outer(p, np.sqrt(p))
    root = root.reshape(samples * outputs, -1)
    kernel = np.kron(np.ones((samples, samples)) / samples, half @ half) + epsilon * np.eye(samples * outputs)
    found = outlier_roots(g, epsilon, bulk_edge(g, epsilon), 1e-12, half[None])[0]
    np.testing.assert_allclose(found, np.linalg.eigvalsh(root.T @ kernel @ root)[:-4:-1], rtol=1e-8)
