"""What ``predict`` answers: numbers with their assumptions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.prediction.intervals import interval
from meanfield.spec import Metric, Network, OrderParameters
from meanfield.text import format_table, html_table, plain, power

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
    exponents in M (at fixed N) and in N (at fixed M). ``critical_learning_rate`` is the local stability edge of
    gradient descent on ``(1/2N) Σ |f - y|²``: 2/λ_max of the FIM, 2N/λ_max of the NTK, ``None`` for other metrics and
    losses. ``condition_number`` is λ_max over the smallest eigenvalue of the whole NTK, M → ∞ at fixed N; ``None`` for
    others and at the refined order. ``bounds`` are those of Theorem 3.3 on the largest, for "cross_entropy". ``error``
    estimates the relative numerical error. Equations: theory.md §3, §4.

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
    critical_learning_rate: Floats | None
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

    def to_dict(self) -> dict[str, object]:
        """The prediction as JSON-ready plain data; NaN becomes ``None``."""
        arrays = ("width", "samples", "dimension", "mean", "second_moment", "largest", "outliers")
        optional = ("critical_learning_rate", "condition_number", "std", "bounds")
        record = {
            "network": self.network.to_dict(),
            "metric": self.metric.to_dict(),
            "order": self.order,
            **{name: getattr(self, name) for name in arrays},
            "bulk": {"mean": self.bulk[0], "multiplicity": self.bulk[1]},
            "exponents": {k: {"width": m, "samples": n} for k, (m, n) in self.exponents.items()},
            **{name: getattr(self, name) for name in optional},
            "interval": self.interval(),
            "validity": None if self.validity is None else vars(self.validity),
            "error": self.error,
            "assumptions": self.assumptions,
            "warnings": self.warnings,
        }
        return {name: plain(value) for name, value in record.items()}

    def to_frame(self) -> pandas.DataFrame:
        """One row for each width and sample number. Needs pandas."""
        import pandas

        names = ("width", "samples", "dimension", "mean", "second_moment", "largest")
        columns = {name: getattr(self, name) for name in names} | {"bulk": self.bulk[0]}
        columns |= {f"outlier_{k + 1}": self.outliers[..., k] for k in range(self.outliers.shape[-1])}
        return pandas.DataFrame({name: np.ravel(values) for name, values in columns.items()})

    def __str__(self) -> str:
        spreads = [] if self.networks is None else [format_table(*self._spread_rows())]
        exponents = ", ".join(f"{k} M^{power(m)} N^{power(n)}" for k, (m, n) in self.exponents.items())
        notes = [f"exponents: {exponents}", *(f"warning: {w}" for w in self.warnings)]
        return "\n".join([self._title, format_table(*self._rows()), *spreads, *notes])

    def _repr_html_(self) -> str:
        return html_table(self._title, *self._rows(), [f"warning: {w}" for w in self.warnings])

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
        return list(columns), _spelled(columns.values())

    def _spread_rows(self) -> tuple[list[str], list[list[str]]]:
        """Header, and a row for each statistic, width and sample number: its mean over networks, their standard
        deviation and the interval in which 95 % of them lie. For a prediction that knows the law over networks."""
        std, interval = self.std or {}, self.interval() or {}
        rows = []
        for name in ("mean", "second_moment", "largest"):
            ends = interval[name][..., 0], interval[name][..., 1]
            columns = (self.width, self.samples, getattr(self, name), std[name], *ends)
            rows += [[name, *row] for row in _spelled(columns)]
        return ["over networks", "width", "samples", "mean", "std", "from", "to (95 %)"], rows


def _spelled(columns: Iterable[ArrayLike]) -> list[list[str]]:
    """One row of words for each place of the columns' arrays."""
    rows = zip(*map(np.ravel, columns), strict=True)
    return [[f"{x:.5g}" if isinstance(x, np.floating) else str(x) for x in row] for row in rows]
