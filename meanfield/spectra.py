"""From an exchangeable kernel to its spectrum: every theorem of theory.md §3 in one piece of code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.kernels import ExchangeableKernel

__all__ = ["Spectrum", "spectrum_statistics"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Spectrum:
    """Statistics of a metric's eigenvalues; arrays over the widths and samples asked for.

    ``mean`` and ``second_moment`` are Σλ/P and Σλ²/P over all P eigenvalues; ``outlier`` is the C-fold largest one;
    ``bulk`` the mean of the other non-zero eigenvalues, of which there are ``multiplicity``.
    """

    mean: Floats
    second_moment: Floats
    outlier: Floats
    bulk: Floats
    multiplicity: Floats


def spectrum_statistics(kernel: ExchangeableKernel) -> Spectrum:
    """The spectrum of ``ν · I_C ⊗ [(K₁ - K₂) I_N + K₂ 1 1ᵀ]``: trace, squared Frobenius norm and top eigenvalue."""
    nu, n, c, p = kernel.normaliser, kernel.samples, kernel.outputs, kernel.dimension
    multiplicity = np.maximum(np.minimum(p, c * n) - c, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        bulk = nu * c * (n - 1) * kernel.gap / multiplicity
    return Spectrum(
        mean=nu * c * n * kernel.same / p,
        second_moment=nu**2 * c * n * (kernel.same**2 + (n - 1) * kernel.other**2) / p,
        outlier=nu * (kernel.same + (n - 1) * kernel.other),
        bulk=np.where(multiplicity > 0, bulk, np.nan),
        multiplicity=multiplicity,
    )
