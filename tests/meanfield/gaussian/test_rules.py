"""One decision for every rule: lattices for analytic activations of moderate variance, graded panels for the others."""

from __future__ import annotations

import math

import numpy as np
import pytest

from meanfield.gaussian.rules import deviation_rules, grid_rules, line_rules, pair_rule
from meanfield.spec.activations import as_activation


def is_lattice(nodes: np.ndarray) -> bool:
    steps = np.diff(nodes)
    return bool(np.ptp(steps) < 1e-9 * steps[0])


@pytest.mark.parametrize(("name", "q", "lattice"), [("tanh", 2.0, True), ("tanh", 2e3, False), ("relu", 2.0, False)])
def test_all_rules_decide_alike_and_integrate(name: str, q: float, lattice: bool) -> None:
    """E[u²] and E[(x + y)⁴] by both resolutions of each rule."""
    activation = as_activation(name)
    for u, weights in line_rules(activation, q, 0):
        assert is_lattice(u) == lattice
        assert weights @ u**2 == pytest.approx(q, rel=1e-11)
    means = np.array([-0.4, 1.1])
    for u, xi, weights in deviation_rules(activation, means, q, 0):
        assert is_lattice(u[0]) == lattice
        np.testing.assert_allclose(u, means[:, None] + xi * math.sqrt(q), rtol=1e-14, atol=1e-12)
        np.testing.assert_allclose(np.sum(weights * u**2, axis=1), means**2 + q, rtol=1e-11)
    rules = grid_rules(activation, q, 0.3 * q, 0, 1e7)
    assert rules is not None
    for x, x_weights, y, weights in rules:
        assert is_lattice(x) == lattice
        assert x_weights @ np.sum(weights * (x[:, None] + y) ** 4, axis=-1) == pytest.approx(3 * q**2, rel=1e-10)
    assert grid_rules(activation, q, 0.3 * q, 0, 10) is None


@pytest.mark.parametrize("q", [2.0, 2e3])
def test_pair_rule(q: float) -> None:
    """Of φ(u) = u: q, the covariance and the gap, whichever rule serves."""
    sums = pair_rule(as_activation("linear"), 0, q, 0.3 * q)(0)
    assert sums is not None
    for found in sums:
        np.testing.assert_allclose(found[:3], [q, 0.7 * q, 0.3 * q], rtol=1e-11)
