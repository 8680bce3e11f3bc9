"""How the statistics scale along a sweep: series along widths and sample numbers, their exponents in M and in N.

What is fitted to the ratio along the widths is in :mod:`verify.judging.extrapolation`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from meanfield.spec import LOSSES, Metric
from verify.asking.records import Law
from verify.judging.extrapolation import Fit, fit_limit, least_squares, powers
from verify.judging.inference import Estimate, combination
from verify.judging.observations import Observation

__all__ = ["Series", "series"]

MINIMUM_WIDTHS = 3


@dataclass(frozen=True)
class Series:
    """One statistic of one metric of one law along widths or sample numbers, all else equal.

    ``samples`` says what the sample number does along widths: "N = 100", or "N = 0.5 M"; along sample numbers
    ``axis`` is "samples" and it says the width. ``exponent`` is fitted to the measurement, ``expected`` by the same
    formula to the theory at the same points, ``asymptotic`` is the exponent the theory states.
    """

    axis: Literal["width", "samples"]
    law: Law
    metric: Metric
    statistic: str
    held: str
    observations: tuple[Observation, ...]
    fit: Fit | None
    exponent: Estimate
    expected: float
    asymptotic: float

    @property
    def key(self) -> tuple[str, Law, Metric, str, str, str]:
        """What it is of: there is one of each in a comparison."""
        return self.axis, self.law, self.metric, self.statistic, self.held, self.order

    @property
    def order(self) -> str:
        """Of the theory along the series: "leading" or "refined"."""
        return self.observations[0].order


def series(observations: Iterable[Observation]) -> tuple[Series, ...]:
    """All series of at least two points that have a prediction; ratio fits where ``MINIMUM_WIDTHS`` widths allow it."""
    laws: defaultdict[tuple[str, Metric, str, str], list[Observation]] = defaultdict(list)
    for o in observations:
        if not o.reason and o.values.size:
            laws[o.cell.law.digest, o.metric, o.statistic, o.order].append(o)
    return tuple(_series(axis, held, line) for law in laws.values() for axis, held, line in _lines(law))


def _lines(law: Sequence[Observation]) -> list[tuple[Literal["width", "samples"], str, list[Observation]]]:
    """The lines of a grid of (M, N): N held, then M held; N/M held for the points that no line with N held has."""
    by_samples = _groups(law, lambda o: o.cell.samples)
    by_width = _groups(law, lambda o: o.cell.width)
    taken = {o.cell for line in by_samples.values() for o in line}
    by_ratio = _groups([o for o in law if o.cell not in taken], lambda o: round(o.cell.samples / o.cell.width, 12))
    return [
        *(("width", f"N = {n}", _along(line, "width")) for n, line in by_samples.items()),
        *(("samples", f"M = {m}", _along(line, "samples")) for m, line in by_width.items()),
        *(("width", f"N = {r:g} M", _along(line, "width")) for r, line in by_ratio.items()),
    ]


def _groups(points: Sequence[Observation], held: Callable[[Observation], float]) -> dict[float, list[Observation]]:
    groups: defaultdict[float, list[Observation]] = defaultdict(list)
    for o in points:
        groups[held(o)].append(o)
    return {value: line for value, line in groups.items() if len(line) > 1}


def _along(line: list[Observation], axis: str) -> list[Observation]:
    return sorted(line, key=lambda o: getattr(o.cell, axis))


def _series(axis: Literal["width", "samples"], held: str, line: list[Observation]) -> Series:
    first = line[0]
    x = np.array([getattr(o.cell, axis) for o in line], float)
    weights = np.array([o.values.size * o.cell.width for o in line], float)
    measured = [o.measured for o in line]
    slope = least_squares(np.stack([np.ones_like(x), np.log(x)], axis=1), weights)[1]
    predicted = np.array([o.predicted for o in line])
    return Series(
        axis=axis,
        law=first.cell.law,
        metric=first.metric,
        statistic=first.statistic,
        held=held,
        observations=tuple(line),
        fit=_fit(line, x, weights) if axis == "width" else None,
        exponent=combination(slope, [e.log() for e in measured]),
        expected=float(slope @ np.log(predicted)) if (predicted > 0).all() else math.nan,
        asymptotic=_asymptotic(first, axis, held),
    )


def _fit(
    line: Sequence[Observation],
    widths: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> Fit | None:
    """The ratio extrapolated to infinite width, if there are widths enough."""
    first = line[0]
    equal_outliers = not LOSSES[first.metric.loss].of_logits and first.cell.network.outputs > 1
    declared = powers(first.statistic, equal_outliers, first.order)
    if len(line) < max(MINIMUM_WIDTHS, len(declared)):
        return None
    return fit_limit(widths, [o.ratio for o in line], weights, declared)


def _asymptotic(first: Observation, axis: str, held: str) -> float:
    in_width, in_samples = first.exponents
    if axis == "samples":
        return in_samples
    return in_width + in_samples if held.endswith("M") else in_width
