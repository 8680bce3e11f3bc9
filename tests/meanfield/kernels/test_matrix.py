"""``given_kernel``: every metric against closed forms and the two-value kernel; equal, collinear, single inputs."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from meanfield import FIM, NTK, Gram, InputMetric, Metric, Network, given_kernel, order_parameters
from meanfield.kernels import matrix
from meanfield.kernels.exchangeable import exchangeable_kernel
from meanfield.spec import METRICS

RNG = np.random.default_rng(20)
X = RNG.standard_normal((9, 6)) * np.geomspace(0.3, 3, 9)[:, None] + 0.2
LAW: dict[str, Any] = {"weight_variance": [1.7, 0.6, 2.3], "bias_variance": [0.3, 0.0, 0.2]}
ALL = [kind(layer=layer) for kind in METRICS.values() for layer in (None, *kind().layers(3))]
every_metric = pytest.mark.parametrize("metric", ALL, ids=str)


@every_metric
@pytest.mark.parametrize("activation", [["relu", "erf"], ["linear", "relu"]], ids="/".join)
def test_every_metric_of_layers_that_differ(metric: Metric, activation: list[str], recursion: Any) -> None:
    network = Network(3, activation, outputs=2, width_ratios=[1, 2, 0.5], **LAW)
    kernel = given_kernel(network, X, metric=metric, width=8)
    truth = recursion(X, activation, *LAW.values()).kernel(metric.family, metric.layer, (6, 16, 4, 2))
    np.testing.assert_allclose(kernel.matrix, truth, rtol=1e-11, atol=1e-12 * truth.max())
    assert np.array_equal(kernel.matrix, kernel.matrix.T)
    assert kernel.normaliser == (1 if metric.family == "ntk" else 1 / 9)
    assert kernel.multiplicity == kernel.outputs == 2
    assert kernel.network.widths(8) == (6, 16, 4, 2)
    np.testing.assert_allclose(
        kernel.eigenvalues, np.linalg.eigvalsh(kernel.normaliser * truth)[::-1], atol=1e-11 * kernel.eigenvalues[0]
    )


@every_metric
@pytest.mark.parametrize("centered", [False, True])
def test_orthonormal_inputs_have_the_two_value_kernel(metric: Metric, centered: bool) -> None:
    """The oldest part of the theory, to 1e-12."""
    metric = type(metric)(layer=metric.layer, centered=centered)
    network = Network(3, ["tanh", "elu"], outputs=2, width_ratios=[2, 1, 1.5], **LAW)
    x = np.linalg.qr(RNG.standard_normal((8, 8)))[0][:5] * np.sqrt(8)
    parameters = order_parameters(network, norm=1.0, gaussian=False)
    two = exchangeable_kernel(network, metric, parameters, np.array(network.widths(4), float), np.array(5.0))
    two = two.centered() if centered else two
    expected = (two.same - two.other) * np.eye(5) + two.other
    kernel = given_kernel(network, x, metric=metric, width=4)
    scale = float(two.same + abs(two.other)) if not centered else float(np.abs(kernel.matrix).max() + 8)
    np.testing.assert_allclose(kernel.matrix, expected, rtol=0, atol=1e-12 * scale)
    assert kernel.normaliser == two.normaliser
    assert kernel.dimension == two.dimension


@every_metric
def test_centering_is_the_projection(metric: Metric) -> None:
    network, project = Network(3, "relu", **LAW), np.eye(9) - 1 / 9
    plain = given_kernel(network, X, metric=metric, width=8).matrix
    centered = given_kernel(network, X, metric=type(metric)(layer=metric.layer, centered=True), width=8).matrix
    np.testing.assert_allclose(centered, project @ plain @ project, rtol=0, atol=1e-13 * plain.max())
    np.testing.assert_allclose(centered.sum(axis=0), 0, atol=1e-12 * plain.max())


def test_nngp_is_the_covariance_of_one_output(recursion: Any) -> None:
    kernel = given_kernel(Network(3, ["tanh", "relu"], outputs=3, **LAW), X, metric="nngp")
    np.testing.assert_allclose(kernel.matrix, recursion(X, ["tanh", "relu"], *LAW.values()).made[-1], rtol=1e-11)
    assert (kernel.metric, kernel.normaliser, kernel.dimension) == (None, 1.0, 27)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("metric", ["ntk", "nngp", "fim"])
def test_other_inputs_have_the_rows_of_the_whole_kernel(activation: str, metric: str) -> None:
    network = Network(3, activation, 2.0, 0.1)
    whole = given_kernel(network, X, metric=metric, width=7)
    part = given_kernel(network, X[:3], X[3:], metric=metric, width=7)
    assert part.matrix.shape == (3, 6)
    assert part.normaliser == (1 / 6 if metric == "fim" else 1)
    np.testing.assert_allclose(part.matrix, whole.matrix[:3, 3:], rtol=1e-11)
    with pytest.raises(
        ValueError, match=r"eigenvalues: expected a square kernel, got K\(X\*, X\) of the shape \(3, 6\)"
    ):
        _ = part.eigenvalues
    again = given_kernel(network, X, X, metric=metric, width=7)
    np.testing.assert_allclose(again.matrix, whole.matrix, rtol=1e-9)  # equal pairs are as near as rounding lets them


@pytest.mark.parametrize("activation", ["relu", "tanh", "erf"])
@pytest.mark.parametrize("bias", [0.0, 0.3])
def test_equal_inputs_have_equal_rows_bit_for_bit(activation: str, bias: float) -> None:
    """At whatever place of a block they stand, so that the kernel is singular as it should be."""
    x = RNG.standard_normal((40, 7)) * RNG.uniform(0.5, 1.5, (40, 1))
    x[[17, 29, 39]] = x[5]
    network = Network(3, activation, 2.0, bias)
    kernel = given_kernel(network, x)
    k = kernel.matrix
    assert np.array_equal(k, k.T)
    for i in (17, 29, 39):
        assert np.array_equal(k[i], k[5])
        assert np.array_equal(k[:, i], k[:, 5])
    assert np.all(np.abs(kernel.eigenvalues[-3:]) <= 40 * 2.3e-16 * kernel.eigenvalues[0])
    assert kernel.resolved <= 37
    assert np.all(kernel.nearest[[5, 17, 29, 39]] < 3e-8)
    rows = given_kernel(network, x[:20], x[20:]).matrix
    assert np.array_equal(rows[5], rows[17])
    assert np.array_equal(rows[:, 9], rows[:, 19])


def test_a_gram_matrix_with_equal_inputs() -> None:
    x = np.vstack([X, X[4]])
    given, gram = (given_kernel(Network(3, "relu", 2.0, 0.1), y) for y in (x, Gram(x @ x.T / 6)))
    np.testing.assert_allclose(gram.matrix, given.matrix, rtol=1e-8)


def test_collinear_inputs_of_a_homogeneous_network() -> None:
    """f(2x) = 2f(x) without biases: rows of the NTK are twice each other, and half of the eigenvalues are zero."""
    kernel = given_kernel(Network(3, "relu", 2.0, 0.0), np.vstack([X, 2 * X]))
    np.testing.assert_allclose(kernel.matrix[9:], 2 * kernel.matrix[:9], rtol=3e-8)
    assert np.all(kernel.eigenvalues[9:] < 1e-7 * kernel.eigenvalues[0])
    assert np.all(kernel.nearest < 1e-7)
    assert np.all(np.abs(kernel.eigenvalues[9:]) <= kernel.floor)
    smooth = given_kernel(Network(3, "linear", 2.0, 0.0), np.vstack([X, -2 * X]))
    np.testing.assert_allclose(smooth.matrix[9:], -2 * smooth.matrix[:9], rtol=1e-13)
    assert smooth.resolved == 6


def test_an_input_that_is_zero() -> None:
    x = np.vstack([np.zeros(6), X])
    for activation in ("tanh", "relu", "cos"):
        kernel = given_kernel(Network(3, activation, 2.0, 0.0), x)
        assert kernel.status == "ok"
        assert np.isfinite(kernel.error)
        assert np.all(np.isfinite(kernel.matrix))
        np.testing.assert_allclose(
            kernel.matrix[1:, 1:], given_kernel(Network(3, activation, 2.0, 0.0), X).matrix, rtol=1e-11
        )
    assert np.all(given_kernel(Network(3, "tanh", 2.0, 0.0), x).matrix[0] == 0)
    assert given_kernel(Network(3, "tanh", 2.0, 0.0), np.zeros((3, 2))).eigenvalues.tolist() == [0, 0, 0]


def test_one_input(recursion: Any) -> None:
    kernel = given_kernel(Network(3, "relu", **LAW), X[:1], metric="fim", width=5)
    truth = recursion(X[:1], ["relu", "relu"], *LAW.values()).kernel("fim", None, (6, 5, 5, 1))
    np.testing.assert_allclose(kernel.eigenvalues, truth[0], rtol=1e-12)
    assert (kernel.resolved, kernel.matrix.shape) == (1, (1, 1))


def test_a_layer_without_variance_adds_nothing() -> None:
    network = Network(3, "tanh", [0.0, 1.0, 1.0], 0.0)
    assert np.all(given_kernel(network, X, metric=NTK(layer=1)).matrix == 0)
    assert np.all(given_kernel(network, X, metric=InputMetric(layer=0), width=4).matrix == 0)


def test_width_ratios_need_no_width_where_none_counts() -> None:
    odd = given_kernel(Network(3, "tanh", width_ratios=[0.5, 0.25, 3], **LAW), X)
    assert np.array_equal(odd.matrix, given_kernel(Network(3, "tanh", **LAW), X).matrix)
    assert odd.dimension == 9


def test_what_is_resolved_is_the_rank() -> None:
    """d = 6 features and a bias: seven eigenvalues, the others rounding."""
    x = RNG.standard_normal((30, 6))
    kernel = given_kernel(Network(1, "linear", 1.3, 0.4), x)
    exact = np.linalg.svd(np.hstack([x * np.sqrt(1.3 / 6), np.full((30, 1), np.sqrt(0.4))]), compute_uv=False) ** 2
    np.testing.assert_allclose(kernel.eigenvalues[:7], exact, rtol=1e-12)
    assert kernel.resolved == 7
    assert kernel.floor == pytest.approx(max(30 * 2**-52 * kernel.eigenvalues[0], kernel.error), rel=1e-12, abs=0)
    assert np.all(np.abs(kernel.eigenvalues[7:]) < kernel.floor)


def test_eigenvectors_belong_to_the_eigenvalues() -> None:
    kernel = given_kernel(Network(3, "tanh", **LAW), X, metric="fim", width=12)
    v = kernel.eigenvectors
    np.testing.assert_allclose(v.T @ v, np.eye(9), atol=1e-13)
    np.testing.assert_allclose(v * kernel.eigenvalues @ v.T, kernel.matrix / 9, atol=1e-12 * kernel.eigenvalues[0])


def test_a_file_holds_the_same_and_is_not_written_over(tmp_path: Path) -> None:
    out, network = tmp_path / "k.npy", Network(3, "relu", **LAW)
    metric = NTK(centered=True)
    filed = given_kernel(network, X, metric=metric, out=out)
    plain = given_kernel(network, X, metric=metric)
    assert np.array_equal(np.load(out), plain.matrix)
    assert isinstance(filed.matrix, np.memmap)
    assert np.array_equal(filed.eigenvalues, plain.eigenvalues)
    with pytest.raises((ValueError, FileExistsError), match="out"):
        given_kernel(network, X, out=out)
    given_kernel(network, X[:2], X, out=out, force=True)
    assert np.load(out).shape == (2, 9)


def test_nothing_is_left_of_a_file_that_failed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="finite order parameters"):
        given_kernel(Network(3, "step", 1.0), X, out=tmp_path / "k.npy")
    assert list(tmp_path.iterdir()) == []


def test_as_plain_data_and_text() -> None:
    kernel = given_kernel(Network(3, "relu", outputs=2, **LAW), X, metric=FIM(layer=2), width=500)
    record = json.loads(json.dumps(kernel.to_dict()))
    assert record["shape"] == [9, 9]
    assert record["metric"] == FIM(layer=2).to_dict()
    assert record["network"] == kernel.network.to_dict()
    assert (record["outputs"], record["status"], record["dimension"]) == (2, "ok", 500 * 501)
    assert "9 × 9" in str(kernel)
    assert "numerical error" in str(kernel)
    assert given_kernel(Network(1, "relu", 1.0), X, metric="nngp").to_dict()["metric"] == "nngp"


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"inputs": X[0]}, ValueError, r"inputs: expected the shape \(N, d\)"),
        ({"others": X[:, :2]}, ValueError, r"others: expected an array \(N, 6\)"),
        ({"others": Gram(np.eye(3))}, ValueError, "others: expected an array"),
        ({"metric": "fim"}, ValueError, "width: expected M, which the"),
        ({"metric": "fim", "width": 0}, ValueError, "width: expected"),
        ({"metric": "hessian"}, ValueError, "metric: expected"),
        ({"metric": NTK(loss="cross_entropy")}, ValueError, "metric.loss: expected mse"),
        ({"metric": NTK(centered=True), "others": X}, ValueError, r"metric.centered: expected false for K\(X\*, X\)"),
        ({"metric": NTK(layer=4)}, ValueError, "layer: expected"),
        ({"network": "tanh"}, TypeError, "network: expected a Network"),
    ],
)
def test_refused(options: dict[str, Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        given_kernel(**{"network": Network(3, "tanh", **LAW), "inputs": X, **options})
    assert "\n" not in str(caught.value)


def test_more_than_memory_should_hold_goes_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "MOST_SAMPLES", 8)
    with pytest.raises(ValueError, match="expected at most 8 samples in memory, got 9; out= takes more"):
        given_kernel(Network(2, "tanh", 1.0), X)
    assert given_kernel(Network(2, "tanh", 1.0), X, out=tmp_path / "k.npy").matrix.shape == (9, 9)


@pytest.mark.parametrize("progress", [True, False])
def test_a_large_kernel_tells_where_it_is(
    progress: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(matrix, "_SHOWN", 50)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    given_kernel(Network(2, "tanh", 1.0), X, progress=progress)
    assert ("kernel 9 × 9" in capsys.readouterr().err) == progress


def test_equal_inputs_are_known_as_such() -> None:
    """A kink sees no angle between them, and so there is no error of one."""
    x = np.random.default_rng(3).standard_normal((20, 6))
    made = given_kernel(Network(4, "relu", 2.0, 0.1), np.vstack([x, x[:3]]))
    assert (made.status, made.resolved) == ("ok", 20)
    assert made.error < 1e-11


def test_inputs_whose_products_underflow_are_refused() -> None:
    """At 1e-80 the angles of all pairs were 0, and nothing said so."""
    x = np.random.default_rng(3).standard_normal((5, 6))
    network, asked = Network(2, "relu", 2.0), {"metric": InputMetric(), "width": 50}
    with pytest.raises(ValueError, match="inputs: expected preactivations of variance 0 or above 1e-140"):
        given_kernel(network, 1e-80 * x, **asked)
    small, usual = (given_kernel(network, s * x, **asked).matrix for s in (1e-50, 1.0))
    np.testing.assert_allclose(small, usual, rtol=1e-12)


def test_what_has_no_error_is_not_ok() -> None:
    jumping = given_kernel(
        Network(3, "heaviside", 1.0, 0.1), np.random.default_rng(3).standard_normal((5, 6)), metric="nngp"
    )
    assert (jumping.status, jumping.error) == ("unresolved", np.inf)


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(ValueError, match=r"^out: expected .*K\.npy.*No space left"):
        given_kernel(Network(2, "relu", 2.0), np.eye(4), out=tmp_path / "K.npy")
    assert list(tmp_path.iterdir()) == []


def test_a_file_has_its_room_before_it_is_filled(tmp_path: Path) -> None:
    made = given_kernel(Network(2, "relu", 2.0), np.eye(300), out=tmp_path / "K.npy")
    stat = (tmp_path / "K.npy").stat()
    assert stat.st_blocks * 512 >= stat.st_size > made.matrix.nbytes
