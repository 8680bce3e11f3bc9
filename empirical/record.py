"""What a measurement says."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from meanfield.spec import CriticalRate, Metric, OrderParameters, critical_learning_rates, own_rate, rate_tables
from meanfield.text import Table, Tabled, applying, column_table, plain_record

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


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Measurement(Tabled, Statistics):
    """One metric of one network: its :class:`Statistics`, and where they come from.

    Attributes
    ----------
    order_parameters
        Those of this network.
    width, samples, outputs
        M (``None`` for a module, which has no single one), N and C.
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
    outputs: int
    seed: int | SeedSequence | None
    spectrum: Extent
    seconds: float
    provenance: dict[str, Any] = field(repr=False)

    @property
    def critical_learning_rates(self) -> dict[str, CriticalRate]:
        """Up to which learning rate gradient descent is stable, for each of :data:`meanfield.spec.TRAINING_LOSSES` of
        which this metric's λ_max tells. Empty for a block, a centred metric and that of the inputs; NaN for "moments".
        """
        largest = {self.metric.loss: np.asarray(self.largest)}
        return critical_learning_rates(self.metric, largest, self.samples, self.outputs)

    @property
    def critical_learning_rate(self) -> float | None:
        """That of the metric's own loss: for "mse" (1/2N) Σ |f - y|², of which that of ``torch.nn.MSELoss`` is C/2
        times; for "cross_entropy" the mean of ``-log softmax(f)_y``. ``None`` where gradient descent feels none."""
        rate = own_rate(self.metric, self.critical_learning_rates)
        return None if rate is None else float(rate)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why there is a NaN where one would look for a number."""
        unknown = [name for name in OrderParameters.NAMES if np.isnan(getattr(self.order_parameters, name)).any()]
        alone = [name for name in unknown if name.endswith("_st")] if self.samples == 1 else []
        without = [name for name in unknown if name not in alone]
        reasons = {
            "largest, outliers, bulk_largest, learning rates: not in spectrum='moments'; 'extremes' has them": (
                self.spectrum == "moments"
            ),
            "bulk_largest: NaN, every eigenvalue is an outlier": (
                self.spectrum != "moments" and math.isnan(self.bulk_largest)
            ),
            "vectors: NaN where an eigenvalue isn't above floor": (
                self.vectors is not None and bool(np.isnan(self.vectors).any())
            ),
            f"order_parameters: NaN in {', '.join(alone)}, one sample has no pairs": bool(alone),
            f"order_parameters: NaN in {', '.join(without)} of layers that have no such signal": bool(without),
        }
        return applying(reasons)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready plain data: arrays as lists, NaN and infinity as ``None``; the seed is in ``provenance``."""
        records = {"metric": self.metric.to_dict(), "order_parameters": self.order_parameters.to_dict()}
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "seed"}
        rates = {name: rate.to_dict() for name, rate in self.critical_learning_rates.items()}
        more = {"critical_learning_rates": rates, "warnings": self.warnings}
        return {**plain_record({**values, **records, **more}), "provenance": self.provenance}

    __repr__ = Tabled.__str__

    def _tables(self) -> Iterable[Table]:
        names = ("samples", "outputs", "mean", "second_moment", "largest", "bulk_largest", "dimension")
        yield column_table(f"{self.metric.label}, measured", {name: getattr(self, name) for name in names})
        yield from rate_tables(self.critical_learning_rates)

    def _notes(self) -> Iterable[str]:
        return [f"warning: {w}" for w in self.warnings]
