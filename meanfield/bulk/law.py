"""What :func:`meanfield.spectrum` answers: the law of a spectrum with its methods."""

from __future__ import annotations

import cmath
import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.bulk.arguments import numbers
from meanfield.bulk.fixed_point import at_p
from meanfield.bulk.giant_outliers import Outliers
from meanfield.bulk.inputs import InputLaw
from meanfield.bulk.paths import descend, start
from meanfield.bulk.solution import Solution
from meanfield.bulk.tables import density_table
from meanfield.spec import Metric, Network, OrderParameters, positive_integer
from meanfield.text import Table, Tabled, plain

__all__ = ["QUANTILES", "Edge", "SpectralDensity"]

Floats = NDArray[np.float64]

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""What tables and records give."""
_MOMENTS = 4
_FAR = 1e20  # |z| in units of the mean from where p = -1/z to all digits
_HEIGHT = 1e-10  # a real z means its limit from the upper half-plane
_CIRCLE = 128  # nodes of a contour integral, and its radius in units of the distance to the nearest singularity
_RADIUS = 0.4


@dataclass(frozen=True)
class Edge:
    """An end of the bulk's support.

    ``kind`` is ``"limit"`` (of the law for N ~ M → ∞), ``"width-M"`` (the limit's bulk has no end, but with M neurons
    it ends here) or ``"atom"`` (the isolated mass at zero).
    """

    position: float
    kind: str


@dataclass(frozen=True, eq=False)
class SpectralDensity(Tabled):
    """The law of the eigenvalues of one metric, in the metric's own normalisation: bulk, edges, atom and outliers.

    The CN eigenvalues of the metric's dual matrix are ``multiplicity`` values of the bulk, whose law of mass 1 the
    methods give (the atom at zero included), and the outliers. The non-zero ones among them are the metric's.

    Attributes
    ----------
    edges
        Ascending: the atom where there is one, then the ends of the bulk's intervals: two of them, or four and more
        where it has gaps.
    atom
        The bulk's mass at zero.
    zeros
        How many eigenvalues of the P × P metric are zero because P > CN, exactly; 0 for the NTK.
    multiplicity
        How many eigenvalues the bulk has.
    outliers
        ``outliers.values`` (descending), ``outliers.std`` over networks: those of ``predict(order="refined")`` for the
        mean network with standard inputs, else by linear response. C of them; none where centred, or where they have
        merged with the bulk (``warnings`` says so), which then counts them; NaN where refined theory voids them
        otherwise.
    mean
        The law's first moment: K₁ - K₂ in the metric's normalisation, exactly; with ``kernels`` within a few percent,
        as the law takes the averages of its neurons' slopes and features from the variances alone.
    status, residual
        ``"ok"``, or what did not converge; the largest relative last step of Newton's method in what was computed.
    mass_error
        |mass between the edges + atom - 1|.
    inputs
        What the inputs were taken for: the eigenvalues of their covariance with their error, norm, overlap, spreads.
    """

    network: Network
    metric: Metric
    width: int
    samples: int
    edges: tuple[Edge, ...]
    atom: float
    zeros: int
    multiplicity: int
    outliers: Outliers
    mean: float
    status: str
    residual: float
    mass_error: float
    order_parameters: OrderParameters = field(repr=False)
    inputs: InputLaw = field(repr=False)
    warnings: tuple[str, ...]
    _unit: float = field(repr=False)
    _solution: Solution = field(repr=False)

    @property
    def lower(self) -> float:
        """The lower end of the bulk, its atom aside."""
        return next(e.position for e in self.edges if e.kind != "atom")

    @property
    def upper(self) -> float:
        """The upper end of the bulk."""
        return self.edges[-1].position

    def density(self, x: ArrayLike) -> Floats:
        """The bulk's density at x, without the atom. 0 outside of the edges; NaN where no solution was reached.

        NaN everywhere, as of the other methods, where the edges were not found: ``status`` has the reason.
        """
        points = np.asarray(x, dtype=np.float64) / self._unit
        flat = points.ravel()
        result = np.where(np.isnan(flat) | (not self._solution.parts), np.nan, 0.0)
        for part in self._solution.parts:
            inside = (flat > part.lower) & (flat < part.upper)
            if np.any(inside):
                result[inside] = part.density(flat[inside], self._solution.law) / self._unit
        return result.reshape(points.shape)[()]

    def cdf(self, x: ArrayLike) -> Floats:
        """The bulk's mass in (-∞, x]."""
        points = np.asarray(x, dtype=np.float64) / self._unit
        below = self._share * sum(part.mass_below(points) for part in self._solution.parts) + self.atom
        return np.where(points < 0, 0.0 * self._share, below)[()]

    def quantile(self, p: ArrayLike) -> Floats:
        """The least x with cdf(x) >= p.

        Raises
        ------
        ValueError
            Unless 0 <= p <= 1.
        """
        shares = np.asarray(p, dtype=np.float64)
        if not np.all((shares >= 0) & (shares <= 1)):
            raise ValueError(f"p: expected probabilities between 0 and 1, got {p!r}")
        mass = np.maximum(shares - self.atom, 0.0) / self._share
        found = np.full(shares.shape, self.upper if self._solution.parts else np.nan)
        for part in reversed(self._solution.parts):
            below = sum((other.mass for other in self._solution.parts if other.upper <= part.lower), 0.0)
            inside = np.clip(mass - below, 0.0, part.mass)
            found = np.where(mass <= below + part.mass, self._unit * part.quantile(inside), found)
        return np.where(shares < self.atom, 0.0, found)[()]

    def stieltjes(self, z: ArrayLike) -> NDArray[np.complex128]:
        """p(z) = ∫ dμ(λ)/(λ - z), atom included; a real z is approached from the upper half-plane.

        NaN where the solution was not reached.
        """
        points = np.asarray(z, dtype=np.complex128) / self._unit
        values = np.array([self._stieltjes(complex(w)) for w in points.ravel()], dtype=np.complex128) / self._unit
        return values.reshape(points.shape)[()]

    def _stieltjes(self, z: complex) -> complex:
        if not abs(z) < _FAR:  # NaN stays
            return -1 / z if cmath.isfinite(z) else complex(np.nan, np.nan)
        height = max(abs(z.imag), _HEIGHT * max(abs(z), 1.0))
        p, _, change = descend(complex(z.real, height), self._solution.law)
        value = complex(p) if np.isfinite(change) else complex(np.nan, np.nan)
        return value.conjugate() if z.imag < 0 else value

    def moments(self, k: int) -> Floats:
        """∫ λ^j dμ(λ) for j = 1..k, from the expansion of z(p) at p = 0: -Res z^{j+1}/(j + 1)."""
        count = positive_integer("k", k)
        angles = 2 * np.pi * (np.arange(_CIRCLE) + 0.5) / _CIRCLE
        circle = _RADIUS * abs(self._solution.ends.p_upper) * np.exp(1j * angles)
        y = start(self._solution.law)
        z = np.array([at_p(p, y, self._solution.law, 40)[0] for p in circle])
        residues = np.array([np.mean(z ** (j + 1) * circle).real for j in range(1, count + 1)])
        orders = np.arange(1, count + 1)
        return -residues / (orders + 1) * self._unit**orders

    def distance(self, eigenvalues: ArrayLike, *, normalised: bool = False) -> float:
        """The Kolmogorov-Smirnov distance of a measured spectrum's bulk from this law.

        Parameters
        ----------
        eigenvalues
            The non-zero eigenvalues of one network, outliers included, as ``empirical.measure`` gives them.
        normalised
            Whether the measured bulk is first scaled to the law's mean, which takes the network's own fluctuation of
            order 1/√M out.

        Raises
        ------
        ValueError
            Unless ``eigenvalues`` is a list of finite numbers, more than there are outliers.
        """
        count = len(self.outliers.values)
        measured = numbers("eigenvalues", eigenvalues, "finite numbers")
        if len(measured) <= count:
            raise ValueError(f"eigenvalues: expected more than {count}, the number of outliers, got {len(measured)}")
        values = np.sort(measured)[: len(measured) - count]
        total = max(self.multiplicity, len(values))
        if normalised:
            values = values * (self.mean * total / values.sum())
        below = self.cdf(values)
        rank = total - len(values) + np.arange(len(values) + 1)
        return float(np.max(np.abs(np.concatenate([below - rank[:-1] / total, below - rank[1:] / total]))))

    @property
    def _share(self) -> float:
        """What the intervals' masses are multiplied by to make the whole 1; NaN where there are none."""
        return (1 - self.atom) / sum(part.mass for part in self._solution.parts) if self._solution.parts else math.nan

    def _notes(self) -> Iterable[str]:
        notes = [f"atom at zero: {self.atom:.5g} of the bulk"] if self.atom else []
        notes += [f"and {self.zeros} zeros of the metric, exactly"] if self.zeros else []
        notes += [] if self.status == "ok" else [f"status: {self.status}"]
        return [*notes, *(f"warning: {w}" for w in self.warnings)]

    def _tables(self) -> Iterable[Table]:
        yield density_table(
            f"{self.metric.label}, width {self.width}, samples {self.samples}: {self.multiplicity} eigenvalues in the "
            "bulk",
            edges=[(e.kind, e.position) for e in self.edges],
            quantiles=list(zip(QUANTILES, self.quantile(QUANTILES), strict=True)),
            mean=self.mean,
            outliers=list(zip(self.outliers.values, self.outliers.std, strict=True)),
        )

    def to_dict(self) -> dict[str, object]:
        """Edges, outliers, quantiles and moments as JSON-ready plain data; NaN becomes ``None``."""
        return {
            "network": self.network.to_dict(),
            "metric": self.metric.to_dict(),
            "width": self.width,
            "samples": self.samples,
            "edges": [{"position": plain(e.position), "kind": e.kind} for e in self.edges],
            "atom": self.atom,
            "zeros": self.zeros,
            "multiplicity": self.multiplicity,
            "mean": self.mean,
            "moments": plain(self.moments(_MOMENTS)),
            "quantiles": {f"{p:g}": plain(x) for p, x in zip(QUANTILES, self.quantile(QUANTILES), strict=True)},
            "outliers": {"mean": plain(self.outliers.values), "std": plain(self.outliers.std)},
            "inputs": self.inputs.to_dict(),
            "status": self.status,
            "residual": plain(self.residual),
            "mass_error": plain(self.mass_error),
            "warnings": list(self.warnings),
        }
