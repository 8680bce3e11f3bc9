"""Hermite coefficients against closed forms, mpmath and Parseval."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from scipy.special import gammaln

from meanfield.gaussian.moments import gaussian_moments
from meanfield.information.hermite import hermite_squares
from meanfield.spec.activations import as_activation

K = np.arange(60)


def factorial(k):
    return np.exp(gammaln(k + 1.0))


CLOSED = {
    # E e^(√q z) h_k = e^(q/2) q^(k/2)/√k!
    "exp": lambda q: np.exp(q) * q**K / factorial(K),
    "sin": lambda q: np.where(K % 2, np.exp(-q) * q**K / factorial(K), 0.0),
    "cos": lambda q: np.where(K % 2, 0.0, np.exp(-q) * q**K / factorial(K)),
    "linear": lambda q: np.where(K == 1, q, 0.0),
    # E erf(u) erf(v) = (2/π) arcsin(2 q c/(1 + 2 q))
    "erf": lambda q: 2 / math.pi * arcsine(2 * q / (1 + 2 * q)),
    "relu": lambda q: q * relu(),
}


def arcsine(x):
    """Coefficients of arcsin(x c) in c."""
    m = (K - 1) / 2
    odd = np.exp(gammaln(2 * m + 1) - 2 * m * math.log(2) - 2 * gammaln(m + 1)) / (2 * m + 1) * x**K
    return np.where(K % 2, odd, 0.0)


def relu():
    """(√(1 - c²) + c (π - arccos c))/2π."""
    found = np.zeros(len(K))
    found[:3] = 1 / (2 * math.pi), 1 / 4, 1 / (4 * math.pi)
    for k in range(4, len(K), 2):
        found[k] = found[k - 2] * (k - 3) ** 2 / (k * (k - 1))
    return found


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize("q", [0.3, 1.7])
def test_closed_forms(name, q):
    found = hermite_squares(as_activation(name), q, len(K))
    expected = CLOSED[name](q)
    np.testing.assert_allclose(found.squares, expected, rtol=1e-9, atol=1e-16 * expected.sum())
    assert found.error < 1e-10


@pytest.mark.parametrize(("name", "q"), [("tanh", 3.0), ("gelu", 0.5)])
def test_smooth_ones_against_mpmath(name, q):
    phi = {"tanh": mpmath.tanh, "gelu": lambda u: u * mpmath.ncdf(u)}[name]
    found = hermite_squares(as_activation(name), q, 16)
    with mpmath.workdps(20):
        for k in (1, 2, 5, 9):

            def integrand(z, k=k):
                h = mpmath.hermite(k, z / mpmath.sqrt(2)) / mpmath.sqrt(2**k * mpmath.factorial(k))
                return phi(mpmath.sqrt(q) * z) * h * mpmath.npdf(z)

            expected = float(mpmath.quad(integrand, [-11, -5, -2, 0, 2, 5, 11])) ** 2
            assert found.squares[k] == pytest.approx(expected, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("name", ["tanh", "relu", "softsign", "hardtanh", "sigmoid"])
def test_they_sum_to_the_second_moment(name):
    """From below, and the more so the more of them: Parseval."""
    activation = as_activation(name)
    square = gaussian_moments(activation, 1.5, 1.5).square
    missed = [1 - hermite_squares(activation, 1.5, count).squares.sum() / square for count in (8, 64, 1024)]
    assert missed[0] + 1e-13 >= missed[1] >= missed[2] - 1e-13
    assert min(missed) > -1e-13
    assert name == "sigmoid" or missed[0] > missed[1] > 1e-12
    assert missed[2] < 1e-4  # kinks: k^-3/2


@pytest.mark.parametrize("name", ["tanh", "cos"])
def test_parity_is_exact(name):
    squares = hermite_squares(as_activation(name), 1.0, 20).squares
    assert np.all(squares[0 if name == "tanh" else 1 :: 2] == 0)
