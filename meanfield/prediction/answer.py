"""What ``predict`` answers: numbers with their assumptions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.prediction.intervals import interval
from meanfield.spec import CriticalRate, Metric, Network, OrderParameters, own_rate, rate_tables
from meanfield.text import Json, Table, Tabled, column_table, plain_record, power

if TYPE_CHECKING:
    import pandas

    from meanfield.finite_width.given_validity import GivenValidity
    from meanfield.finite_width.validity import Validity
    from meanfield.information.sloppy import Sloppiness
    from meanfield.kernels.matrix import GivenKernel

__all__ = ["Prediction"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Prediction(Tabled):
    """What theory says of one metric of one network, to leading order in the width or refined by 1/M.

    Arrays have the broadcast shape of ``width`` and ``samples`` (numbers are 0-dimensional); ``outliers`` has one more
    axis, descending: C of them for "mse", C - 1 for "cross_entropy", none where ``centered``. NaN means that the theory
    is void there; ``warnings`` says why.

    ``mean`` and ``second_moment`` are Σλ/P and Σλ²/P with P = ``dimension``. ``bulk`` is the mean of the non-zero
    eigenvalues that are no outliers, and their number. ``exponents`` gives, for each statistic, its asymptotic
    exponents in M (at fixed N) and in N (at fixed M). ``critical_learning_rates`` has, for each loss of
    :data:`meanfield.spec.TRAINING_LOSSES` that the metric bears on, up to which learning rate gradient descent is
    stable: "half_squared_error" (1/2N) Σ |f - y|² and "MSELoss" (1/NC) Σ |f - y|², "CrossEntropyLoss" (the edge, from a
    metric with loss="cross_entropy") and "CrossEntropyLoss (guaranteed)"; it is empty for a block, a centred metric and
    that of the inputs. ``condition_number`` is λ_max over the smallest eigenvalue of the whole NTK, M → ∞ at fixed N;
    ``None`` for others and at the refined order. ``bounds`` are those of Theorem 3.3 on the largest, for
    "cross_entropy". ``error`` estimates the relative numerical error. Equations: theory.md §3, §4.

    ``std`` is the spread over networks of each statistic, where the theory gives one (``None`` otherwise): at the
    refined order, and at leading order for "cross_entropy" without logits. ``networks`` holds the law behind it, one
    network a row (with more than 28 outputs fewer rows of outliers than of mean and second moment). At the refined
    order statistics are means over networks, and ``validity`` says where they hold, with the numbers behind the verdict
    (``None`` at leading order); outliers that don't are NaN, and all is where the moments lost their digits.

    On given inputs ``eigenvalues`` (..., N) are all of them, descending and ``multiplicity``-fold each (C-fold for
    "mse"; for "cross_entropy" the (C - 1) N non-zero ones), of which ``resolved`` stand above N ε λ_1 and the kernel's
    numerical error, and ``kernel`` is the matrix behind them (at one width); elsewhere all three are ``None``. At the
    refined order they are means over networks of the mean of the C eigenvalues of one index, whose law ``networks``,
    ``std`` and ``interval`` have under the same name.
    """

    network: Network
    metric: Metric
    width: Integers
    samples: Integers
    mean: Floats
    second_moment: Floats
    largest: Floats
    outliers: Floats
    bulk: tuple[Floats, Integers]
    dimension: Integers
    exponents: Mapping[str, tuple[float, float]]
    critical_learning_rates: Mapping[str, CriticalRate]
    condition_number: Floats | None
    order_parameters: OrderParameters
    error: float
    order: str = "leading"
    bounds: tuple[Floats, Floats] | None = None
    networks: Mapping[str, Floats] | None = field(default=None, repr=False)
    validity: Validity | GivenValidity | None = None
    assumptions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=())
    eigenvalues: Floats | None = field(default=None, repr=False)
    multiplicity: int = 1
    resolved: Integers | None = None
    kernel: GivenKernel | None = field(default=None, repr=False)

    @property
    def eigenvectors(self) -> Floats:
        """On given inputs at one width, for "mse": unit eigenvectors over the samples, (N, N), columns as
        ``eigenvalues``; each belongs to all C outputs. Raises ``ValueError`` elsewhere."""
        if self.kernel is None or self.metric.loss != "mse":
            raise ValueError("eigenvectors: expected a prediction with inputs=X at one width for mse, got another")
        return self.kernel.eigenvectors

    @property
    def sloppiness(self) -> Sloppiness:
        """Of all eigenvalues, each ``multiplicity``-fold: :func:`meanfield.information.sloppiness`. Raises
        ``ValueError`` where they are not known, or at several widths."""
        from meanfield.information.sloppy import sloppiness

        if self.eigenvalues is None or self.eigenvalues.ndim != 1:
            raise ValueError(
                "sloppiness: expected a prediction with inputs=X at one width, got none of its eigenvalues"
            )
        floor = self.kernel.floor if self.kernel is not None else 0.0
        return sloppiness(np.repeat(self.eigenvalues, self.multiplicity), floor=floor)

    @property
    def critical_learning_rate(self) -> Floats | None:
        """The edge of the metric's own loss: for "mse", ``(1/2N) Σ |f - y|²``, 2/λ_max of the FIM and 2N/λ_max of the
        NTK; for "cross_entropy", the mean of ``-log softmax(f)_y``. ``None`` where gradient descent feels no metric.
        Of ``torch.nn.MSELoss`` it is C/2 times that: see ``critical_learning_rates``."""
        return own_rate(self.metric, self.critical_learning_rates)

    @property
    def std(self) -> dict[str, Floats] | None:
        """Standard deviation over networks of mean, second_moment, largest and outliers; ``None`` if unknown."""
        if self.networks is None:
            return None
        return {name: values.std(axis=0, ddof=1)[()] for name, values in self.networks.items()}

    def interval(self, level: float = 0.95, networks: int = 1) -> dict[str, Floats]:
        """Where the mean of so many networks lies with probability ``level``: arrays (..., 2).

        Quantiles of the law for one network, the normal approximation for more.

        Raises
        ------
        ValueError, TypeError
            If the theory gives no spread over networks (``std`` is ``None``), ``level`` is not between 0 and 1, or
            ``networks`` is no positive integer.
        """
        if self.networks is None:
            given = "one network's logits" if self.order == "leading" and self.metric.loss != "mse" else "no spread"
            raise ValueError(f"interval: expected a prediction with a law over networks (order='refined'), got {given}")
        return interval(self.networks, level, networks)

    def to_dict(self) -> dict[str, Json]:
        """The prediction as JSON-ready plain data; NaN becomes ``None``."""
        arrays = ("width", "samples", "dimension", "mean", "second_moment", "largest", "outliers")
        optional = ("critical_learning_rate", "condition_number", "std", "bounds")
        rates = {name: rate.to_dict() for name, rate in self.critical_learning_rates.items()}
        record = {
            "network": self.network.to_dict(),
            "metric": self.metric.to_dict(),
            "order": self.order,
            **{name: getattr(self, name) for name in arrays},
            "bulk": {"mean": self.bulk[0], "multiplicity": self.bulk[1]},
            "exponents": {k: {"width": m, "samples": n} for k, (m, n) in self.exponents.items()},
            **{name: getattr(self, name) for name in optional},
            "critical_learning_rates": rates,
            "interval": None if self.networks is None else self.interval(),
            "validity": None if self.validity is None else vars(self.validity),
            "eigenvalues": self.eigenvalues,
            "multiplicity": self.multiplicity,
            "resolved": self.resolved,
            "error": self.error,
            "assumptions": self.assumptions,
            "warnings": self.warnings,
        }
        return plain_record(record)

    def to_frame(self) -> pandas.DataFrame:
        """One row for each width and sample number, with the network, the standard deviations and 95 % intervals over
        networks where they are known (``mean_std``, ``mean_low``, ``mean_high`` …), and the critical learning rates by
        loss (``learning_rate_MSELoss`` …). Needs pandas."""
        import pandas

        names = ("width", "samples", "dimension", "mean", "second_moment", "largest")
        columns: dict[str, ArrayLike] = {**self.network.fields(), "metric": self.metric.label, "order": self.order}
        columns |= {name: getattr(self, name) for name in names} | {"bulk": self.bulk[0]}
        columns |= {f"outlier_{k + 1}": self.outliers[..., k] for k in range(self.outliers.shape[-1])}
        if self.networks is not None:
            std, interval = self.std or {}, self.interval()
            for name in ("mean", "second_moment", "largest"):
                columns |= {f"{name}_std": std[name], f"{name}_low": interval[name][..., 0]}
                columns |= {f"{name}_high": interval[name][..., 1]}
        columns |= {f"learning_rate_{name}": rate.value for name, rate in self.critical_learning_rates.items()}
        columns |= {"error": self.error, "warnings": "; ".join(self.warnings)}
        arrays = np.broadcast_arrays(*columns.values())
        return pandas.DataFrame({name: x.ravel() for name, x in zip(columns, arrays, strict=True)})

    def _tables(self) -> Iterable[Table]:
        names = ("width", "samples", "mean", "second_moment", "largest")
        outlying = np.sum(np.isfinite(self.outliers), axis=-1)
        columns = {name: getattr(self, name) for name in names}
        columns |= {"outliers": outlying, "bulk": self.bulk[0], "dimension": self.dimension}
        yield column_table(f"{self.metric.label}, {self.order} order", columns)
        if self.networks is not None:
            yield self._spread_table()
        if self.eigenvalues is not None and self.eigenvalues.ndim == 1:
            yield self._eigenvalue_table(self.eigenvalues)
        yield from rate_tables(self.critical_learning_rates, width=self.width, samples=self.samples)

    def _eigenvalue_table(self, values: Floats) -> Table:
        """At a few ranks."""
        ranks = np.unique(np.round(np.geomspace(1, len(values), min(len(values), 12))).astype(np.int64))
        times = f", each {self.multiplicity} times" if self.multiplicity > 1 else ""
        known = f", {self.resolved} of them resolved" if self.resolved is not None else ""
        return column_table(f"{len(values)} eigenvalues{times}{known}", {"rank": ranks, "value": values[ranks - 1]})

    def _notes(self) -> Iterable[str]:
        exponents = ", ".join(f"{k} M^{power(m)} N^{power(n)}" for k, (m, n) in self.exponents.items())
        notes = [f"exponents: {exponents}"]
        if self.order == "leading" and self.critical_learning_rates and self.networks is None:
            notes += ["learning rates: to leading order; most networks' λ_max is larger (order='refined' tells)"]
        return [*notes, *(f"warning: {w}" for w in self.warnings)]

    def _spread_table(self) -> Table:
        """A row for each statistic, width and sample number: its mean over networks, their standard deviation and the
        interval in which 95 % of them lie."""
        std, interval = self.std or {}, self.interval()
        parts = [
            {
                "over networks": name, "width": self.width, "samples": self.samples, "mean": getattr(self, name),
                "std": std[name], "from": interval[name][..., 0], "to (95 %)": interval[name][..., 1],
            }
            for name in ("mean", "second_moment", "largest")
        ]  # fmt: skip
        return column_table("", *parts)
