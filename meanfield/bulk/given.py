"""The whole spectrum of a wide random network on given inputs: the eigenvalues of their kernel, spread by the width.

The mean-field kernel of N given samples has their eigenvalues for N ≪ M. At finite N/M a network's neurons are few, and
their noise spreads eigenvalues like a Marchenko-Pastur law, which the bulk's equations know of (docs/bulk_spectrum.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.bulk.arguments import check_question, input_rows, numbers
from meanfield.bulk.equations import Equations, equations
from meanfield.bulk.features import bulk_features
from meanfield.bulk.given_checks import given_warnings
from meanfield.bulk.given_point import along
from meanfield.bulk.inputs import mean_inputs
from meanfield.bulk.neurons import neuron_table
from meanfield.bulk.paths import start
from meanfield.bulk.solution import RAREST
from meanfield.bulk.unknowns import split
from meanfield.kernels.matrix import given_kernel
from meanfield.kernels.setting import Setting
from meanfield.propagation.recursion import order_parameters, usable
from meanfield.spec import Metric, MetricLike, Network

__all__ = ["GivenSpectrum", "given_spectrum"]

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

_ANGLE = 0.004  # of the path over the real axis: eigenvalues are smoothed by that, relative
_ABOVE, _BELOW = 100.0, 0.05  # where the path begins and ends, over the largest and the least eigenvalue of the kernel
_LEAST = 1e-14  # of the largest eigenvalue: rounding
_CONVERGED = 1e-6
_NOTHING = 1e-9  # of the mean: r + X of a linear network, by rounding


@dataclass(frozen=True, eq=False)
class GivenSpectrum:
    """The law of a metric's eigenvalues on given inputs, in the metric's own normalisation.

    Attributes
    ----------
    eigenvalues
        N - 1 typical ones of the bulk, descending: its quantiles at (i - ½)/(N - 1). Each stands for C.
    kernel_eigenvalues
        Those of the mean-field kernel beside its common one, descending: the limit N ≪ M of ``eigenvalues``.
    common
        The kernel's eigenvalue that belongs to what all samples share: C outliers lie around it, the largest of all
        eigenvalues unless the inputs' own directions reach beyond. 0 where the metric is centred.
    status, residual
        ``"ok"``, or what did not converge; the largest last step of Newton's method, relative.
    warnings
        Where the law is known to fail.
    """

    network: Network
    metric: Metric
    width: int
    samples: int
    eigenvalues: Floats
    kernel_eigenvalues: Floats
    common: float
    status: str
    residual: float
    warnings: tuple[str, ...]
    _points: Floats = field(repr=False)
    _mass: Floats = field(repr=False)

    def cdf(self, x: ArrayLike) -> Floats:
        """The bulk's mass in (-∞, x], smoothed by 0.4 % of x."""
        points = np.asarray(x, dtype=np.float64)
        logs = np.log(np.maximum(points, self._points[0]))
        return np.asarray(np.where(points < 0, 0.0, np.interp(logs, np.log(self._points), self._mass)))[()]

    def distance(self, eigenvalues: ArrayLike, *, normalised: bool = False) -> float:
        """The Kolmogorov-Smirnov distance of a measured spectrum's bulk from this law: without the C at the rank of
        ``common`` among ``eigenvalues`` (none where the metric is centred). ``normalised``: scaled to equal means.

        Raises
        ------
        ValueError
            Unless ``eigenvalues`` is a list of finite numbers, more than there are outliers.
        """
        count = 0 if self.metric.centered else self.network.outputs
        measured = np.sort(numbers("eigenvalues", eigenvalues, "finite numbers"))[::-1]
        if len(measured) <= count:
            raise ValueError(f"eigenvalues: expected more than {count}, the number of outliers, got {len(measured)}")
        first = self.network.outputs * int(np.sum(self.eigenvalues > self.common))
        values = np.delete(measured, np.arange(first, first + count).clip(max=len(measured) - 1))[::-1]
        total = max(self.network.outputs * (self.samples - 1), len(values))
        if normalised:
            values = values * (self.kernel_eigenvalues.mean() * total / values.sum())
        below, rank = self.cdf(values), total - len(values) + np.arange(len(values) + 1)
        return float(np.max(np.abs([below - rank[:-1] / total, below - rank[1:] / total])))


def given_spectrum(
    network: Network, metric: MetricLike, *, width: int, inputs: ArrayLike, kernel: ArrayLike | None = None
) -> GivenSpectrum:
    """The law of the bulk's eigenvalues on these inputs, docs/bulk_spectrum.md.

    Parameters
    ----------
    network, metric, width
        As for :func:`meanfield.spectrum`.
    inputs
        X (N, d), of any scale, mean and covariance; the network's M_0 is d.
    kernel
        (N, N): their mean-field kernel in the metric's normalisation, ν K, so that its eigenvalues, each C-fold, are
        the metric's non-zero ones for M → ∞. That of :func:`meanfield.given_kernel` by default.

    Raises
    ------
    ValueError, TypeError
        As for :func:`meanfield.spectrum`, or for a kernel that is no symmetric matrix of this size.
    """
    metric, width = check_question(network, metric, width, True)
    rows = input_rows(inputs)
    network = network.with_features(rows.shape[1], width)
    if kernel is None:
        own = given_kernel(network, rows, metric=metric, width=width)
        kernel = own.normaliser * own.matrix
    alone, unit = _without_inputs(network, metric, width, rows)
    common, values, pairs = _pairs(_matrix(kernel, len(rows)) / unit, rows, alone)
    points, mass, residual = _mass(values, pairs, alone)
    found = residual < _CONVERGED
    mass = mass if found else np.full_like(mass, np.nan)
    shares = (np.arange(len(rows) - 1, 0, -1) - 0.5) / (len(rows) - 1)
    return GivenSpectrum(
        network=network,
        metric=metric,
        width=width,
        samples=len(rows),
        eigenvalues=unit * np.where(shares < mass[0], 0.0, np.exp(np.interp(shares, mass, np.log(points)))),
        kernel_eigenvalues=unit * values[::-1],
        common=unit * common,
        status="ok" if found else "the fixed point was not reached everywhere",
        residual=residual,
        warnings=given_warnings(network, width, rows),
        _points=unit * points,
        _mass=mass,
    )


def _without_inputs(network: Network, metric: Metric, width: int, rows: Floats) -> tuple[Equations, float]:
    """The equations of the network at the inputs' mean norm and overlap, without the inputs; and their unit."""
    law = mean_inputs(rows)
    parameters = usable(order_parameters(network, norm=law.norm, overlap=law.overlap))
    setting = Setting.of(network, metric, parameters, width, len(rows))
    x = bulk_features(setting, law)
    alone = equations(x, neuron_table(x, RAREST), None)._replace(inputs=np.zeros((2, 0)))
    return alone, float(setting.kernel.normaliser) * x.gap


def _matrix(kernel: ArrayLike, samples: int) -> Floats:
    """The kernel as an array."""
    wanted = (samples, samples)
    try:
        matrix = np.asarray(kernel, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"kernel: expected a symmetric matrix {wanted}, got {type(kernel).__name__}") from None
    finite = matrix.shape == wanted and bool(np.all(np.isfinite(matrix)))
    if not (finite and np.allclose(matrix, matrix.T, rtol=1e-9, atol=1e-9 * np.max(np.abs(matrix)))):
        raise ValueError(
            f"kernel: expected a symmetric matrix {wanted} of finite numbers, got the shape {matrix.shape}"
        )
    return matrix


def _pairs(kernel: Floats, rows: Floats, law: Equations) -> tuple[float, Floats, Floats]:
    """The kernel's common eigenvalue, whose eigenvector is nearest to equal entries; the others, ascending; and for
    these (2, ·) μ and ϱ, of which they are S_0 μ + (r + X) ϱ at p = 0.

    S_0 and r + X are those of the law with the mean norm. S_0 μ is no more than the eigenvalue, so that ϱ, what is left
    of it, is nowhere negative.
    """
    values, vectors = np.linalg.eigh(kernel)
    equal = int(np.argmax(np.abs(vectors.sum(axis=0))))
    common, values, vectors = float(values[equal]), np.delete(values, equal).clip(0), np.delete(vectors, equal, axis=1)
    S = float(split(start(law).real).S[0])
    own = rows - rows.mean(axis=0)
    linear = np.sum((own.T @ vectors) ** 2, axis=0) / rows.shape[1]
    bent = 1 - S * float(np.sum(own**2)) / (len(rows) - 1) / rows.shape[1]
    if bent < _NOTHING:  # a linear network: R has the factor 0
        return common, values, np.array([values / S, np.ones_like(values)])
    mu = np.minimum(linear, values / S)
    return common, values, np.array([mu, (values - S * mu) / bent])


def _mass(values: Floats, pairs: Floats, law: Equations) -> tuple[Floats, Floats, float]:
    """Points, ascending, the mass below each, and the residual: ∫ p dz along a ray over the real axis.

    An eigenvalue turns the logarithm of z - λ by π less the ray's angle.
    """
    high, low = _ABOVE * values[-1], _BELOW * values[values > _LEAST * values[-1]][0]
    count = math.ceil(math.log(high / low) / _ANGLE)
    points = np.geomspace(high, low, count)
    z = points * np.exp(1j * _ANGLE)
    p, residual = along(z, start(law), law, pairs)
    flow = (p * z).imag * np.log(high / low) / (count - 1)
    above = np.concatenate([[0.0], np.cumsum((flow[1:] + flow[:-1]) / 2)]) / (math.pi - _ANGLE)
    return points[::-1], np.maximum.accumulate(1 - above[::-1]), residual
