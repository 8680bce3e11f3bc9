"""From a given kernel to its spectrum: every statistic from the dual matrix written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from meanfield import FIM, NTK, Network, given_kernel
from meanfield.kernels.given_softmax import sandwich
from meanfield.leading import given
from meanfield.leading.given import logits_of_process, softmax_on_data, squared_on_data

RNG = np.random.default_rng(40)
X = RNG.standard_normal((11, 5)) * np.linspace(0.5, 2, 11)[:, None]
NETWORK = Network(3, "relu", 2.0, 0.1, outputs=3)


@pytest.mark.parametrize("metric", [FIM(), NTK(layer=2), FIM(centered=True)], ids=str)
def test_the_squared_error_has_every_eigenvalue_once_for_each_output(metric: Any) -> None:
    kernel = given_kernel(NETWORK, X, metric=metric, width=30)
    dual = np.kron(np.eye(3), kernel.normaliser * kernel.matrix)
    values, found = np.linalg.eigvalsh(dual)[::-1], squared_on_data(kernel)
    assert found.mean == pytest.approx(np.trace(dual) / kernel.dimension, rel=1e-12)
    assert found.second_moment == pytest.approx(np.sum(dual**2) / kernel.dimension, rel=1e-12)
    assert found.largest == pytest.approx(values[0], rel=1e-12)
    np.testing.assert_allclose(np.repeat(found.eigenvalues, found.multiplicity), values, atol=1e-12 * values[0])  # type: ignore[arg-type]
    np.testing.assert_allclose(found.outliers, [] if metric.centered else values[:3], rtol=1e-12)


def _dense(kernel: Any, logits: Any, centered: bool) -> Any:
    """The dual of one network's logits (N, C)."""
    f = logits - logits.mean(axis=0) if centered else logits
    g = np.exp(f - f.max(axis=1, keepdims=True))
    return kernel.normaliser * sandwich(kernel.matrix, (g / g.sum(axis=1, keepdims=True)).T)


@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("dense", [True, False])
def test_given_logits(centered: bool, dense: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """All eigenvalues, or by Lanczos the outliers alone."""
    if not dense:
        monkeypatch.setattr(given, "_DENSE", 30)
    kernel, logits = (
        given_kernel(NETWORK, np.vstack([X, 1.1 * X[::-1]]), metric=FIM(centered=centered), width=30),
        2 * RNG.standard_normal((22, 3)),
    )
    dual = _dense(kernel, logits, centered)
    values = np.linalg.eigvalsh(dual)[::-1]
    found = softmax_on_data(kernel, FIM(loss="cross_entropy", centered=centered), [logits], given=True)
    assert found.mean == pytest.approx(np.trace(dual) / kernel.dimension, rel=1e-11)
    assert found.second_moment == pytest.approx(np.sum(dual**2) / kernel.dimension, rel=1e-11)
    assert found.largest == pytest.approx(values[0], rel=1e-11)
    np.testing.assert_allclose(found.outliers, [] if centered else values[:2], rtol=1e-11)
    assert (found.networks, found.error, found.multiplicity) == (None, 0.0, 1)
    if dense:
        np.testing.assert_allclose(found.eigenvalues, values[:44], atol=1e-12 * values[0])  # type: ignore[arg-type]
        assert found.warnings == kernel.warnings
        assert found.resolved == 44 - 2 * centered
    else:
        assert (found.eigenvalues, found.resolved) == (None, None)
        assert "C N = 66 are too many" in found.warnings[-1]


@pytest.mark.parametrize("most", [600, 20])
def test_an_ensemble_is_the_mean_over_its_networks(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """By brute force: the dual of each network."""
    monkeypatch.setattr(given, "_DENSE_MANY", most)
    kernel, metric = given_kernel(NETWORK, X, metric=FIM(), width=30), FIM(loss="cross_entropy")
    logits = logits_of_process(given_kernel(NETWORK, X, metric="nngp").matrix, 3)
    duals = [_dense(kernel, f, False) for f in logits]
    values = np.array([np.linalg.eigvalsh(d)[::-1] for d in duals])
    found = softmax_on_data(kernel, metric, logits, given=False)
    assert found.mean == pytest.approx(np.mean([np.trace(d) for d in duals]) / kernel.dimension, rel=1e-11)
    assert found.second_moment == pytest.approx(np.mean([np.sum(d**2) for d in duals]) / kernel.dimension, rel=1e-11)
    np.testing.assert_allclose(found.outliers, values[:, :2].mean(axis=0), rtol=1e-10)
    assert found.networks is not None
    np.testing.assert_allclose(found.networks["largest"], values[:, 0], rtol=1e-10)
    np.testing.assert_allclose(found.networks["outliers"], values[:, :2], rtol=1e-10)
    spread = values[:, 0].std(ddof=1) / np.sqrt(len(logits)) / values[:, 0].mean()
    assert found.error == pytest.approx(spread, rel=1e-8)
    if most == 600:
        np.testing.assert_allclose(found.eigenvalues, values[:, :22].mean(axis=0), atol=1e-11 * values.max())  # type: ignore[arg-type]
    else:
        assert found.eigenvalues is None


def test_logits_have_the_covariance_of_one_output() -> None:
    """64 networks of 50 outputs, entry by entry within 5 standard errors; outputs are independent."""
    covariance = given_kernel(NETWORK, X, metric="nngp").matrix
    drawn = np.array(logits_of_process(covariance, 50))
    assert drawn.shape == (64, 11, 50)
    flat = drawn.transpose(0, 2, 1).reshape(-1, 11)
    products = flat[:, :, None] * flat[:, None]
    error = products.std(0, ddof=1) / np.sqrt(len(flat))
    assert np.all(np.abs(products.mean(0) - covariance) <= 5 * error)
    assert np.all(error < 0.05 * np.diag(covariance).max())
    beside = drawn[:, :, :-1] * drawn[:, :, 1:]
    assert np.all(np.abs(beside.mean((0, 2))) <= 5 * beside.std((0, 2)) / np.sqrt(64 * 49))
    assert np.array_equal(drawn, np.array(logits_of_process(covariance, 50)))  # the same for the same question
