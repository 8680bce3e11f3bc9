"""What a measurement says."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from meanfield.spec import Metric, OrderParameters
from meanfield.text import plain

__all__ = ["Extent", "Measurement", "Statistics"]

Extent = Literal["moments", "extremes", "full"]
"""How much of a spectrum is asked for."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Statistics:
    """The spectrum of one metric. λ are the metric's eigenvalues; P is ``dimension``.

    Attributes
    ----------
    mean, second_moment
        ``Σλ / P`` and ``Σλ² / P`` (theory.md §3).
    mean_error, second_moment_error
        Their standard errors: 0 where they are exact, as they are unless ``provenance["plan"]["route"]`` says "probes".
    largest
        The largest eigenvalue; NaN for ``spectrum="moments"``.
    outliers
        Descending: the C largest eigenvalues; C - 1 for cross-entropy; none for a centred metric (theory.md §3, §4) and
        none for ``spectrum="moments"``.
    bulk_largest
        The largest eigenvalue that is not counted as an outlier; NaN for ``"moments"`` and where there is none.
    eigenvalues
        For ``spectrum="full"`` the non-zero eigenvalues, descending (those up to ``floor`` are zero), else ``None``.
    vectors
        Where asked for, unit eigenvectors of the outliers as rows (count, P): in parameter space (FIM: each W^l row by
        row, then b^l), in feature space (h^0..h^{L-1}), or output-major over (k, n) for the NTK. NaN where the
        eigenvalue isn't above ``floor``.
    residual
        The largest ‖Gv - λv‖ of the eigenpairs found, relative to λ_max: 0 where LAPACK found them, NaN for "moments".
    floor
        The size below which an eigenvalue can't be told from 0: :func:`empirical.dual.eigen.floor`.
    dimension
        P, the divisor of the moments: counted from the arrays made.
    """

    metric: Metric
    mean: float
    second_moment: float
    mean_error: float
    second_moment_error: float
    largest: float
    outliers: NDArray[np.float64]
    bulk_largest: float
    eigenvalues: NDArray[np.float64] | None
    vectors: NDArray[np.float64] | None
    residual: float
    floor: float
    dimension: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Measurement(Statistics):
    """One metric of one network: its :class:`Statistics`, and where they come from.

    Attributes
    ----------
    order_parameters
        Those of this network.
    width, samples
        M (``None`` for a module, which has no single one) and N.
    seed
        As it was given (``None`` for a module).
    spectrum
        As it was asked for.
    seconds
        Wall time of the call that made it, all metrics together.
    provenance
        Backend, device, dtype, versions, threads, seed, hash of the measuring code, plan, seconds. JSON-ready.
    """

    order_parameters: OrderParameters
    width: int | None
    samples: int
    seed: int | SeedSequence | None
    spectrum: Extent
    seconds: float
    provenance: dict[str, Any] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready plain data: arrays as lists, NaN and infinity as ``None``; the seed is in ``provenance``."""
        records = {"metric": self.metric.to_dict(), "order_parameters": self.order_parameters.to_dict()}
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "seed"}
        return {**plain({**values, **records}), "provenance": self.provenance}
