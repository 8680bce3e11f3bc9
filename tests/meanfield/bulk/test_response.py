"""Linear response against the whole system of equations solved at once."""

from __future__ import annotations

import numpy as np
import pytest

from meanfield.bulk.response import Gains, propagate


@pytest.mark.parametrize(("m", "n"), [(2, 2), (1, 1), (2, 1), (0, 2)])
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_states_solve_their_equations(m: int, n: int, depth: int) -> None:
    """x = G x + e for all states of all layers at once: their covariance is (I - G)⁻¹ Cov(e) (I - G)⁻ᵀ."""
    rng = np.random.default_rng(5)
    gains, sources = [], []
    for _ in range(depth - 1):
        gains.append(Gains(*(rng.standard_normal(s) for s in ((m, m), (n, m), (n, n)))))
        root = rng.standard_normal((m + n, m + n))
        sources.append(root @ root.T)
    inputs = np.diag(1.0 + np.arange(m))
    found = propagate(gains, sources, (m, n), inputs)

    f = [slice(l * m, (l + 1) * m) for l in range(depth)]
    b = [slice(depth * m + l * n, depth * m + (l + 1) * n) for l in range(depth + 1)]
    size = depth * m + (depth + 1) * n
    system, fresh = np.eye(size), np.zeros((size, size))
    fresh[f[0], f[0]] = inputs
    for l in range(1, depth):
        system[f[l], f[l - 1]] -= gains[l - 1].forward
        system[b[l], b[l + 1]] -= gains[l - 1].backward
        system[b[l], f[l - 1]] -= gains[l - 1].across
        own = np.r_[f[l], b[l]]
        fresh[np.ix_(own, own)] = sources[l - 1]
    inverse = np.linalg.inv(system)
    if not len(found.noise):  # nothing fluctuates
        return
    states = np.concatenate([x.reshape(-1, len(found.noise)) for x in (found.forward, found.backward) if x.shape[1]])
    expected = inverse @ fresh @ inverse.T
    np.testing.assert_allclose(states @ found.noise @ states.T, expected, atol=1e-12 * np.abs(expected).max(initial=1))
    combination = rng.standard_normal(size)
    assert found.variance(combination @ states) == pytest.approx(combination @ expected @ combination)
