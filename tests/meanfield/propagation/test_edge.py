"""The edge of chaos only where a network gets there, against the recursion itself with the trapezoidal rule."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy
from scipy.special import erf
from scipy.stats import norm

from meanfield import critical_line, edge_of_chaos

U = sympy.Symbol("x")
_Z = np.linspace(-9, 9, 1201)
_W = norm.pdf(_Z) * (_Z[1] - _Z[0])


def _gelu(u: np.ndarray) -> np.ndarray:
    return u * (1 + erf(u / math.sqrt(2))) / 2


def _silu(u: np.ndarray) -> np.ndarray:
    return u * (1 + np.tanh(u / 2)) / 2


def _recursion(function: object, weight: float, bias: float, layers: int = 3000) -> float:
    q = weight + bias
    for _ in range(layers):
        q = weight * float(_W @ function(math.sqrt(q) * _Z) ** 2) + bias  # type: ignore[operator]
        if q > 1e5:
            return math.inf
    return q


@pytest.mark.parametrize(("name", "function"), [("gelu", _gelu), ("silu", _silu)])
@pytest.mark.parametrize("bias", [0.0, 0.1])
def test_no_edge_that_explodes_and_the_bound_beside_it(name: str, function: object, bias: float) -> None:
    line = critical_line(name, bias)
    assert math.isnan(line.weight_variance)
    assert "runs away" in line.reasons[0]
    bound = float(line.largest_bounded)
    assert _recursion(function, bound * 0.999, bias) < 1e5
    assert _recursion(function, bound * 1.001, bias) == math.inf


def test_known_bounds() -> None:
    """GELU's 2.055 at σ_b² = .1; exp: sup (q - b)/e^{2q} at q = b + 1/2; x²: at 3q² = 1."""
    assert critical_line("gelu", 0.1).largest_bounded == pytest.approx(2.055, abs=1e-3)
    bias = np.array([0.0, 0.1])
    np.testing.assert_allclose(critical_line("exp", bias).largest_bounded, np.exp(-1 - 2 * bias) / 2, rtol=1e-9)
    np.testing.assert_allclose(critical_line(U**2, bias).largest_bounded, 1 / math.sqrt(3) - bias, rtol=1e-8)
    assert critical_line("tanh", 0.3).largest_bounded == math.inf
    assert critical_line("sin", 0.0).largest_bounded == math.inf


@pytest.mark.slow
def test_the_bound_of_moments_that_end() -> None:
    """exp(u²): sup (q - b) √(1 - 4q) below q = 1/4, where the second moment ends."""
    bias, q = np.array([0.0, 0.1]), np.linspace(0, 0.25, 400001)[:-1]
    found = critical_line(sympy.exp(U**2), bias).largest_bounded
    np.testing.assert_allclose(found, [np.max((q - b) * np.sqrt(1 - 4 * q)) for b in bias], rtol=1e-6)


def test_edges_that_networks_reach() -> None:
    """GELU's published fold (Roberts et al. 2022) and its stable edges above; relu-like ones are limits."""
    assert edge_of_chaos("gelu", 0.17292239) == pytest.approx(1.98305826, abs=1e-8)
    assert "settles at q = 3.035" in critical_line("gelu", 0.17292239).reasons[0]
    for bias in (0.2, 1.0):
        weight = float(edge_of_chaos("gelu", bias))
        q = _recursion(_gelu, weight * (1 - 1e-7), bias, 20000)
        slope = (_gelu(math.sqrt(q) * _Z + 1e-5) - _gelu(math.sqrt(q) * _Z - 1e-5)) / 2e-5
        assert weight * float(_W @ slope**2) == pytest.approx(1.0, abs=2e-3)
    np.testing.assert_allclose(edge_of_chaos("relu", [0.0, 0.1, 2.0, 30.0]), 2.0, rtol=1e-9)
    np.testing.assert_allclose(edge_of_chaos("abs", [0.0, 0.01]), 1.0, rtol=1e-9)


@pytest.mark.parametrize("bias", [0.0, 0.1])
@pytest.mark.parametrize("phi", ["exp", "squared_relu", U**2, U**3, sympy.exp(U**2), sympy.Integer(1)])
def test_where_nothing_is_critical(phi: object, bias: float) -> None:
    """χ_1 = 1 nowhere, or only at a fixed point that repels: exp at σ_b² = .1 settles where χ_1 = .203."""
    line = critical_line(phi, bias)  # type: ignore[arg-type]
    assert math.isnan(line.weight_variance)
    assert line.reasons[0]


@pytest.mark.parametrize("k", [1, 30, pytest.param(1000, marks=pytest.mark.slow)])
def test_scaling_the_argument_scales_the_edge(k: int) -> None:
    """tanh(ku), sin(ku): edge · k² is the same for every k at σ_b² = 0; and at σ_b² = b/k² too."""
    for phi in (sympy.tanh, sympy.sin):
        assert edge_of_chaos(phi(k * U), 0.0) * k**2 == pytest.approx(1.0, rel=1e-9)
        assert edge_of_chaos(phi(k * U), 0.05 / k**2) * k**2 == pytest.approx(edge_of_chaos(phi(U), 0.05), rel=1e-8)
