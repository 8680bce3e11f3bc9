"""What theory asks of the inputs: their exchangeable Gram matrix H^0(s,t) = x_s·x_t/M_0."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["GAUSSIAN", "Inputs", "as_inputs"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_EQUAL = 1e-6  # relative differences that norms of given inputs may have


@dataclass(frozen=True)
class Inputs:
    """``norm`` is H^0(s,s) and ``overlap`` H^0(s,t), on average over pairs. ``random``: i.i.d. Gaussian inputs, drawn
    with each network. ``deviations``: what given overlaps (N × N) differ from their average by; 0 on the diagonal."""

    norm: float = 1.0
    overlap: float = 0.0
    random: bool = True
    deviations: Floats | None = dataclasses.field(default=None, compare=False)


GAUSSIAN = Inputs()


def as_inputs(data: str | ArrayLike | None, samples: Integers, field: str = "inputs") -> Inputs:
    """``"gaussian"``; ``"fixed"``, given inputs that are orthogonal and of norm² M_0; or the Gram matrix X Xᵀ/M_0 of
    given inputs of equal norms, for N samples everywhere.

    Raises
    ------
    ValueError, TypeError
        For anything else, for unequal norms, and for inputs that are opposite or equal on average.
    """
    if isinstance(data, str):
        if data not in ("gaussian", "fixed"):
            raise ValueError(
                f"{field}: expected gaussian, fixed or the inputs themselves (read_inputs of meanfield.reading reads "
                f"them), got {data!r}"
            )
        return Inputs(random=data == "gaussian")
    try:
        gram = np.asarray(data, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{field}: expected gaussian, fixed or a Gram matrix, got {type(data).__name__}") from None
    if gram.ndim != 2 or gram.shape[0] != gram.shape[1] or np.any(samples != len(gram)):
        raise ValueError(f"{field}: expected a Gram matrix (samples, samples), got the shape {gram.shape}")
    norms = np.diagonal(gram)
    norm, others = float(norms.mean()), ~np.eye(len(gram), dtype=bool)
    if not (np.all(np.isfinite(gram)) and norm > 0 and np.ptp(norms) <= _EQUAL * norm and np.allclose(gram, gram.T)):
        raise ValueError(
            f"{field}: expected a symmetric Gram matrix with equal norms, got {norms.min():g}..{norms.max():g}"
        )
    overlap = float(gram[others].mean()) if len(gram) > 1 else 0.0
    if not -1e-12 * norm <= overlap < norm:
        raise ValueError(f"{field}: expected a mean overlap from 0 to below the norm {norm:g}, got {overlap:g}")
    return Inputs(norm, max(overlap, 0.0), False, np.where(others, gram - overlap, 0.0))
