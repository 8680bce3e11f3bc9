"""The union-of-products law: from the covariance spectrum of Gaussian-like data to a dot-product kernel's spectrum.

With K(ρ) = Σ g_k ρ^k and the covariance's eigenvalues p_1 >= p_2 >= … (Σ p = 1), the eigenvalues of K/N are, in wide
data, those of all multi-indices α (data_geometry §C):

    g_|α| · |α|!/α! · Π_i p_i^α_i

Degree 0 is the outlier, degree 1 a copy of the data's spectrum, degree 2 all products of two, and so on. The weights of
a degree k sum to g_k, those of all to K₁.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.information.series import KernelSeries
from meanfield.spec.checks import positive_integer
from meanfield.text import Table, Tabled, applying, column_table

__all__ = ["ProductSpectrum", "product_spectrum"]

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Word: TypeAlias = tuple[int, ...]

_ROUNDING = 1e-14  # of a sum of coefficients


@dataclass(frozen=True)
class ProductSpectrum(Tabled):
    """The largest eigenvalues of K/N by the union-of-products law, descending. Every output has them once.

    Attributes
    ----------
    eigenvalues
        Of K/N: those of a FIM or an input metric (ν = 1/N); times N those of an NTK.
    words
        The directions that each multiplies, in the order given, ascending and repeated by their exponents: ``()`` for
        degree 0, ``(0, 0, 3)`` for α_0 = 2, α_3 = 1.
    copied
        How many of the data's eigenvalues g_1 p_i stand above all products of two and more.
    noise
        The sum of all smaller eigenvalues over N, which a sample of N spreads evenly over all directions, so that each
        of its eigenvalues is lifted by it, to first order; 0 where N is not given. Beyond that order, m equal ones
        spread in a sample, at most by about 2√(m/N) of themselves each way (Marchenko–Pastur).
    resolved
        How many, from the top, stand above their noise: isotropic data need N > d²/2 to show degree 2. All of them
        where N is not given.
    warnings
        Where the law fails.
    """

    eigenvalues: Floats
    words: tuple[Word, ...]
    copied: int
    noise: Floats
    resolved: int
    warnings: tuple[str, ...] = ()

    @property
    def in_sample(self) -> Floats:
        """What a sample of N shows: the law's eigenvalues with their noise."""
        return self.eigenvalues + self.noise

    @property
    def degrees(self) -> Integers:
        """|α| of each."""
        return np.array([len(word) for word in self.words], dtype=np.int64)

    @property
    def takeover(self) -> int:
        """The first place, from 0, that a product of two or more holds; how many there are if none does."""
        above = np.flatnonzero(self.degrees > 1)
        return int(above[0]) if len(above) else len(self.words)

    def _tables(self) -> Iterable[Table]:
        words = [" ".join(map(str, word)) for word in self.words]
        columns = {"": np.arange(len(words)), "eigenvalue": self.eigenvalues, "in a sample": self.in_sample}
        yield column_table("Union of products", {**columns, "degree": self.degrees, "directions": words})

    def _notes(self) -> Iterable[str]:
        copied = f"{self.copied} of the data's eigenvalues are copied above all products of two and more"
        return (copied, *(f"warning: {w}" for w in self.warnings))


def product_spectrum(
    series: KernelSeries, covariance: ArrayLike, count: int, samples: int | None = None
) -> ProductSpectrum:
    """The ``count`` largest eigenvalues of K/N for data with these covariance eigenvalues.

    Parameters
    ----------
    series
        The kernel, from :func:`meanfield.information.series.kernel_series`.
    covariance
        Eigenvalues of the data's covariance, d of them in any order and scale: they are normalised to Σ p = 1.
    count
        How many eigenvalues of K/N are wanted.
    samples
        N; tells which of them a sample of that size resolves.

    Raises
    ------
    ValueError, TypeError
        For eigenvalues that are no finite numbers >= 0 with a positive sum, or sizes that are no positive integers.
    """
    p, wanted = _shares(covariance), positive_integer("count", count)
    size = math.inf if samples is None else float(positive_integer("samples", samples))
    order = np.argsort(-p, kind="stable")
    logs = np.log(p[order][p[order] > 0])
    best = _best(logs, len(series.coefficients))
    found = list(itertools.islice(_descending(series.coefficients, logs, best), wanted))
    values = np.array([value for value, _ in found])
    noise = np.maximum(series.total - np.cumsum(values), 0.0) / size
    lost = np.append((values <= noise) | (np.arange(len(values)) >= size), True)
    return ProductSpectrum(
        eigenvalues=values,
        words=tuple(tuple(sorted(int(order[i]) for i in word)) for _, word in found),
        copied=_copied(series, p, best),
        noise=noise,
        resolved=int(np.argmax(lost)),
        warnings=_warnings(series, values, wanted, int(np.argmax(lost)), best),
    )


def _shares(covariance: ArrayLike) -> Floats:
    values = np.asarray(covariance, dtype=np.float64)
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"covariance: expected one axis with at least one number, got the shape {values.shape}")
    if not (np.all(np.isfinite(values) & (values >= 0)) and values.sum() > 0):
        raise ValueError(f"covariance: expected finite eigenvalues of at least 0, not all 0, got {values.min()}")
    return np.asarray(values / values.sum())


def _best(logs: Floats, degrees: int) -> Floats:
    """``best[m, j]``: the largest of ``log Π p_i^α_i/α_i!`` over the multi-indices of degree m on directions j, j + 1,
    …; -inf where there are none. (degrees, d + 1), the last column for no direction."""
    factorials = np.array([math.lgamma(a + 1) for a in range(degrees)])
    m, a = np.indices((degrees, degrees))
    best = np.full((degrees, len(logs) + 1), -np.inf)
    best[0] = 0.0
    for j in range(len(logs) - 1, -1, -1):
        rest = np.where(a <= m, best[np.maximum(m - a, 0), j + 1], -np.inf)
        best[:, j] = np.max(a * logs[j] - factorials[a] + rest, axis=1)
    return best


def _descending(coefficients: Floats, logs: Floats, best: Floats) -> Iterator[tuple[float, Word]]:
    """The law's eigenvalues and their words, from the largest on, without looking at the others.

    A heap holds branches of the tree that settles one exponent after the other, each under the largest eigenvalue below
    it, which ``best`` knows exactly: so the first complete one to come up is the next largest.
    """
    scales = [math.log(g) + math.lgamma(k + 1) if g > 0 else -math.inf for k, g in enumerate(coefficients)]
    heap: list[tuple[float, int, int, float, Word]] = [
        (-(s + best[k, 0]), k, 0, s, ()) for k, s in enumerate(scales) if s > -math.inf
    ]
    heapq.heapify(heap)
    while heap:
        bound, left, j, weight, word = heapq.heappop(heap)
        if left == 0:
            yield math.exp(-bound), word
            continue
        for a in range(left + 1):
            branch = weight + a * logs[j] - math.lgamma(a + 1)
            if (reach := branch + best[left - a, j + 1]) > -math.inf:
                heapq.heappush(heap, (-reach, left - a, j + 1, branch, word + (j,) * a))


def _copied(series: KernelSeries, p: Floats, best: Floats) -> int:
    if len(series.coefficients) < 2:
        return 0
    return int(np.sum(series.coefficients[1] * p > np.max(_largest(series, best)[2:], initial=0.0)))


def _largest(series: KernelSeries, best: Floats) -> Floats:
    """The largest eigenvalue of each degree."""
    factorials = [math.lgamma(k + 1) for k in range(len(best))]
    return np.asarray(series.coefficients * np.exp(best[:, 0] + factorials))


def _warnings(series: KernelSeries, values: Floats, wanted: int, resolved: int, best: Floats) -> tuple[str, ...]:
    """No eigenvalue beyond degree K exceeds what these degrees sum to times the largest share that degree K gives: a
    share of degree k + 1 is a mean of shares of degree k."""
    degree, beyond = len(best) - 1, series.total - float(series.coefficients.sum())
    unseen = beyond * math.exp(best[-1, 0] + math.lgamma(degree + 1)) if beyond > _ROUNDING * series.total else 0.0
    reasons: dict[str, bool] = {
        f"there are only {len(values)} eigenvalues of a degree up to {degree}": len(values) < wanted,
        f"eigenvalues below {unseen:.3g} may be missing, those of degrees above {degree}": bool(values[-1] < unseen),
        f"from place {resolved} on the sample is too small for the law, and lifts eigenvalues by more than they are: "
        "see in_sample": resolved < len(values),
    }
    return (*series.warnings, *applying(reasons))
