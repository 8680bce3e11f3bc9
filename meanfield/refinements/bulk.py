"""``spectrum``: the whole spectrum of a wide random network's FIM or NTK, as a law with its edges and outliers."""

from __future__ import annotations

import cmath
import functools
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.arguments import usable
from meanfield.conditions import outlier_margin
from meanfield.kernels import ExchangeableKernel, exchangeable_kernel
from meanfield.recursion import OrderParameters, order_parameters
from meanfield.refinements.bulk_validity import bulk_warnings
from meanfield.refinements.density import Component, solve_components
from meanfield.refinements.edges import Support, atom_at_zero, support
from meanfield.refinements.features import BulkFeatures, Kernels, bulk_features
from meanfield.refinements.fixed_point import at_p
from meanfield.refinements.giant_outliers import NONE, GiantOutliers, giant_outliers
from meanfield.refinements.paths import descend, start
from meanfield.refinements.sample_noise import SampleNoise, sample_noise
from meanfield.spec import Metric, MetricLike, Network, as_metric, positive_integer

__all__ = ["Edge", "SpectralDensity", "spectrum"]

Floats = NDArray[np.float64]

_FAR = 1e20  # |z| in units of the mean from where p = -1/z to all digits
_HEIGHT = 1e-10  # a real z means its limit from the upper half-plane
_CONVERGED = 1e-7
_TINY = 1e-30  # of p: 0 to all digits, but with a finite 1/p²
_RESOLVED = 1e-8  # relative error of the averages over neurons
_CIRCLE = 128  # nodes of a contour integral, and its radius in units of the distance to the nearest singularity
_RADIUS = 0.4
_FEW = 5  # eigenvalues
_RAREST = 1e-3  # neurons rarer than this move the bulk's end and nothing else


@dataclass(frozen=True)
class Edge:
    """An end of the bulk's support.

    ``kind`` is ``"limit"`` (of the law for N ~ M → ∞), ``"width-M"`` (the limit's bulk has no end, but with M neurons
    it ends here) or ``"atom"`` (the isolated mass at zero).
    """

    position: float
    kind: str


@dataclass(frozen=True, eq=False)
class SpectralDensity:
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
        ``outliers.values`` (descending, C of them or none), ``outliers.std`` over networks.
    mean
        The law's first moment: K₁ - K₂ in the metric's normalisation, exactly; with ``kernels`` within a few percent,
        as the law takes the averages of its neurons' slopes and features from the variances alone.
    status, residual
        ``"ok"``, or what did not converge; the largest relative last step of Newton's method in what was computed.
    mass_error
        |mass between the edges + atom - 1|.
    """

    network: Network
    metric: Metric
    width: int
    samples: int
    edges: tuple[Edge, ...]
    atom: float
    zeros: int
    multiplicity: int
    outliers: GiantOutliers
    mean: float
    status: str
    residual: float
    mass_error: float
    order_parameters: Kernels = field(repr=False)
    warnings: tuple[str, ...] = ()
    _unit: float = field(default=1.0, repr=False)
    _law: Any = field(default=None, repr=False)
    _parts: tuple[Component, ...] = field(default=(), repr=False)
    _p_upper: float = field(default=0.0, repr=False)

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
        result = np.where(np.isnan(flat) | (not self._parts), np.nan, 0.0)
        for part in self._parts:
            inside = (flat > part.lower) & (flat < part.upper)
            if np.any(inside):
                result[inside] = part.density(flat[inside], self._law) / self._unit
        return result.reshape(points.shape)[()]

    def cdf(self, x: ArrayLike) -> Floats:
        """The bulk's mass in (-∞, x]."""
        points = np.asarray(x, dtype=np.float64) / self._unit
        below = self._share * sum(part.mass_below(points) for part in self._parts) + self.atom
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
        found = np.full(shares.shape, self.upper if self._parts else np.nan)
        for part in reversed(self._parts):
            below = sum((other.mass for other in self._parts if other.upper <= part.lower), 0.0)
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
        p, _, change = descend(complex(z.real, height), self._law)
        value = complex(p) if np.isfinite(change) else complex(np.nan, np.nan)
        return value.conjugate() if z.imag < 0 else value

    def moments(self, k: int) -> Floats:
        """∫ λ^j dμ(λ) for j = 1..k, from the expansion of z(p) at p = 0: -Res z^{j+1}/(j + 1)."""
        count = positive_integer("k", k)
        angles = 2 * np.pi * (np.arange(_CIRCLE) + 0.5) / _CIRCLE
        circle = _RADIUS * abs(self._p_upper) * np.exp(1j * angles)
        y = start(self._law)
        z = np.array([at_p(p, y, self._law, 40)[0] for p in circle])
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
        measured = _numbers("eigenvalues", eigenvalues, "finite numbers")
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
        return (1 - self.atom) / sum(part.mass for part in self._parts) if self._parts else math.nan

    def __str__(self) -> str:
        from meanfield.refinements.bulk_tables import density_table

        return density_table(self)

    def to_dict(self) -> dict[str, Any]:
        """Edges, outliers, quantiles and moments as JSON-ready plain data; NaN becomes ``None``."""
        from meanfield.refinements.bulk_tables import density_record

        return density_record(self)


def spectrum(
    network: Network,
    metric: MetricLike,
    *,
    width: int,
    samples: int,
    finite_size: bool = True,
    kernels: Kernels | None = None,
    input_spectrum: ArrayLike | None = None,
) -> SpectralDensity:
    """Predict the whole spectrum of ``metric``: docs/bulk_spectrum.md.

    Parameters
    ----------
    network
        With any activation whose derivative is square integrable, variances and widths of its own in each layer.
    metric
        ``FIM`` or ``NTK``, whole or one block, centered or not, for the loss "mse".
    width, samples
        M and N, which enter by N/M_l; M sets the finite-size terms and the ends of unbounded bulks.
    finite_size
        Whether the terms of relative order 1/M are added (they are for a positive ridge r).
    kernels
        The order parameters of one network (``empirical.measure(...).order_parameters``): its spectrum is predicted
        instead of that of the mean network.
    input_spectrum
        Eigenvalues of the inputs' covariance, mean 1, instead of the identity's.

    Raises
    ------
    ValueError, TypeError
        For a metric whose spectrum is not known, or bad input as in :func:`meanfield.predict`.
    """
    metric = _check(network, metric)
    width, samples = positive_integer("width", width), positive_integer("samples", samples)
    if samples < 2:
        raise ValueError(f"samples: expected at least 2 (one sample has no bulk), got {samples}")
    parameters = usable(order_parameters(network))
    inputs = _inputs(input_spectrum, network.widths(width)[0])
    if not isinstance(finite_size, bool):
        raise TypeError(f"finite_size: expected True or False, got {finite_size!r}")
    if kernels is not None:
        _check_kernels(kernels, network.depth)
    given = parameters if kernels is None else kernels
    features = functools.partial(bulk_features, network, metric, width, samples, given, inputs)
    x = features(_RAREST)
    gap = x.same - x.other
    kernel = _kernel(network, metric, parameters, width, samples)
    bare = _law(x, gap, None)
    noise = sample_noise(x, gap * start(bare).real)  # s = t = 0 there, and S and T scale like K
    law = _law(x, gap, noise) if finite_size else bare
    atom = atom_at_zero(x, metric.layer)
    ends = support(law, atom)
    far = (
        ends
        if np.max(x.widths) * _RAREST <= 1
        else support(_law(features(), gap, noise if finite_size else None), atom)
    )
    unit = float(kernel.normaliser) * gap
    first = _first_moment(law)
    neurons = max((f.error for f in x.moments if f is not None), default=0.0)
    if kernels is None:  # then the table's first moment is known
        neurons = max(neurons, abs(first - 1))
    found = np.isfinite(ends.lower + ends.upper) and neurons < _RESOLVED
    parts = solve_components(ends.lower, ends.upper, law) if found else ()
    residual = max((part.change for part in parts), default=float("nan"))
    mass_error = abs(sum(part.mass for part in parts) + atom - 1) if parts else float("nan")
    outliers = _outliers(metric, kernel, x, noise)
    return SpectralDensity(
        network=network,
        metric=metric,
        width=width,
        samples=samples,
        edges=_edges(x, far, parts, atom, unit),
        atom=atom,
        zeros=max(int(kernel.dimension) - network.outputs * samples, 0),
        multiplicity=network.outputs * samples - (network.outputs if metric.centered else len(outliers.values)),
        outliers=outliers,
        mean=unit * first,
        status=_status(ends, residual, mass_error, neurons),
        residual=residual,
        mass_error=mass_error,
        order_parameters=given,
        warnings=bulk_warnings(metric, x, noise, outliers),
        _unit=unit,
        _law=law,
        _parts=parts,
        _p_upper=ends.p_upper,
    )


def _check(network: Network, metric: MetricLike) -> Metric:
    if not isinstance(network, Network):
        raise TypeError(f"network: expected a Network, got {network!r}")
    asked = as_metric(metric)
    asked.check(network)
    if asked.family not in ("fim", "ntk"):
        raise ValueError(
            "metric: expected fim or ntk, got input_metric: its dual has a random matrix Wᵀ more in every layer, which "
            "this law does not describe; predict gives its mean, second moment and outliers"
        )
    if asked.loss != "mse":
        raise ValueError(
            "loss: expected mse, got cross_entropy: its softmax sandwich gives every sample a block of its own, which "
            "this law does not describe; predict gives its mean, second moment and outliers"
        )
    return asked


def _inputs(eigenvalues: ArrayLike | None, width: int) -> tuple[Floats, Floats]:
    """Eigenvalues of the inputs' covariance and their weights."""
    if eigenvalues is None:
        return np.ones(1), np.ones(1)
    expected = "finite eigenvalues of at least 0"
    values = _numbers("input_spectrum", eigenvalues, expected)
    if values.size == 0 or not np.all(values >= 0):
        raise ValueError(f"input_spectrum: expected a list of {expected}, got {eigenvalues!r:.60}")
    if abs(values.mean() - 1) > 1e-6:
        raise ValueError(f"input_spectrum: expected mean 1 (scale σ_w² of layer 1 instead), got {values.mean():.6g}")
    different, counts = np.unique(values, return_counts=True)
    return different, counts / values.size


def _numbers(field: str, given: ArrayLike, expected: str) -> Floats:
    """``given`` as a list of finite numbers."""
    try:
        values = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.full(1, np.nan)
    if values.ndim != 1 or not np.all(np.isfinite(values)):
        raise ValueError(f"{field}: expected a list of {expected}, got {given!r:.60}")
    return values


def _check_kernels(kernels: Kernels, depth: int) -> None:
    """Raises ``ValueError`` unless they are order parameters of a network of this depth."""
    for same, other in (("q", "q_st"), ("forward", "forward_st"), ("backward", "backward_st")):
        for name in (same, other):
            values = getattr(kernels, name, None)
            if values is None:
                raise ValueError(f"kernels: expected order parameters (q, q_st, forward, ...), got {kernels!r:.60}")
            if _numbers(f"kernels.{name}", values, f"{depth} finite numbers").shape != (depth,):
                raise ValueError(f"kernels.{name}: expected {depth} values, one a layer, got {len(values)}")
        pairs = np.array(getattr(kernels, same)), np.array(getattr(kernels, other))
        if not np.all((pairs[0] > 0) & (np.abs(pairs[1]) <= pairs[0] * (1 + 1e-12))):
            raise ValueError(f"kernels.{other}: expected 0 < {same} and |{other}| <= {same} in each layer, got others")


def _law(x: BulkFeatures, gap: float, noise: SampleNoise | None) -> tuple[Any, ...]:
    """What the compiled functions read, in units of K₁ - K₂."""
    ridge = np.array([x.ridge / gap, 0.0, 0.0, 0.0, 1.0])
    linear = 1 - ridge[0]
    if noise is not None and linear > 1e-9:
        ridge[1:4] = np.array([noise.ridge, noise.mixed, noise.linear]) / gap**2
        ridge[4] = linear
    inputs = np.array(x.inputs)
    return float(x.outputs), x.ratio, x.features / gap, x.gradients / gap, ridge, inputs, x.table, x.starts


def _kernel(
    network: Network, metric: Metric, parameters: OrderParameters, width: int, samples: int
) -> ExchangeableKernel:
    widths = np.array(network.widths(width), dtype=np.float64)
    return exchangeable_kernel(network, metric, parameters, widths, np.array(float(samples)))


def _outliers(metric: Metric, kernel: ExchangeableKernel, x: BulkFeatures, noise: SampleNoise) -> GiantOutliers:
    if metric.centered or not outlier_margin(kernel) > 1:
        return NONE
    return giant_outliers(x, noise.rows).scaled(float(kernel.normaliser))


def _edges(x: BulkFeatures, ends: Support, parts: tuple[Component, ...], atom: float, unit: float) -> tuple[Edge, ...]:
    """The ends of the intervals, those of a few neurons at the top of an unbounded bulk as one: each is a node of the
    quadrature over neurons, which stands for any place near it."""
    zero = (Edge(0.0, "atom"),) if atom else ()
    bounds = [(p.lower, p.upper) for p in parts] or [(ends.lower, ends.upper)]
    body = len(parts)
    while x.unbounded and body > 1 and parts[body - 1].mass * x.outputs * x.samples < _FEW:
        body -= 1
    few = bounds[body:]
    edges = [Edge(float(unit * end), "limit") for pair in bounds[:body] or bounds for end in pair]
    edges += [Edge(float(unit * end), "width-M") for end in (few[0][0], few[-1][1])] if few and parts else []
    edges[-1] = Edge(float(unit * ends.upper), "width-M" if x.unbounded else "limit")
    return (*zero, *edges)


def _first_moment(law: Any) -> float:
    """r + X at p = 0, in the law's units: 1 as far as the neurons' averages are those of the order parameters."""
    _, _, X, _ = at_p(complex(_TINY), start(law), law, 0)
    return float(law[4][0] + X.real)


def _status(ends: Support, residual: float, mass_error: float, neurons: float) -> str:
    if not neurons < _RESOLVED:
        return f"the averages over the neurons are not resolved (relative error {neurons:.1g})"
    if not np.isfinite(ends.upper):
        return "the upper edge was not found"
    if not np.isfinite(ends.lower):
        return "the lower edge was not found (in the limit of many samples it is an atom at the ridge)"
    if not residual < _CONVERGED:
        return "the fixed point was not reached everywhere"
    return "ok" if mass_error < 1e-3 else "the density misses mass"
