"""``spectrum``: the whole spectrum of a wide random network's FIM or NTK, as a law with its edges and outliers."""

from __future__ import annotations

from dataclasses import replace

from numpy.typing import ArrayLike

from meanfield.bulk.arguments import check_kernels, check_spectrum, input_eigenvalues
from meanfield.bulk.edges import atom_at_zero
from meanfield.bulk.equations import equations
from meanfield.bulk.features import BulkFeatures, bulk_features
from meanfield.bulk.law import Edge, SpectralDensity
from meanfield.bulk.neurons import neuron_table
from meanfield.bulk.outliers import mean_outliers, other_outliers
from meanfield.bulk.paths import start
from meanfield.bulk.sample_noise import sample_noise
from meanfield.bulk.solution import RAREST, Solution, solve
from meanfield.bulk.unknowns import split
from meanfield.bulk.validity import bulk_warnings
from meanfield.kernels.setting import Setting
from meanfield.propagation.recursion import order_parameters, usable
from meanfield.spec import MetricLike, Network, OrderParameters

__all__ = ["spectrum"]

_FEW = 5  # eigenvalues


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
        instead of that of the mean network. Its outliers then come from linear response, without the corrections of
        relative order C/M that those of the mean network have (they are those of ``predict(order="refined")``).
    input_spectrum
        Eigenvalues of the inputs' covariance, mean 1, instead of the identity's.

    Raises
    ------
    ValueError, TypeError
        For a metric whose spectrum is not known, or bad input as in :func:`meanfield.predict`.
    """
    metric, width, samples = check_spectrum(network, metric, width, samples, finite_size)
    setting = Setting.of(network, metric, usable(order_parameters(network)), width, samples)
    inputs = input_eigenvalues(input_spectrum, network.widths(width)[0])
    given = setting.parameters if kernels is None else check_kernels(kernels, network.depth)
    x = bulk_features(replace(setting, parameters=given), inputs)
    neurons = neuron_table(x, RAREST)
    # s = t = 0 at p = 0, and S and T scale like K.
    noise = sample_noise(x, split(x.gap * start(equations(x, neurons, None)).real))
    solution = solve(
        x,
        neurons,
        noise if finite_size else None,
        atom=atom_at_zero(x, metric.layer),
        mean_network=kernels is None,
    )
    unit = float(setting.kernel.normaliser) * x.gap
    standard = kernels is None and len(inputs[0]) == 1
    outliers, reasons = (mean_outliers if standard else other_outliers)(setting, x, noise.rows)
    return SpectralDensity(
        network=network,
        metric=metric,
        width=width,
        samples=samples,
        edges=_edges(x, solution, unit),
        atom=solution.atom,
        zeros=max(int(setting.kernel.dimension) - network.outputs * samples, 0),
        multiplicity=network.outputs * samples - (network.outputs if metric.centered else len(outliers.values)),
        outliers=outliers,
        mean=unit * solution.first,
        status=solution.status,
        residual=solution.residual,
        mass_error=solution.mass_error,
        order_parameters=given,
        warnings=(*bulk_warnings(metric, x, noise, outliers), *reasons),
        _unit=unit,
        _solution=solution,
    )


def _edges(x: BulkFeatures, solution: Solution, unit: float) -> tuple[Edge, ...]:
    """The ends of the intervals, those of a few neurons at the top of an unbounded bulk as one: each is a node of the
    quadrature over neurons, which stands for any place near it."""
    parts, ends, unbounded = solution.parts, solution.far, solution.law.unbounded
    bounds = [(p.lower, p.upper) for p in parts] or [(ends.lower, ends.upper)]
    body = len(parts)
    while unbounded and body > 1 and parts[body - 1].mass * x.outputs * x.samples < _FEW:
        body -= 1
    few = bounds[body:]
    edges = [Edge(float(unit * end), "limit") for pair in bounds[:body] or bounds for end in pair]
    edges += [Edge(float(unit * end), "width-M") for end in (few[0][0], few[-1][1])] if few and parts else []
    edges[-1] = Edge(float(unit * ends.upper), "width-M" if unbounded else "limit")
    return (*([Edge(0.0, "atom")] if solution.atom else []), *edges)
