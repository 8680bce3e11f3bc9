"""What ``predict`` answers: numbers with their assumptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from meanfield.prediction.intervals import interval
from meanfield.spec import CriticalRate, Metric, Network, OrderParameters, own_rate, rate_table
from meanfield.text import Json, format_table, html_table, plain_record, power, spelled_rows

if TYPE_CHECKING:
    import pandas

    from meanfield.finite_width.validity import Validity

__all__ = ["Prediction"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Prediction:
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
    validity: Validity | None = None
    assumptions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=())

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

    def interval(self, level: float = 0.95, networks: int = 1) -> dict[str, Floats] | None:
        """Where the mean of so many networks lies with probability ``level``: arrays (..., 2); ``None`` if unknown.

        Quantiles of the law for one network, the normal approximation for more.

        Raises
        ------
        ValueError, TypeError
            If ``level`` is not between 0 and 1 or ``networks`` no positive integer.
        """
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
            "interval": self.interval(),
            "validity": None if self.validity is None else vars(self.validity),
            "error": self.error,
            "assumptions": self.assumptions,
            "warnings": self.warnings,
        }
        return plain_record(record)

    def to_frame(self) -> pandas.DataFrame:
        """One row for each width and sample number. Needs pandas."""
        import pandas

        names = ("width", "samples", "dimension", "mean", "second_moment", "largest")
        columns = {name: getattr(self, name) for name in names} | {"bulk": self.bulk[0]}
        columns |= {f"outlier_{k + 1}": self.outliers[..., k] for k in range(self.outliers.shape[-1])}
        return pandas.DataFrame({name: np.ravel(values) for name, values in columns.items()})

    def __str__(self) -> str:
        spreads = [] if self.networks is None else [format_table(*self._spread_rows())]
        spreads += [format_table(*rates)] if (rates := self._rates())[1] else []
        exponents = ", ".join(f"{k} M^{power(m)} N^{power(n)}" for k, (m, n) in self.exponents.items())
        notes = [f"exponents: {exponents}", *(f"warning: {w}" for w in self.warnings)]
        return "\n".join([self._title, format_table(*self._rows()), *spreads, *notes])

    def _repr_html_(self) -> str:
        tables = [html_table(self._title, *self._rows(), [f"warning: {w}" for w in self.warnings])]
        tables += [html_table("", *self._spread_rows(), [])] if self.networks is not None else []
        tables += [html_table("", *rates, [])] if (rates := self._rates())[1] else []
        return "".join(tables)

    def _rates(self) -> tuple[list[str], list[list[str]]]:
        return rate_table(self.critical_learning_rates, width=self.width, samples=self.samples)

    @property
    def _title(self) -> str:
        return f"{self.metric.label}, {self.order} order"

    def _rows(self) -> tuple[list[str], list[list[str]]]:
        """Header, and one row of numbers for each width and sample number."""
        outlying = np.sum(np.isfinite(self.outliers), axis=-1)
        columns = {
            **{name: getattr(self, name) for name in ("width", "samples", "mean", "second_moment", "largest")},
            "outliers": outlying,
            "bulk": self.bulk[0],
            "dimension": self.dimension,
        }
        return list(columns), spelled_rows(columns.values())

    def _spread_rows(self) -> tuple[list[str], list[list[str]]]:
        """Header, and a row for each statistic, width and sample number: its mean over networks, their standard
        deviation and the interval in which 95 % of them lie. For a prediction that knows the law over networks."""
        std, interval = self.std or {}, self.interval() or {}
        rows = []
        for name in ("mean", "second_moment", "largest"):
            ends = interval[name][..., 0], interval[name][..., 1]
            columns = (self.width, self.samples, getattr(self, name), std[name], *ends)
            rows += [[name, *row] for row in spelled_rows(columns)]
        return ["over networks", "width", "samples", "mean", "std", "from", "to (95 %)"], rows
