"""Given inputs: their Gram matrix in blocks, equal ones, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from meanfield import Gram, Network
from meanfield.propagation.samples import GivenSamples, Rows, given_samples

X = np.random.default_rng(0).standard_normal((12, 5)) * np.geomspace(0.1, 10, 12)[:, None]
X[7] = X[2]
BOTH = pytest.mark.parametrize("samples", [Rows(X), Gram(X @ X.T / 5)], ids=["rows", "gram"])


@BOTH
def test_blocks_norms_and_sum_are_those_of_the_gram_matrix(samples: GivenSamples) -> None:
    gram = X @ X.T / 5
    rows, columns = slice(1, 8), slice(5, 12)
    block, error = samples.gram(rows, columns)
    unit = np.sqrt(np.outer(np.diag(gram), np.diag(gram)))[rows, columns]
    assert np.all(np.abs(block - gram[rows, columns]) <= 1e-15 * unit)
    assert np.all(error <= 1e-15 * unit)
    np.testing.assert_allclose(samples.norms, np.diag(gram), rtol=1e-14)
    assert samples.total() == pytest.approx(gram.sum(), rel=1e-13)


def test_the_error_of_a_product_is_honest() -> None:
    """Against sums without rounding, of many features that cancel."""
    x = np.random.default_rng(1).standard_normal((4, 3000)) + 100
    block, error = Rows(x).gram(slice(0, 4), slice(0, 4))
    exact = np.array([[float(np.dot(s.astype(np.longdouble), t.astype(np.longdouble))) / 3000 for t in x] for s in x])
    assert np.all(np.abs(block - exact) <= error)


@pytest.mark.parametrize("width", [3, 17, 64])
def test_equal_inputs_have_their_norm_as_product(width: int) -> None:
    """At whatever place they stand: rounding would open an angle of 1e-8 between them."""
    x = np.random.default_rng(2).standard_normal((40, width)) + 3
    x[[11, 30, 39]] = x[4]
    samples = Rows(x)
    for rows, columns in ((slice(0, 40), slice(0, 40)), (slice(3, 12), slice(29, 40))):
        block, _ = samples.gram(rows, columns)
        places = [i for i in (4, 11, 30, 39) if rows.start <= i < rows.stop]
        others = [i for i in (4, 11, 30, 39) if columns.start <= i < columns.stop]
        for i in places:
            assert np.all(block[i - rows.start, np.array(others) - columns.start] == samples.norms[4])
    assert len(set(samples.norms[[4, 11, 30, 39]])) == 1


def test_no_covariance_exceeds_its_variances() -> None:
    x = np.outer(np.geomspace(0.1, 7, 9) * (-1.0) ** np.arange(9), np.random.default_rng(3).standard_normal(13))
    samples = Rows(x)
    block, _ = samples.gram(slice(0, 9), slice(0, 9))
    unit = np.sqrt(samples.norms)[:, None] * np.sqrt(samples.norms)
    beside = ~np.eye(9, dtype=bool)
    assert np.all(np.abs(block)[beside] <= unit[beside])
    np.testing.assert_allclose(np.abs(block), unit, rtol=1e-14)


@BOTH
def test_firsts_are_the_places_of_equal_inputs(samples: GivenSamples) -> None:
    assert samples.firsts(slice(None)).tolist() == [0, 1, 2, 3, 4, 5, 6, 2, 8, 9, 10, 11]
    assert samples.firsts(slice(3, None)).tolist() == list(range(9))
    assert samples.firsts(slice(2, 8)).tolist() == [0, 1, 2, 3, 4, 0]


def test_a_negative_zero_is_a_zero() -> None:
    assert Rows(np.array([[0.0, 1.0], [-0.0, 1.0]])).firsts(slice(None)).tolist() == [0, 0]


def test_a_gram_matrix_is_kept_symmetric_apart_and_comparable() -> None:
    given = X @ X.T / 5
    gram = Gram(given)
    given[0, 0] = 99.0
    assert gram.matrix[0, 0] != 99.0
    assert np.array_equal(gram.matrix, gram.matrix.T)
    assert gram.features is None
    assert gram in [gram]  # by identity: an array's == would be ambiguous
    assert len({gram, Gram(given + given.T)}) == 2


@pytest.mark.parametrize("value", [X, X.tolist(), X.astype(np.float32), X > 0, np.asfortranarray(X)])
def test_what_is_an_array_of_numbers(value: Any) -> None:
    samples = given_samples("inputs", value)
    np.testing.assert_array_equal(samples.values, np.asarray(value, dtype=float))  # type: ignore[attr-defined]
    assert samples.features == 5


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        (X[0], ValueError, r"x: expected the shape \(N, d\) with N, d >= 1, got \(5,\)"),
        (np.zeros((0, 3)), ValueError, r"got \(0, 3\)"),
        (np.zeros((3, 0)), ValueError, r"got \(3, 0\)"),
        (3.0, ValueError, r"got \(\)"),
        ([[1.0, np.nan], [np.inf, 0.0]], ValueError, "x: expected finite numbers, got 2 that are not"),
        (1e101 * X, ValueError, "x: expected numbers below 1e100"),
        (1j * X, TypeError, r"x: expected an array of numbers \(N, d\), got ndarray"),
        ([["a", "b"]], TypeError, "got list"),
        ([["1", "2"]], TypeError, "got list"),
        ([[1.0], [1.0, 2.0]], TypeError, "got list"),
        ("digits", TypeError, "got str"),
        (object(), TypeError, "got object"),
    ],
)
def test_refused_inputs(value: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        given_samples("x", value)


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        (X, ValueError, r"expected a Gram matrix \(N, N\), got the shape \(12, 5\)"),
        (np.zeros((0, 0)), ValueError, "the shape"),
        ([[1.0, 2.0], [2.0, 1.0]], ValueError, r"\|K_st\| <= √\(K_ss K_tt\), got another"),
        ([[1.0, 0.5], [0.4, 1.0]], ValueError, "expected a symmetric Gram matrix"),
        ([[-1.0]], ValueError, "positive diagonal"),
        (np.diag([np.inf, 1.0]), ValueError, "finite numbers"),
        ([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]], ValueError, "without negative eigenvalues"),
        (1j * np.eye(2), TypeError, "expected a Gram matrix of numbers, got ndarray"),
        ([["1"]], TypeError, "got list"),
    ],
)
def test_refused_gram_matrices(value: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=f"inputs: .*{words}"):
        Gram(value)


@pytest.mark.parametrize("make", [np.zeros, np.ones], ids=["nothing", "one input"])
def test_gram_matrices_at_the_border_of_the_allowed(make: Callable[..., Any]) -> None:
    assert Gram(make((3, 3))).norms.shape == (3,)


def test_a_network_takes_the_features_at_any_width() -> None:
    network = Network(3, "tanh", 1.0, outputs=2)
    for features, width in ((7, 100), (784, 3), (1, 99991), (49, 49)):
        made = network.with_features(features, width)
        assert made.widths(width) == (features, width, width, 2)
        assert made.layers == network.layers
    asked = Network(3, "tanh", 1.0, width_ratios=[0.5, 2, 1])
    assert asked.with_features(8, 16).widths(16) == (8, 32, 16, 1)
    with pytest.raises(ValueError, match=r"width_ratios: expected α_0 M = 9.*got 0\.5 \* 16"):
        asked.with_features(9, 16)
