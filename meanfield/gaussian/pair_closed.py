"""Derived closed forms of E[φ(u)φ(v)] and E[φ'(u)φ'(v)] for unequal variances, with their rounding error.

Written in q_s, q_t, b and the determinant D = q_s q_t - b², which is known to its last digits: nothing then cancels at
|ρ| → 1. Beside a value its magnitude is compiled, as in :mod:`meanfield.gaussian.closed`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from meanfield.gaussian.closed import numerical
from meanfield.spec.activations import Activation

__all__ = ["PairForm", "closed_pair"]

Floats = NDArray[np.float64]
PairForm = Callable[[Floats, Floats, Floats, Floats], tuple[Floats, Floats]]
"""(q_s, q_t, b, D) → value, absolute error; NaN and infinite where it overflows."""


@functools.lru_cache(maxsize=256)
def closed_pair(activation: Activation, order: int) -> PairForm | None:
    """That of φ (``order`` 0) or φ' (1); ``None`` where there is no closed form."""
    from meanfield.symbolic.derivation import derive, q_s, q_t
    from meanfield.symbolic.stable import D, b, stable_pair

    d = derive(activation)
    expression = (d.pair, d.pair_backward)[order]
    return None if expression is None else numerical((q_s, q_t, b, D), stable_pair(expression))
