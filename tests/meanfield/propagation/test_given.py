"""Order parameters of given inputs: against closed forms, lattice sums and 50 digits, and each error asked: honest?"""

from __future__ import annotations

import itertools
from typing import Any

import mpmath
import numpy as np
import pytest

from meanfield import Gram, Network, order_parameters
from meanfield.propagation.given import GivenLayers
from meanfield.propagation.samples import Rows

RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 9)) * np.geomspace(0.3, 3, 6)[:, None] + 0.2
LAW: dict[str, Any] = {"weight_variance": [1.7, 0.6, 2.3, 1.1], "bias_variance": [0.3, 0.0, 0.2, 0.05]}
EVERY = slice(0, 6)


@pytest.mark.parametrize("activation", [["relu", "erf", "linear"], ["tanh", "relu", "tanh"]], ids="/".join)
def test_layers_of_different_laws_and_activations(activation: list[str], recursion: Any) -> None:
    found = order_parameters(Network(4, activation, **LAW), inputs=X)
    truth = recursion(X, activation, *LAW.values())
    for single, pairs, gap, expected in (
        (found.forward, found.forward_st, found.forward_gap, truth.forward),
        (found.q, found.q_st, found.q_gap, truth.made),
        (found.backward, found.backward_st, found.backward_gap, truth.backward),
    ):
        for l, matrix in enumerate(expected):
            diagonal = np.diag(matrix)
            np.testing.assert_allclose(single[l], diagonal, rtol=1e-12)
            np.testing.assert_allclose(pairs[l], matrix, rtol=1e-11, atol=1e-12)
            np.testing.assert_allclose(gap[l], (diagonal[:, None] + diagonal) / 2 - matrix, atol=1e-11)
    assert found.status == "ok"
    assert found.error < 1e-12


def test_a_gram_matrix_says_all_that_matters() -> None:
    network = Network(4, "relu", **LAW)
    rows, gram = (order_parameters(network, inputs=x) for x in (X, Gram(X @ X.T / 9)))
    for name in ("q_st", "forward_st", "backward_st", "q"):
        np.testing.assert_allclose(getattr(gram, name), getattr(rows, name), rtol=1e-12)


@pytest.mark.parametrize("activation", ["tanh", "relu", "erf", "elu"])
def test_orthogonal_inputs_of_equal_norm_are_exchangeable(activation: str) -> None:
    """The other recursion, which knows two numbers a layer."""
    x = np.linalg.qr(RNG.standard_normal((8, 8)))[0][:5] * np.sqrt(8 * 1.3)
    network = Network(4, activation, **LAW)
    given, two = order_parameters(network, inputs=x), order_parameters(network, norm=1.3, gaussian=False)
    beside = ~np.eye(5, dtype=bool)
    for name in ("q", "forward", "backward"):
        np.testing.assert_allclose(getattr(given, name).T, np.tile(getattr(two, name), (5, 1)), rtol=1e-12)
        off = getattr(given, f"{name}_st")[:, beside].T
        np.testing.assert_allclose(off, np.tile(getattr(two, f"{name}_st"), (20, 1)), rtol=1e-12, atol=1e-14)


def _in_50_digits(
    s: Any, t: Any, activation: str, depth: int, weight: float, bias: float
) -> tuple[list[Any], list[Any]]:
    """q̂^{L-1} of s, t and the pair, and Π σ_w² E φ'φ' of the pair: Cho & Saul, Williams."""
    d, pi = len(s), mpmath.pi
    a, b, c = (mpmath.fsum(mpmath.mpf(float(x)) * mpmath.mpf(float(y)) for x, y in zip(*p, strict=True)) / d
               for p in ((s, s), (t, t), (s, t)))  # fmt: skip
    back, own = mpmath.mpf(1), mpmath.mpf(1)
    for _ in range(depth - 1):
        a, b, c = (weight * x + bias for x in (a, b, c))
        if activation == "relu":
            cosine = min(c / mpmath.sqrt(a * b), mpmath.mpf(1))
            angle = mpmath.acos(cosine)
            c = mpmath.sqrt(a * b) * (mpmath.sin(angle) + (pi - angle) * cosine) / (2 * pi)
            back, own, a, b = back * weight * (pi - angle) / (2 * pi), own * weight / 2, a / 2, b / 2
        else:
            root = mpmath.sqrt((1 + 2 * a) * (1 + 2 * b))
            back *= weight * 4 / pi / mpmath.sqrt(root**2 - 4 * c**2)
            own *= weight * 4 / pi / mpmath.sqrt(mpmath.sqrt((1 + 4 * a) * (1 + 4 * b)))
            c, a, b = (2 / pi * mpmath.asin(x) for x in (2 * c / root, 2 * a / (1 + 2 * a), 2 * b / (1 + 2 * b)))
    return [a, b, c], [back, own]


@pytest.mark.parametrize("activation", ["relu", "erf"])
@pytest.mark.parametrize("angle", [1e-8, 1e-5, 1e-2, 1.0])
def test_the_errors_are_honest_through_three_layers(activation: str, angle: float) -> None:
    """Also of nearly equal inputs, where the slope of a kink turns with the rounding of a cosine."""
    rng = np.random.default_rng(5)
    for norm, bias in itertools.product((0.1, 1.0, 20.0), (0.0, 0.1)):  # without a bias the angle stays small
        first, other = np.linalg.qr(rng.standard_normal((30, 2)))[0].T * np.sqrt(30) * norm
        x = np.array([first, 3 * (np.cos(angle) * first + np.sin(angle) * other)])
        network = Network(4, activation, 2.0, bias)
        pair = slice(0, 1), slice(1, 2)
        passed = GivenLayers(network, Rows(x)).through(*pair, *Rows(x).gram(*pair))
        top, bottom = passed.layers[-1], passed.layers[0]
        with mpmath.workdps(50):
            (a, b, c), (back, own) = _in_50_digits(*x, activation, 4, 2.0, bias)
            unit = float(mpmath.sqrt((2 * a + bias) * (2 * b + bias)))
            off = abs(float(top.made.cross[0, 0] - (2 * c + mpmath.mpf(bias))))  # type: ignore[union-attr, operator]
            turned = abs(float((bottom.backward.cross[0, 0] - back) / own))  # type: ignore[union-attr, operator]
        assert off <= 3 * passed.forward_error[0, 0] * unit
        assert turned <= 3 * passed.backward_error[0, 0]
        assert passed.forward_error[0, 0] < 1e-12  # and not idle
        assert passed.backward_error[0, 0] < (1e-7 if activation == "relu" else 1e-12)


def test_an_error_of_the_inputs_is_carried_to_the_top() -> None:
    """A Gram matrix that is off by δ: what becomes of it stays within what is said."""
    network, gram = Network(4, ["relu", "erf", "tanh"], **LAW), X @ X.T / 9
    layers = GivenLayers(network, Rows(X))
    exact, delta = layers.through(EVERY, EVERY, gram), 1e-6 * np.sqrt(np.outer(np.diag(gram), np.diag(gram)))
    np.fill_diagonal(delta, 0.0)
    moved = layers.through(EVERY, EVERY, gram - delta, delta)
    unit = exact.layers[-1].made.unit()  # type: ignore[union-attr]
    off = np.abs(moved.layers[-1].made.cross - exact.layers[-1].made.cross) / unit  # type: ignore[union-attr]
    assert np.all(off <= moved.forward_error + 1e-13)
    back = [x.layers[0].backward.cross / np.sqrt(np.outer(*[x.layers[0].backward.variances] * 2))  # type: ignore[union-attr]
            for x in (moved, exact)]  # fmt: skip
    assert np.all(np.abs(back[0] - back[1]) <= moved.backward_error + 1e-13)
    assert np.max(off) > 1e-8  # it could have failed


@pytest.mark.parametrize("activation", ["sign", "step"])
def test_jumps_are_infinite_backwards(activation: str) -> None:
    found, two = (order_parameters(Network(3, activation, 1.0, 0.1), **given) for given in ({"inputs": X}, {}))
    assert found.status == two.status == "infinite"
    assert np.array_equal(np.isinf(found.backward[:, 0]), np.isinf(two.backward))
    assert np.all(np.isfinite(found.q_st))
    assert found.error == np.inf


def test_overflow_is_a_status() -> None:
    assert order_parameters(Network(4, "exp", 3.0, 0.1), inputs=10 * X).status == "overflow"


def test_an_activation_on_the_inputs_is_refused() -> None:
    from meanfield.spec import Activate, Linear

    network = Network.of([Activate("tanh"), Linear(1.0, 0.0)])
    with pytest.raises(ValueError, match="layers: expected Gaussian units"):
        order_parameters(network, inputs=X)


def test_inputs_that_are_zero() -> None:
    """φ(0) and φ'(0) take the expectations' place, also where φ'(0) = 0 and a relative error has no meaning."""
    x = np.vstack([np.zeros(9), X[1]])
    for name, at_zero, slope in (
        ("gaussian", 1.0, 0.0),
        ("tanh", 0.0, 1.0),
        ("cos", 1.0, 0.0),
        ("softplus", np.log(2), 0.5),
    ):
        found = order_parameters(Network(2, name, 1.5, 0.0), inputs=x)
        assert found.q[0, 0] == found.q_st[0, 0, 1] == 0
        assert found.forward[1, 0] == pytest.approx(at_zero**2, abs=1e-15)
        assert found.backward[0, 0] == pytest.approx(1.5 * slope**2, abs=1e-15)
        assert found.status == "ok"
        assert found.error < 1e-11
