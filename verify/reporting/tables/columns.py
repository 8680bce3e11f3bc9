"""Kinds of columns, and the columns that several tables have."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from meanfield.spec import Metric
from verify.asking.records import Cell, Law
from verify.judging.inference import Estimate
from verify.reporting.names import STATISTIC_TITLES, VERDICT_TITLES, Named
from verify.reporting.tables.table import Column

__all__ = [
    "NEEDS", "ORDER", "VERDICT", "Kind", "Verdictable", "estimate", "kind", "metric", "network", "number",
    "samples", "whole", "width", "words",
]  # fmt: skip

T = TypeVar("T")

ALIKE = 1.1
MOST_SHOWN = 1e4  # an error so many times the value says that nothing is known


class Kind(Protocol):
    """A row, a limit or a series: which statistic of which metric of which law, against which order of theory."""

    @property
    def metric(self) -> Metric: ...
    @property
    def statistic(self) -> str: ...
    @property
    def law(self) -> Law: ...
    @property
    def order(self) -> str: ...


class Verdictable(Protocol):
    """A row or a limit."""

    @property
    def verdict(self) -> str: ...
    @property
    def trials_needed(self) -> int | None: ...


# --- kinds ---------------------------------------------------------------------------------------------------------


def words(key: str, heading: str, value: Callable[[T], object], *, uncut: bool = False) -> Column[T]:
    """Text, or what is shown by its ``str``."""
    return Column(key, heading, value, whole=uncut)


def whole(key: str, heading: str, value: Callable[[T], int]) -> Column[T]:
    """Integers."""
    return Column(key, heading, value, number=True)


def number(key: str, heading: str, value: Callable[[T], float], form: str = "{:.4g}") -> Column[T]:
    """Floats; a dash for NaN."""
    return Column(key, heading, value, lambda x: "–" if math.isnan(x) else form.format(x), number=True)


def estimate(key: str, heading: str, value: Callable[[T], Estimate]) -> Column[T]:
    """Estimates with their interval; for programs its ends, the standard error and its degrees of freedom too."""
    return Column(key, heading, value, _plus_minus, number=True, export=_parts)


def _plus_minus(e: Estimate) -> str:
    """With two significant digits of the error, within reason; both errors where they differ by more than a tenth."""
    below, above = (abs(end - e.value) for end in e.interval())
    if not above > 0:
        return "–" if math.isnan(e.value) else f"{e.value:.4g}"
    below = above if above < ALIKE * below else below
    decimals = min(6, max(0, 1 - math.floor(math.log10(below))))
    lower, upper = (f"{x:.{decimals}f}" if x < MOST_SHOWN * max(abs(e.value), below) else "∞" for x in (below, above))
    error = f"± {lower}" if lower == upper else f"-{lower} +{upper}"
    return f"{e.value:z.{decimals}f} {error}"


def _parts(e: Estimate) -> dict[str, float]:
    low, high = e.interval()
    return {"": e.value, "_se": e.standard_error, "_df": e.degrees, "_low": low, "_high": high}


# --- columns of several tables -------------------------------------------------------------------------------------


def metric(value: Callable[[T], Metric]) -> Column[T]:
    """The metric's name."""
    return words("metric", "metric", lambda one: value(one).label)


def network(names: Mapping[str, str], value: Callable[[T], Law]) -> Column[T]:
    """The law's short name; for programs its fields too."""
    return Column("network", "network", lambda one: Named(names[value(one).digest], value(one)), export=Named.parts)


def width(value: Callable[[T], Cell]) -> Column[T]:
    """The cell's width."""
    return whole("width", "M", lambda one: value(one).width)


def samples(value: Callable[[T], Cell]) -> Column[T]:
    """The cell's sample number."""
    return whole("samples", "N", lambda one: value(one).samples)


def kind(names: Mapping[str, str]) -> tuple[Column[Kind], ...]:
    """Metric, statistic and network."""
    return (
        words("metric", "metric", lambda one: one.metric.label, uncut=True),
        words("statistic", "statistic", lambda one: STATISTIC_TITLES[one.statistic]),
        network(names, lambda one: one.law),
    )


def _order(one: Kind) -> str:
    return one.order


def _verdict(one: Verdictable) -> str:
    return one.verdict


def _needed(one: Verdictable) -> int | None:
    return one.trials_needed


ORDER = words("theory", "theory", _order)
VERDICT = Column("verdict", "verdict", _verdict, lambda verdict: VERDICT_TITLES.get(verdict, ""))
NEEDS = Column("trials_needed", "more needed", _needed, lambda n: "> 10⁷" if n is None else f"{n}", number=True)
