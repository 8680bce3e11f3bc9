"""The limit of measured / predicted at infinite width: declared powers of 1/M and weights, a fit, its lack.

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
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from verify.judging.inference import Estimate, combination

__all__ = ["Fit", "fit_limit", "lack_of_fit", "least_squares", "powers"]


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


def fit_limit(
    widths: NDArray[np.float64], ratios: Sequence[Estimate], weights: NDArray[np.float64], powers: tuple[float, ...]
) -> Fit:
    """The weighted least-squares fit of ``Σ_p a_p M^{-p}`` with weights fixed beforehand; all arrays over widths."""
    scale = widths.min()
    design = np.stack([(scale / widths) ** p for p in powers], axis=1)
    rows = least_squares(design, weights) * scale ** np.array(powers)[:, None]
    return Fit(
        powers=powers,
        coefficients=tuple(combination(row, ratios) for row in rows),
        goodness=lack_of_fit(design, weights, ratios),
    )


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
    form = np.diag(weights) @ (np.eye(points) - design @ least_squares(design, weights))
    spread = form * variances
    expected = np.trace(spread)
    if not expected > 0:
        return math.nan
    numerator = expected**2 / np.trace(spread @ spread)
    denominator = expected**2 / np.sum(np.diag(spread) ** 2 / degrees)
    return float(fdtrc(numerator, denominator, max(0.0, values @ form @ values) / expected))


def least_squares(design: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix (terms × points) that maps values to weighted least-squares coefficients."""
    root = np.sqrt(weights / weights.max())
    result: NDArray[np.float64] = np.linalg.pinv(design * root[:, None]) * root
    return result
