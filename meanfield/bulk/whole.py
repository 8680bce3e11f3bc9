"""``spectrum``: the whole spectrum of a wide random network's FIM or NTK, as a law with its edges and outliers."""

from __future__ import annotations

from dataclasses import replace

from numpy.typing import ArrayLike

from meanfield.bulk.arguments import check_kernels, check_question, input_law, input_rows, sample_number
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
from meanfield.bulk.validity import bulk_status, bulk_warnings
from meanfield.kernels.setting import Setting
from meanfield.propagation.recursion import numerical_warnings, order_parameters, usable
from meanfield.spec import MetricLike, Network, OrderParameters

__all__ = ["spectrum"]

_FEW = 5  # eigenvalues


def spectrum(
    network: Network,
    metric: MetricLike,
    *,
    width: int,
    samples: int | None = None,
    finite_size: bool = True,
    kernels: OrderParameters | None = None,
    input_spectrum: ArrayLike | None = None,
    inputs: ArrayLike | None = None,
) -> SpectralDensity:
    """Predict the whole spectrum of ``metric``: docs/bulk_spectrum.md.

    Parameters
    ----------
    network
        With any activation whose derivative is square integrable, variances and widths of its own in each layer.
    metric
        ``FIM`` or ``NTK``, whole or one block, centered or not, for the loss "mse".
    width, samples
        M and N, which enter by N/M_l; M sets the finite-size terms and the ends of unbounded bulks. ``samples`` is the
        number of ``inputs`` unless given.
    finite_size
        Whether the terms of relative order 1/M are added (they are for a positive ridge r).
    kernels
        The order parameters of one network (``empirical.measure(...).order_parameters``): its spectrum is predicted
        instead of that of the mean network. Its outliers then come from linear response, without the corrections of
        relative order C/M that those of the mean network have (they are those of ``predict(order="refined")``).
    input_spectrum
        Eigenvalues of the inputs' covariance, mean 1, instead of the identity's.
    inputs
        The user's own, (N_0, M_0) of any scale and mean: the N samples are taken for draws like them, x = m + Σ^½ z,
        with Σ's eigenvalues estimated from them (:mod:`meanfield.bulk.population`). Where they are not of this kind,
        ``warnings`` and ``status`` say so, with numbers.

    Raises
    ------
    ValueError, TypeError
        For a metric whose spectrum is not known, or bad input as in :func:`meanfield.predict`.
    """
    metric, width = check_question(network, metric, width, finite_size)
    rows = None if inputs is None else input_rows(inputs)
    network = network if rows is None else network.with_features(rows.shape[1], width)
    samples = sample_number(samples, rows)
    law = input_law(rows, input_spectrum, network.widths(width)[0], samples)
    parameters = usable(order_parameters(network, norm=law.norm, overlap=law.overlap))
    setting = Setting.of(network, metric, parameters, width, samples)
    given = parameters if kernels is None else check_kernels(kernels, network.depth)
    x = bulk_features(replace(setting, parameters=given), law)
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
    standard = kernels is None and law.standard
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
        status=bulk_status(x, solution),
        residual=solution.residual,
        mass_error=solution.mass_error,
        order_parameters=given,
        inputs=law,
        warnings=(*law.warnings, *bulk_warnings(metric, x, noise, outliers), *reasons, *numerical_warnings(given)),
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
