"""Gaussian expectations of pairs with unequal variances, until the engine's land: relu, erf, else Mehler's series."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanfield.spec.activations import Activation

Floats = NDArray[np.float64]


class PairMoments(NamedTuple):
    value: Floats
    error: float
    status: str


def pair_expectations(
    activation: Activation, variances: Floats, others: Floats, covariances: Floats, order: int = 0
) -> PairMoments:
    """E φφ or E φ'φ'."""
    a, b = variances[:, None], others[None, :]
    if activation.name == "relu":
        r = np.clip(covariances / np.sqrt(a * b), -1, 1)
        angle = np.arctan2(np.sqrt((1 - r) * (1 + r)), r)
        value = (np.pi - angle) / (2 * np.pi)
        if order == 0:
            value = np.sqrt(a * b) * (np.sqrt((1 - r) * (1 + r)) / (2 * np.pi) + r * value)
        return PairMoments(value, 1e-15, "ok")
    if activation.name == "erf":
        if order == 0:
            value = 2 / np.pi * np.arcsin(2 * covariances / np.sqrt((1 + 2 * a) * (1 + 2 * b)))
        else:
            value = 4 / np.pi / np.sqrt((1 + 2 * a) * (1 + 2 * b) - 4 * covariances**2)
        return PairMoments(value, 1e-15, "ok")
    r = np.clip(covariances / np.sqrt(a * b), -1, 1)
    left = np.array([_mehler(activation, float(q), order) for q in variances])
    right = np.array([_mehler(activation, float(q), order) for q in others])
    value, power = np.zeros_like(r), np.ones_like(r)
    most = float(np.max(np.abs(r)))
    for k in range(left.shape[1]):
        value += power * np.outer(left[:, k], right[:, k])
        power *= r
        if most**k < 1e-15:
            break
    return PairMoments(value, 1e-10, "ok")


@functools.lru_cache(maxsize=200_000)
def _mehler(activation: Activation, q: float, order: int, terms: int = 160) -> Floats:
    z = np.linspace(-13, 13, 1601)
    found: Floats = _hermite(terms) @ activation.function(order=order)(np.sqrt(q) * z)
    return found


@functools.cache
def _hermite(terms: int) -> Floats:
    z = np.linspace(-13, 13, 1601)
    psi = [np.exp(-z * z / 4) / (2 * np.pi) ** 0.25]
    psi.append(z * psi[0])
    for k in range(2, terms):
        psi.append((z * psi[-1] - np.sqrt(k - 1) * psi[-2]) / np.sqrt(k))
    found: Floats = np.array(psi) * psi[0] * (z[1] - z[0])
    return found
