"""``spectrum``: the whole spectrum of a wide random network's FIM or NTK, as a law with its edges and outliers."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.bulk.arguments import check_kernels, check_spectrum, input_eigenvalues
from meanfield.bulk.density import Component, solve_components
from meanfield.bulk.edges import Support, atom_at_zero, support
from meanfield.bulk.features import BulkFeatures, bulk_features
from meanfield.bulk.fixed_point import at_p
from meanfield.bulk.giant_outliers import NONE, GiantOutliers, giant_outliers
from meanfield.bulk.law import Edge, SpectralDensity
from meanfield.bulk.paths import start
from meanfield.bulk.sample_noise import SampleNoise, sample_noise
from meanfield.bulk.validity import bulk_warnings
from meanfield.kernels.exchangeable import ExchangeableKernel, exchangeable_kernel
from meanfield.leading.conditions import outlier_margin
from meanfield.propagation.recursion import order_parameters, usable
from meanfield.spec import Metric, MetricLike, Network, OrderParameters, positive_integer

__all__ = ["spectrum"]

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


def spectrum(
    network: Network,
    metric: MetricLike,
    *,
    width: int,
    samples: int,
    finite_size: bool = True,
    kernels: OrderParameters | None = None,
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
    metric = check_spectrum(network, metric)
    width, samples = positive_integer("width", width), positive_integer("samples", samples)
    if samples < 2:
        raise ValueError(f"samples: expected at least 2 (one sample has no bulk), got {samples}")
    parameters = usable(order_parameters(network))
    inputs = input_eigenvalues(input_spectrum, network.widths(width)[0])
    if not isinstance(finite_size, bool):
        raise TypeError(f"finite_size: expected True or False, got {finite_size!r}")
    if kernels is not None:
        check_kernels(kernels, network.depth)
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
