"""How the statistics scale along a sweep: the limit of the ratio at infinite width, and exponents in M and in N.

Leading-order theory is a statement about M → ∞. At finite width measured / predicted differs from 1 (by 10-90 % at M =
100), so the theory is judged by a₀ of ``ratio(M) = a₀ + Σ_p a_p M^{-p}``. The refined theory contains the terms of
order 1/M and those of the outliers' repulsion: its ratio has 1/M² alone.

*The powers are declared, by* :func:`powers`, *before any data are seen.* At leading order the mean needs 1/M; the
second moment is worth 1/M and 1/M², because its 1/M term is large. The largest of C equal outliers needs 1/√M and 1/M:
the outliers of one network repel each other like the eigenvalues of a random C × C matrix of relative size 1/√M.
(Against the finite-width theory, C = 10, N = 100, M = 64..512: a fit in 1/M alone leaves a₀ 5-23 % too high, with 1/√M
less than 1 %.) The softmax sets them apart, and what is apart is repelled to second order only: with cross-entropy the
largest needs 1/M and 1/M².

*The weights are declared too:* trials × M, because the variance between networks is of relative order 1/M. They say
nothing about the data, so that the estimates are linear and unbiased whatever the variances are; weights from the
estimated standard errors of a few trials would favour the points whose error came out too small. Standard errors,
degrees of freedom and the goodness of fit use each point's own variance, so that a wrong guess costs power alone.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from meanfield.spec import Metric, Network
from verify.judging.inference import Estimate, combination, mean_of
from verify.judging.pairing import Observation

__all__ = ["Fit", "Series", "fit_limit", "lack_of_fit", "powers", "series"]

MINIMUM_WIDTHS = 3


def powers(statistic: str, equal_outliers: bool, order: str) -> tuple[float, ...]:
    """The declared powers p of 1/M in the ratio to the theory of this order, the first one being 0.

    ``equal_outliers``: whether theory has several of the same size, as for the squared error with more than one output.
    """
    if order == "refined":
        return (0.0, 2.0)
    if statistic in ("mean", "outliers"):
        return (0.0, 1.0)
    return (0.0, 0.5, 1.0) if statistic == "largest" and equal_outliers else (0.0, 1.0, 2.0)


@dataclass(frozen=True)
class Fit:
    """``ratio(M) = Σ_p a_p M^{-p}``: ``coefficients[i]`` belongs to ``powers[i]``, the first is a₀.

    ``goodness`` is the p-value of the lack of fit, NaN where there are no more widths than coefficients.
    """

    powers: tuple[float, ...]
    coefficients: tuple[Estimate, ...]
    goodness: float

    @property
    def limit(self) -> Estimate:
        """a₀, the ratio at infinite width."""
        return self.coefficients[0]

    def at(self, inverse_width: NDArray[np.float64]) -> NDArray[np.float64]:
        """The fitted ratio at these 1/M."""
        terms = [a.value * inverse_width**p for a, p in zip(self.coefficients, self.powers, strict=True)]
        return np.asarray(np.sum(terms, axis=0))


@dataclass(frozen=True)
class Series:
    """One statistic of one metric of one network law along widths or sample numbers, all else equal.

    ``samples`` says what the sample number does along widths: "N = 100", or "N = 0.5 M"; along sample numbers
    ``axis`` is "samples" and it says the width. ``exponent`` is fitted to the measurement, ``expected`` by the same
    formula to the theory at the same points, ``asymptotic`` is the exponent the theory states.
    """

    axis: Literal["width", "samples"]
    network: Network
    metric: Metric
    statistic: str
    held: str
    observations: tuple[Observation, ...]
    fit: Fit | None
    exponent: Estimate
    expected: float
    asymptotic: float

    @property
    def order(self) -> str:
        """Of the theory along the series: "leading" or "refined"."""
        return self.observations[0].order


def series(observations: Iterable[Observation]) -> tuple[Series, ...]:
    """All series of at least two points that have a prediction; ratio fits where ``MINIMUM_WIDTHS`` widths allow it."""
    laws: defaultdict[Any, list[Observation]] = defaultdict(list)
    for o in observations:
        if not o.reason and o.values.size:
            laws[o.cell.network.digest, o.metric, o.statistic, o.order].append(o)
    return tuple(_series(axis, held, line) for law in laws.values() for axis, held, line in _lines(law))


def _lines(law: Sequence[Observation]) -> list[tuple[Literal["width", "samples"], str, list[Observation]]]:
    """The lines of a grid of (M, N): N held, then M held; N/M held for the points that no line with N held has."""
    by_samples = _groups(law, lambda o: o.cell.samples)
    by_width = _groups(law, lambda o: o.cell.width)
    taken = {id(o) for line in by_samples.values() for o in line}
    free = [o for o in law if id(o) not in taken]
    by_ratio = _groups(free, lambda o: round(o.cell.samples / o.cell.width, 12))
    return [
        *(("width", f"N = {n}", _along(line, "width")) for n, line in by_samples.items()),
        *(("samples", f"M = {m}", _along(line, "samples")) for m, line in by_width.items()),
        *(("width", f"N = {r:g} M", _along(line, "width")) for r, line in by_ratio.items()),
    ]


def _groups(points: Sequence[Observation], held: Any) -> dict[float, list[Observation]]:
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
    measured = [mean_of(o.values) for o in line]
    fit = None
    if axis == "width":
        equal_outliers = first.metric.loss == "mse" and first.cell.network.outputs > 1
        declared = powers(first.statistic, equal_outliers, first.order)
        if len(line) >= max(MINIMUM_WIDTHS, len(declared)):
            fit = fit_limit(
                x, [e.scaled(1 / o.predicted) for e, o in zip(measured, line, strict=True)], weights, declared
            )
    slope = _least_squares(np.stack([np.ones_like(x), np.log(x)], axis=1), weights)[1]
    predicted = np.array([o.predicted for o in line])
    expected = float(slope @ np.log(predicted)) if (predicted > 0).all() else math.nan
    return Series(
        axis, first.cell.network, first.metric, first.statistic, held, tuple(line), fit,
        combination(slope, [e.log() for e in measured]), expected, _asymptotic(first, axis, held),
    )  # fmt: skip


def _asymptotic(first: Observation, axis: str, held: str) -> float:
    in_width, in_samples = first.exponents
    if axis == "samples":
        return in_samples
    return in_width + in_samples if held.endswith("M") else in_width


def fit_limit(
    widths: NDArray[np.float64], ratios: Sequence[Estimate], weights: NDArray[np.float64], powers: tuple[float, ...]
) -> Fit:
    """The weighted least-squares fit of ``Σ_p a_p M^{-p}`` with weights fixed beforehand; all arrays over widths."""
    scale = widths.min()
    design = np.stack([(scale / widths) ** p for p in powers], axis=1)
    rows = _least_squares(design, weights) * scale ** np.array(powers)[:, None]
    return Fit(powers, tuple(combination(row, ratios) for row in rows), lack_of_fit(design, weights, ratios))


def lack_of_fit(design: NDArray[np.float64], weights: NDArray[np.float64], ratios: Sequence[Estimate]) -> float:
    """The p-value of the weighted sum of squared residuals under the fitted form.

    Its null distribution is that of F with degrees of freedom by Satterthwaite's rule for unequal variances in
    numerator and denominator (Brown and Forsythe 1974, as amended by Mehrotra 1997), so it doesn't trust the weights.
    """
    points, terms = design.shape
    if points <= terms:
        return math.nan
    values = np.array([e.value for e in ratios])
    variances = np.array([e.standard_error**2 for e in ratios])
    degrees = np.array([e.degrees for e in ratios])
    form = np.diag(weights) @ (np.eye(points) - design @ _least_squares(design, weights))
    spread = form * variances
    expected = np.trace(spread)
    if not expected > 0:
        return math.nan
    numerator = expected**2 / np.trace(spread @ spread)
    denominator = expected**2 / np.sum(np.diag(spread) ** 2 / degrees)
    return float(fdtrc(numerator, denominator, max(0.0, values @ form @ values) / expected))


def _least_squares(design: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix (terms × points) that maps values to weighted least-squares coefficients."""
    root = np.sqrt(weights / weights.max())
    result: NDArray[np.float64] = np.linalg.pinv(design * root[:, None]) * root
    return result
