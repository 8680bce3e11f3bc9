"""The spectrum at given inputs to order 1/M: means and the law over networks, for inputs of any norms and overlaps.

Leading theory layer by layer (:mod:`meanfield.finite_width.given_layers`), the mean shift
(:mod:`meanfield.finite_width.given_shift`), the noise of every layer's neurons pushed to K
(:mod:`meanfield.finite_width.given_noise`), and of these the joint law of all eigenvalues
(:mod:`meanfield.finite_width.given_joint`) or, where it is too large, the first order alone
(:mod:`meanfield.finite_width.given_moments`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.finite_width.given_joint import joint_law
from meanfield.finite_width.given_layers import given_chain
from meanfield.finite_width.given_moments import top_law, trace_deviation
from meanfield.finite_width.given_noise import sources
from meanfield.finite_width.given_shift import pushed
from meanfield.finite_width.given_spectrum import resolved_basis
from meanfield.finite_width.given_validity import GivenValidity, given_validity, reasons
from meanfield.kernels.exchangeable import ROWS
from meanfield.spec import Metric, Network

__all__ = ["JOINT", "LARGEST", "GivenLaw", "refine_given"]

Floats = NDArray[np.float64]

JOINT = 500  # C N up to which all eigenvalues are sampled jointly
LARGEST = 5000  # samples up to which the first order is given
_ENTRIES = 1e8  # of the sampled matrices of all layers together
_FEWEST, _MOST = 100, 600  # networks


@dataclass(frozen=True)
class GivenLaw:
    """The metric's eigenvalues at given inputs over random networks, normalised by ν as everywhere; n = N, or N - 1
    where the metric is centred. NaN: not resolved, or not known at this size.

    Attributes
    ----------
    leading
        The n eigenvalues at infinite width, descending, each C-fold.
    mean, std
        Of λ̄_i (n,), the mean of the C eigenvalues of index i of one network.
    law
        λ̄_i of sampled networks (networks, n), or None beyond C N = 500.
    all
        All their C n eigenvalues, descending (networks, C n), or None.
    largest
        Equally likely values of λ_max.
    trace_mean, trace_std
        Of Σ λ over all C n eigenvalues.
    shift
        dK (N, N), without ν: the mean of K over networks less its limit.
    validity, warnings
        The numbers of the verdict, and what they speak against, a sentence each.
    """

    leading: Floats
    mean: Floats
    std: Floats
    law: Floats | None
    all: Floats | None
    largest: Floats
    trace_mean: float
    trace_std: float
    shift: Floats
    validity: GivenValidity
    warnings: tuple[str, ...]


def refine_given(
    network: Network,
    metric: Metric,
    widths: ArrayLike,
    inputs: ArrayLike,
    draws: int = 2000,
    networks: int | None = None,
) -> GivenLaw:
    """The law of the spectrum of ``metric`` over random networks at given inputs, to order 1/M.

    Up to C N = 500 all eigenvalues jointly; up to N = 5,000 the largest and the trace alone, by first order, as a
    warning says. Memory: about 1 GB for the joint law, 100 L N² bytes beyond.

    Parameters
    ----------
    network
        A fully connected one.
    metric
        With the loss "mse".
    widths
        M_0..M_L.
    inputs
        (N, M_0), of any norms.
    draws
        Sampled neurons of a layer for the trace and, beyond C N = 500, for λ_max; relative error of a variance about
        √(10/draws).
    networks
        Sampled networks of the joint law; by default up to 600, less for large C N and depth: 200 at C N = 500,
        L = 3. The same question gives the same numbers.

    Raises
    ------
    ValueError
        For a network, loss, inputs or a size that are not as expected.
    """
    sizes, x = _checked(network, metric, widths, inputs)
    samples, outputs = len(x), network.outputs
    chain = given_chain(network, metric, sizes, x)
    change = pushed(chain)
    basis = resolved_basis(chain.kernel, change.shift, metric.centered)
    if not len(basis.values):
        raise ValueError(f"metric: expected one that is not zero at these inputs, got {metric.label}")
    found = sources(chain, change.responses)
    normaliser = float(ROWS[metric.family].normaliser(np.asarray(float(samples))))
    count = samples - metric.centered
    trace = outputs * basis.trace
    deviation = trace_deviation(found, outputs, draws, metric.centered)
    validity = given_validity(chain, change.shift, basis, outputs, (deviation / trace) ** 2)
    warnings = reasons(validity, count)
    if outputs * samples <= JOINT:
        every = joint_law(found, basis, outputs, networks or _networks(outputs * samples, len(found)))
        law, largest = every.reshape(len(every), -1, outputs).mean(axis=2), every[:, 0]
        mean, std = law.mean(axis=0), law.std(axis=0)
    else:
        top = top_law(found, basis, outputs, draws)
        law, every, largest, mean, std = None, None, top.largest, np.array([top.mean]), np.array([top.std])
        warnings.append(_FIRST_ORDER)
    return GivenLaw(
        leading=_padded(normaliser * basis.values, count),
        mean=_padded(normaliser * mean, count),
        std=_padded(normaliser * std, count),
        law=None if law is None else _padded(normaliser * law, count),
        all=None if every is None else _padded(normaliser * every, outputs * count),
        largest=normaliser * largest,
        trace_mean=normaliser * trace,
        trace_std=normaliser * deviation,
        shift=change.shift,
        validity=validity,
        warnings=tuple(warnings),
    )


def _networks(size: int, layers: int) -> int:
    return int(np.clip(_ENTRIES / (size**2 * max(layers, 1)), _FEWEST, _MOST))


def _padded(values: Floats, count: int) -> Floats:
    """NaN for what is not known."""
    missing = [(0, 0)] * (values.ndim - 1) + [(0, count - values.shape[-1])]
    return np.pad(values, missing, constant_values=np.nan)


def _checked(network: Network, metric: Metric, widths: ArrayLike, inputs: ArrayLike) -> tuple[Floats, Floats]:
    network.check_dense("the refined order at given inputs")
    metric.check(network)
    if metric.loss != "mse":
        raise ValueError(f"loss: expected mse for the refined order at given inputs, got {metric.loss!r}")
    rough = [phi.name for phi in network.activation if phi.is_rough]
    if rough:
        raise ValueError(f"activation: expected one without jumps and cusps, since E[φ'²] is infinite, got {rough[0]}")
    if not min(network.weight_variance) > 0:
        raise ValueError("weight_variance: expected positive numbers for the refined order, got 0.0")
    sizes, x = np.asarray(widths, dtype=np.float64), np.asarray(inputs, dtype=np.float64)
    if sizes.shape != (network.depth + 1,):
        raise ValueError(f"widths: expected the {network.depth + 1} numbers M_0..M_L, got the shape {sizes.shape}")
    if x.ndim != 2 or len(x) == 0 or x.shape[1] != sizes[0] or not np.all(np.isfinite(x)):
        raise ValueError(f"inputs: expected finite numbers (samples, {sizes[0]:g}), got the shape {x.shape}")
    if len(x) > LARGEST:
        raise ValueError(f"inputs: expected at most {LARGEST} samples for the refined order, got {len(x)}")
    return sizes, x


_FIRST_ORDER = (
    f"law: beyond C N = {JOINT} the largest eigenvalue and the trace alone are given, by first-order formulas; mean "
    "and std of the other eigenvalues are NaN"
)
