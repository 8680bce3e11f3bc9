"""Mean overlaps of samples: what the measured order parameters are made of."""

from __future__ import annotations

import math

from empirical.backends.base import Array, Backend

__all__ = ["Sums"]


class Sums:
    """``Σ |x_n|²`` and ``Σ x_n`` over samples: enough for the mean overlap of equal and of different samples."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._same: Array = 0.0
        self._total: Array = 0.0
        self._leading = 1

    def add(self, x: Array, samples: int) -> Sums:
        """Add x (..., n, m); one row may stand for all the samples."""
        xp, repeats = self._backend.xp, float(samples // x.shape[-2])
        self._same = self._same + xp.sum(xp.linalg.vecdot(x, x)) * repeats
        self._total = self._total + xp.sum(x, axis=-2) * repeats
        self._leading = math.prod(x.shape[:-2])
        return self

    def overlaps(self, samples: int) -> Array:
        """``[mean_n x_n·x_n, mean_{n≠m} x_n·x_m]``, averaged over leading axes; NaN for the second if N = 1."""
        xp = self._backend.xp
        cross = xp.sum(self._total * self._total) - self._same
        pairs = samples * (samples - 1) or math.nan
        return xp.stack([self._same / float(samples * self._leading), cross / float(pairs * self._leading)])
