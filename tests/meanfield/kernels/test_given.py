"""The blocks of a given kernel: against networks at any width, and against each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from meanfield import FIM, NTK, InputMetric, Metric, Network, given_kernel
from meanfield.kernels import given
from meanfield.kernels.given import fill_kernel
from meanfield.propagation.samples import Rows
from meanfield.spec import METRICS

COUNT = 1000
RNG = np.random.default_rng(10)
X = RNG.standard_normal((4, 3)) * np.array([0.3, 1.0, 1.5, 2.5])[:, None]
LINEAR: dict[str, Any] = {"weight_variance": (1.7, 0.6, 1.3), "bias_variance": (0.3, 0.8, 0.2)}
HIDDEN: dict[str, Any] = {"weight_variance": (1.7, 1.3), "bias_variance": (0.3, 0.2)}


def _agree(dual: NDArray[np.float64], expected: NDArray[np.float64]) -> None:
    """Every entry, within 5 standard errors of the mean over networks and outputs: one in two million by chance."""
    blocks = dual.reshape(COUNT, 2, 4, 2, 4)
    own = (blocks[:, 0, :, 0] + blocks[:, 1, :, 1]) / 2
    for values, truth in ((own, expected), (blocks[:, 0, :, 1], np.zeros((4, 4)))):
        error = values.std(0, ddof=1) / np.sqrt(COUNT)
        assert np.all(np.abs(values.mean(0) - truth) <= 5 * error + 1e-12 * expected.max())
        assert np.all(error < 0.25 * np.sqrt(np.outer(np.diag(expected), np.diag(expected))))  # it could have failed


@pytest.mark.parametrize("metric", [k(layer=l) for k in METRICS.values() for l in (None, *k().layers(3))], ids=str)
def test_linear_networks_have_these_expectations_at_any_width(metric: Metric, draw: Any) -> None:
    """Entry by entry, of inputs whose norms differ by 8."""
    if not hasattr(draw, "linear"):
        draw.linear = draw(3, COUNT, "linear", (3, 4, 8, 2), samples=4, inputs=X, **LINEAR)
    network = Network(3, "linear", outputs=2, width_ratios=[1, 1, 2], **LINEAR)
    kernel = given_kernel(network, X, metric=metric, width=4)
    _agree(draw.linear.dual(metric.family, metric.layer), kernel.normaliser * kernel.matrix)
    assert kernel.dimension == draw.linear.dimension(metric.family, metric.layer)


@pytest.mark.parametrize("activation", ["relu", "tanh", "softplus"])
def test_one_hidden_layer_has_these_expectations_at_any_width(activation: str, draw: Any) -> None:
    """Its units are independent, so that the wide network's kernel is the mean over networks of four units."""
    networks = draw(4, COUNT, activation, (3, 4, 2), samples=4, inputs=X, **HIDDEN)
    network = Network(2, activation, outputs=2, **HIDDEN)
    for metric in (FIM(), FIM(layer=1), NTK(), NTK(layer=1), NTK(layer=2), InputMetric(layer=1)):
        kernel = given_kernel(network, X, metric=metric, width=4)
        _agree(networks.dual(metric.family, metric.layer), kernel.normaliser * kernel.matrix)
    logits = networks.logits  # NNGP: their covariance over networks
    products = np.einsum("ask,atk->ast", logits, logits) / 2
    error = products.std(0, ddof=1) / np.sqrt(COUNT)
    assert np.all(np.abs(products.mean(0) - given_kernel(network, X, metric="nngp").matrix) <= 5 * error)


@pytest.mark.parametrize("size", [1, 5, 16])
@pytest.mark.parametrize("others", [0, 6])
def test_blocks_make_the_matrix_that_one_block_makes(size: int, others: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """N = 17 is a multiple of none but 1."""
    x = RNG.standard_normal((17, 4)) * np.linspace(0.5, 2, 17)[:, None]
    network, made, told = Network(3, ["tanh", "relu"], 2.0, 0.1), [], []
    for block in (256, size):
        monkeypatch.setattr(given, "BLOCK", block)
        matrix, entries = np.full((17, 17), np.nan), []

        def write(rows: slice, columns: slice, part: Any, matrix: Any = matrix) -> None:
            assert np.all(np.isnan(matrix[rows, columns]))  # each once
            matrix[rows, columns] = part

        filled = fill_kernel(network, None, Rows(x), write, others, entries.append)
        made.append((matrix, filled))
        told.append(sum(entries))
    (whole, one), (parts, many) = made
    there = ~np.isnan(parts)
    np.testing.assert_allclose(parts[there], whole[there], rtol=1e-13)
    np.testing.assert_allclose(many.diagonal, one.diagonal, rtol=1e-14)
    assert np.array_equal(many.nearest, one.nearest) or np.allclose(many.nearest, one.nearest, atol=1e-7)
    assert many.error == pytest.approx(one.error, rel=0.01, abs=0)
    assert many.status == one.status == "ok"
    if others:
        assert there.sum() == told[1] == 6 * 11
        assert np.all(there[:6, 6:])
    else:
        assert np.all(there[np.triu_indices(17)])
        assert told[1] == there.sum()


def test_the_diagonal_is_that_of_the_matrix(recursion: Any) -> None:
    x = RNG.standard_normal((7, 4)) * np.linspace(0.1, 5, 7)[:, None]
    blocks: list[Any] = []
    filled = fill_kernel(Network(4, ["relu", "tanh", "erf"], 1.5, 0.1), None, Rows(x), lambda *b: blocks.append(b[2]))
    truth = recursion(x, ["relu", "tanh", "erf"], 1.5, 0.1).made[-1]
    np.testing.assert_allclose(blocks[0], truth, rtol=1e-11)
    np.testing.assert_array_equal(filled.diagonal, np.diag(blocks[0]))


def test_the_error_bounds_what_another_sum_gives(recursion: Any) -> None:
    """Frobenius, against closed forms: a bound, and no idle one."""
    x = RNG.standard_normal((30, 8)) * np.geomspace(0.05, 20, 30)[:, None]
    for activation in ("erf", "relu"):
        kernel = given_kernel(Network(4, activation, 2.0, 0.1), x)
        off = np.linalg.norm(
            kernel.matrix - recursion(x, [activation] * 3, 2.0, 0.1).kernel("ntk", None, [8, 1, 1, 1, 1])
        )
        assert off <= kernel.error
        assert kernel.error < 1e-11 * np.linalg.norm(kernel.matrix)


def test_the_errors_of_blocks_off_the_diagonal_count_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = []
    x = RNG.standard_normal((6, 3))
    for size in (6, 2):
        monkeypatch.setattr(given, "BLOCK", size)
        errors.append(fill_kernel(Network(2, "erf", 1.0, 0.1), None, Rows(x), lambda *_: None).error)
    assert errors[0] == pytest.approx(errors[1], rel=1e-6, abs=0)


@pytest.mark.parametrize("bias", [0.0, 0.5])
def test_nearest_are_the_smallest_angles_of_first_preactivations(bias: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies opposite is far: relu sees one of the two where the other is 0."""
    monkeypatch.setattr(given, "BLOCK", 4)
    x = RNG.standard_normal((10, 6))
    x[3] = -x[8] + 1e-2 * RNG.standard_normal(6)
    q = 1.5 * x @ x.T / 6 + bias
    angles = np.arccos(np.clip(q / np.sqrt(np.outer(np.diag(q), np.diag(q))), -1, 1))
    np.fill_diagonal(angles, np.pi)
    kernel = given_kernel(Network(2, "relu", [1.5, 1], bias), x)
    np.testing.assert_allclose(kernel.nearest, angles.min(axis=0), atol=1e-7)


def test_an_entry_that_is_not_known_makes_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside kinks angles of 1e-8 are rounding. NaN is no number below the goal either."""
    x = RNG.standard_normal((3, 40))
    x[1] = x[0] + 1e-9 * x[2]
    assert given_kernel(Network(3, "relu", 2.0, 0.0), x).status == "unresolved"
    assert given_kernel(Network(3, "erf", 2.0, 0.0), x).status == "ok"
    kernel = given_kernel(Network(3, "relu", 2.0, 0.0), x)
    assert kernel.error > 1e-10 * np.linalg.norm(kernel.matrix)
    through = given.GivenLayers.through
    monkeypatch.setattr(given.GivenLayers, "through", lambda *a: through(*a)._replace_forward())  # type: ignore[attr-defined]
    monkeypatch.setattr(given.Passed, "_replace_forward", _with_nan, raising=False)
    assert given_kernel(Network(3, "erf", 2.0, 0.0), x).status == "unresolved"


def _with_nan(passed: given.Passed) -> given.Passed:
    return given.Passed(passed.layers, np.full_like(passed.forward_error, np.nan), passed.backward_error)


@pytest.mark.parametrize(("activation", "scale"), [("step", 1.0), ("sign", 1.0), ("exp", 10.0)])
def test_jumps_and_overflows_are_refused(activation: str, scale: float) -> None:
    with pytest.raises(ValueError, match=r"inputs: expected finite order parameters, got an overflow or an infinite"):
        given_kernel(Network(4, activation, 3.0, 0.1), scale * RNG.standard_normal((3, 7)))
