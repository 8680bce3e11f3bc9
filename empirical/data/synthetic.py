"""Drawn inputs, and their population's covariance: independent features of given variances.

    gaussian   N(0, 1)
    sloppy     variances λ_i ∝ e^{-c i}, i = 0..d-1, with Σ λ_i = d

A network with Gaussian weights doesn't see the axes, so a diagonal covariance stands for any of its spectrum.
"""

from __future__ import annotations

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from empirical.networks.streams import SYNTHETIC, child
from meanfield.spec.checks import number, positive_integer

__all__ = ["SYNTHETICS", "draw", "variances"]

SYNTHETICS = ("gaussian", "sloppy")
SAMPLES, FEATURES, SLOPE = 500, 64, 0.1


def draw(name: str, n: int | None, seed: SeedSequence, d: int | None, c: float | None) -> NDArray[np.float64]:
    """N samples (N, d) of the set of this name: those of a smaller N are the first of a larger.

    Raises
    ------
    ValueError, TypeError
        For a size that is not a positive integer, or a slope where there is none or one below 0.
    """
    samples = SAMPLES if n is None else positive_integer("n", n)
    units = FEATURES if d is None else positive_integer("d", d)
    rng = np.random.default_rng(child(seed, SYNTHETIC, SYNTHETICS.index(name)))
    drawn = rng.standard_normal((samples, units))
    if name == "gaussian":
        if c is not None:
            raise ValueError(f"c: expected none for gaussian, got {c!r}")
        return drawn
    drawn *= np.sqrt(variances(units, SLOPE if c is None else number("c", c, 0.0)))
    return drawn


def variances(d: int, c: float) -> NDArray[np.float64]:
    """``λ_i = d e^{-c i} / Σ_j e^{-c j}``, (d,), descending: the eigenvalues of the population's covariance."""
    found: NDArray[np.float64] = np.exp(-c * np.arange(d))
    found *= d / found.sum()
    return found
