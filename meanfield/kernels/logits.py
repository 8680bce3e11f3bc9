"""The law of the logits over random networks (theory.md §4): what the softmax metrics need beside the kernel.

At large width f_k(n) is Gaussian over networks, independently for each output k, with variance q^L and covariance
q^L_st across samples: f_k(n) = √q^L_st ζ_k + √(q^L - q^L_st) ξ_k(n), where one ζ ∈ R^C belongs to a whole network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.kernels.softmax import probabilities
from meanfield.spec import OrderParameters

__all__ = ["Ensemble", "draw_ensemble", "given_logits"]

Floats = NDArray[np.float64]

_REPLICATES = 8  # whose scatter is the error estimate
_POINTS = 32  # a replicate; a power of 2
_SAMPLES = 128  # drawn at most: beyond, their number leaves Q̄ what it is (E λ_1 moves by less than 1 % up to N = ∞)
_SEED = 20201
_LARGEST = 1e300  # a logit; below, neither sums nor differences overflow


@dataclass(frozen=True)
class Ensemble:
    """Softmax probabilities of networks: ``g``, networks × outputs × samples, in equal ``replicates`` one after the
    other. A network of N samples may be represented by fewer."""

    g: Floats
    replicates: int

    def standard_error(self, values: Floats) -> Floats:
        """Of the mean of ``values`` (networks on the first axis), from the scatter of the replicates' means."""
        if self.replicates == 1:
            return np.zeros(values.shape[1:])
        size = len(values) // self.replicates
        means = values.reshape(self.replicates, size, *values.shape[1:]).mean(axis=1)
        error: Floats = means.std(axis=0, ddof=1) / np.sqrt(self.replicates)
        return error


def given_logits(logits: Floats, centered: bool) -> Ensemble:
    """One network from its logits (N × C); ``centered`` subtracts each output's mean over the samples first.

    Raises
    ------
    ValueError
        For logits of 1e300 and more in size.
    """
    size = np.max(np.abs(logits), initial=0.0)
    if size >= _LARGEST:
        raise ValueError(f"logits: expected numbers below {_LARGEST:g} in size, got {size:g}")
    f = logits.T[None]
    return Ensemble(probabilities(f - f.mean(axis=2, keepdims=True) if centered else f), replicates=1)


def draw_ensemble(parameters: OrderParameters, outputs: int, samples: int, centered: bool) -> Ensemble:
    """Networks drawn from the law of the logits, the same for the same input.

    ζ runs over randomly shifted copies of a low-discrepancy set, ξ over a fixed stream.
    """
    from scipy.special import ndtri
    from scipy.stats import qmc

    rng = np.random.default_rng(_SEED)
    count = min(samples, _SAMPLES)
    points = qmc.Sobol(outputs, scramble=False).random(_POINTS)
    shifted = (points + rng.random((_REPLICATES, 1, outputs))) % 1.0
    common = np.sqrt(parameters.q_st[-1]) * ndtri(shifted.reshape(-1, outputs))[:, :, None]
    own = np.sqrt(parameters.q_gap[-1]) * rng.standard_normal((len(common), outputs, count))
    if centered:
        # The common part goes, and with it 1/N of the own part's variance, however few samples stand for the N.
        own = own - own.mean(axis=2, keepdims=True)
        return Ensemble(probabilities(own * np.sqrt((1 - 1 / samples) / max(1 - 1 / count, 0.5))), _REPLICATES)
    return Ensemble(probabilities(common + own), _REPLICATES)
