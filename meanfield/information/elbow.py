"""Where a spectrum's steep head ends, its linear tail and its final drop; and how well the breaks are known.

``y`` is log10 of a descending spectrum over its index ``x``. Each piece has a least-squares line of its own, joined to
no other; the breaks between them are found by trying all. A piece is a half-open range of points, given by arrays of
starts and stops that broadcast.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from meanfield.information.theil_sen import theil_sen

__all__ = ["Elbow", "find_elbow"]

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]

_POINTS = 400  # of which breaks are tried at all pairs; a longer spectrum is thinned to so many
_SHORTEST = 3  # points of the head and of the drop; the tail has twice as many
_HEAD = 0.25  # the longest head, of the spectrum
_PENALTY = 2.0  # of a parameter, in units of BIC's: neighbouring eigenvalues err together
_AS_GOOD = 1.1  # times the least sum of squares: breaks that another network of the same law may prefer
_STEADY = 0.2  # spread of the slope, of itself, from which on the elbow is called unsteady
_ROUNDING = 1e-13  # of all squares: a smaller sum can't be told from none


@dataclass(frozen=True)
class Elbow:
    """The linear tail of log10 λ_i: eigenvalues ``head`` to ``end - 1``, counted from 0.

    ``pieces`` says what BIC, with twice its penalty, found worth having: 1 (a line), 2 (head and tail) or 3 (and a
    drop). ``slope`` is the tail's Theil–Sen slope in decades per index, ``r_squared`` that of a straight line through
    it. ``slope_range`` runs over all breaks that fit nearly as well, with a sum of squares up to 10 % above the least:
    on real spectra they are far apart. NaN where there are fewer than two eigenvalues.
    """

    head: int
    end: int
    pieces: int
    slope: float
    r_squared: float
    slope_range: tuple[float, float]

    @property
    def steady(self) -> bool:
        """Whether the slopes that fit nearly as well differ by less than a fifth."""
        low, high = self.slope_range
        return not high - low > _STEADY * abs(self.slope)


def find_elbow(y: Floats) -> Elbow:
    """The elbow of ``y`` = log10 λ, λ descending.

    A spectrum of more than 400 is thinned to 400 equidistant eigenvalues, so that its breaks are known to n/400.
    """
    x = np.unique(np.linspace(0, len(y) - 1, min(len(y), _POINTS)).round())
    points = y[x.astype(np.int64)]
    lines = _Lines(x, points)
    fits = _best(lines, len(x))
    best = fits.squares.argmin()
    h, e = int(fits.head[best]), int(fits.end[best])
    slope = theil_sen(x[h:e], points[h:e])
    near = fits.squares <= _AS_GOOD * fits.squares[best]
    slopes = [slope, *lines.slope(fits.head, fits.end)[near]]
    return Elbow(
        head=int(x[h]),
        end=int(x[e - 1]) + 1,
        pieces=fits.pieces,
        slope=slope,
        r_squared=_r_squared(x[h:e], points[h:e]),
        slope_range=(float(np.min(slopes)), float(np.max(slopes))),
    )


class _Fits(NamedTuple):
    """Tails ``head`` to ``end`` and the sums of squares that they and the other pieces leave: arrays of one length."""

    pieces: int
    head: Integers
    end: Integers
    squares: Floats


def _best(lines: _Lines, count: int) -> _Fits:
    """All breaks of the number of pieces that has the least BIC: a line, head and tail, or head, tail and drop."""
    whole, none = np.array([count]), np.array([0])
    fits = [_Fits(1, none, whole, lines.squares(none, whole))]
    heads = np.arange(_SHORTEST, min(count - 2 * _SHORTEST, int(_HEAD * count)))
    if len(heads):
        fits.append(_Fits(2, heads, np.full_like(heads, count), lines.squares(0, heads) + lines.squares(heads, count)))
        h, e = np.meshgrid(heads, np.arange(3 * _SHORTEST, count - _SHORTEST + 1), indexing="ij")
        h, e = h[e - h >= 2 * _SHORTEST], e[e - h >= 2 * _SHORTEST]
        fits.append(_Fits(3, h, e, lines.squares(0, h) + lines.squares(h, e) + lines.squares(e, count)))
    return min(fits, key=lambda fit: _bic(float(fit.squares.min()), count, fit.pieces))


def _bic(squares: float, count: int, pieces: int) -> float:
    """A line has two parameters and a break one."""
    return count * float(np.log(squares / count)) + _PENALTY * (3 * pieces - 1) * float(np.log(count))


class _Lines:
    """Least-squares lines through any range of the points, from sums over their beginnings."""

    def __init__(self, x: Floats, y: Floats) -> None:
        u, v = x - x.mean(), y - y.mean()  # centred: sums of squares lose less
        self._sums = [np.concatenate([[0.0], np.cumsum(s)]) for s in (np.ones_like(u), u, v, u * u, u * v, v * v)]
        self._least = max(_ROUNDING * float(v @ v), sys.float_info.min)

    def squares(self, start: Integers | int, stop: Integers | int) -> Floats:
        """Σ of squares around the line, down to what rounding leaves."""
        xx, xy, yy = self._moments(start, stop)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.maximum(yy - np.nan_to_num(xy**2 / xx), self._least)

    def slope(self, start: Integers, stop: Integers) -> Floats:
        """NaN of a single point."""
        xx, xy, _ = self._moments(start, stop)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(xy / xx)

    def _moments(self, start: Integers | int, stop: Integers | int) -> tuple[Floats, Floats, Floats]:
        n, x, y, xx, xy, yy = (sums[stop] - sums[start] for sums in self._sums)
        return xx - x * x / n, xy - x * y / n, yy - y * y / n


def _r_squared(x: Floats, y: Floats) -> float:
    """NaN where there is nothing to explain."""
    if len(x) < 3 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1] ** 2)
