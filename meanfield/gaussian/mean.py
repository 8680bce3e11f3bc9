"""Gaussian means of one preactivation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from meanfield.gaussian.quadrature import FINEST, ROUNDING, TOLERANCE, natural_level
from meanfield.gaussian.rules import line_rules, of_nodes
from meanfield.spec.activations import Activation

__all__ = ["activation_mean", "gaussian_mean", "variance_slope"]

Floats = NDArray[np.float64]


def gaussian_mean(activation: Activation, q: float, integrand: Callable[[Floats], Floats]) -> tuple[float, float]:
    """E[g(u)], u ~ N(0, q), and its absolute error estimate, for a ``g`` that is smooth between φ's breakpoints.

    The goal is 1e-11 of E|g|.

    ``integrand`` maps an array of u to g(u). Raises ``ValueError`` if q is negative or not finite.
    """
    if not 0 <= q < math.inf:
        raise ValueError(f"q: expected a finite variance of at least 0, got {q!r}")
    value, error = math.nan, math.inf
    for level in range(natural_level(activation, 0), FINEST):
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            terms = [weights * integrand(u) for u, weights in line_rules(activation, q, level)]
        fine, coarse = (float(x.sum()) for x in terms)
        size = float(np.abs(terms[0]).sum())
        value, error = fine, abs(fine - coarse) + ROUNDING * size
        if not error > TOLERANCE * size:
            break
    return value, error


def activation_mean(activation: Activation, q: float, order: int = 0) -> tuple[float, float]:
    """E[φ(u)] or E[φ'(u)], u ~ N(0, q), and its error: exactly 0 for an odd function. A rounding error instead of the 0
    would grow from layer to layer in the chaotic phase."""
    if activation.parity == (-1 if order % 2 == 0 else 1):
        return 0.0, 0.0
    return gaussian_mean(activation, q, of_nodes(activation, order))


def variance_slope(activation: Activation, q: float) -> tuple[float, float]:
    """d E[φ(u)²]/dq for u ~ N(0, q), and its error estimate: E[φ²(u) (u²/q - 1)]/(2q) by Stein's lemma, which needs no
    derivative of φ and so holds for kinks and jumps too."""
    function = activation.function()
    return gaussian_mean(activation, q, lambda u: function(u) ** 2 * (u * u / q - 1) / (2 * q))
