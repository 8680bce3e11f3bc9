"""Gradient and Hessian of a layer's pair functions, by Price's theorem.

``F(q_ss, q_tt, q_st) = E[φ(u_s) φ(u_t)]`` and ``χ``, the same of φ', have derivatives that are expectations again:
``∂/∂q_st`` is ``E ∂_s ∂_t`` and ``∂/∂q_ss`` is ``½ E ∂_s²``. So all of them are ``E[A_j A_k]``, where A_k is the mean
of the k-th derivative of φ given what two samples share: see :mod:`meanfield.finite_width.factor_moments`, which needs
no derivative of φ' for it, so that kinks are no special case.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["PairFunction", "pair_function"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PairFunction:
    """A function of a pair of samples and its derivatives, at the exchangeable point.

    The first axis is the kind of pair: one sample with itself (a function of q_ss alone, entry 0) or two samples (of
    q_ss, q_tt, q_st).
    """

    value: Floats  # (2,)
    gradient: Floats  # (2, 3)
    hessian: Floats  # (2, 3, 3)


def pair_function(products: Floats, squares: Floats, order: int) -> PairFunction:
    """F (``order=0``) or χ (``order=1``) from ``products[j, k] = E[A_j A_k]`` and from ``squares[order]``: value, first
    and second derivative of ``E[φ²]``, ``E[φ'²]`` with respect to the variance."""
    a = products[order:, order:]
    same, first, second = squares[order]
    gradient = np.array([[first, 0, 0], [a[2, 0] / 2, a[2, 0] / 2, a[1, 1]]])
    hessian = np.zeros((2, 3, 3))
    hessian[0, 0, 0] = second
    hessian[1] = [
        [a[4, 0] / 4, a[2, 2] / 4, a[3, 1] / 2],
        [a[2, 2] / 4, a[4, 0] / 4, a[3, 1] / 2],
        [a[3, 1] / 2, a[3, 1] / 2, a[2, 2]],
    ]
    return PairFunction(np.array([same, a[0, 0]]), gradient, hessian)
