"""The control of a report on data: isotropic Gaussian inputs of the same size."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from empirical.networks.streams import CONTROL, as_seed, child

__all__ = ["isotropic_control"]


def isotropic_control(inputs: Any, seed: int = 0) -> NDArray[np.float64]:
    """Independent Gaussian inputs (N, d) with the N, d and mean of |x|²/d of ``inputs``, that mean exactly.

    What a spectrum of the data has beyond that of its control comes from the data's geometry.

    Raises
    ------
    ValueError, TypeError
        For inputs that are no matrix of finite numbers, or a seed that is no integer of at least 0.
    """
    try:
        x = np.asarray(inputs, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"inputs: expected an array of numbers, got {type(inputs).__name__}") from None
    if x.ndim != 2 or x.size == 0 or not np.isfinite(x).all():
        raise ValueError(f"inputs: expected finite numbers (N, d), got shape {x.shape}")
    drawn = np.random.default_rng(child(as_seed(seed), CONTROL, 0)).standard_normal(x.shape)
    drawn *= np.sqrt(np.mean(x**2) / np.mean(drawn**2))
    return drawn
