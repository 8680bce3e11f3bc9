"""`measure`: one random network's metrics, measured."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, overload

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import ArrayLike, NDArray

from empirical import eigen, gram, sampling
from empirical.backends import make_backend
from empirical.backends.base import Array, Backend
from empirical.network import PREACTIVATION, Forward, OrderParameters, forward, overlaps
from empirical.projection import project
from empirical.provenance import provenance
from meanfield.spec import Metric, Network, as_metric, positive_integer

__all__ = ["Measurement", "MetricLike", "Spectrum", "measure"]

MetricLike = Metric | str | Mapping[str, Any]
Spectrum = Literal["moments", "extremes", "full"]


@dataclass(frozen=True, eq=False)
class Measurement:
    """One metric of one network. λ are the metric's eigenvalues; P is ``dimension``.

    Attributes
    ----------
    mean, second_moment
        ``Σλ / P`` and ``Σλ² / P`` (theory.md §3).
    largest
        The largest eigenvalue; NaN for ``spectrum="moments"``.
    outliers
        Descending: the C largest eigenvalues; C - 1 for cross-entropy; none for a centred metric (theory.md §3, §4) and
        none for ``spectrum="moments"``.
    eigenvalues
        For ``spectrum="full"`` the non-zero eigenvalues, descending (those up to ``floor`` are zero), else ``None``.
    floor
        The size below which an eigenvalue can't be told from 0: :func:`empirical.eigen.floor`.
    dimension
        P, the divisor of the moments: counted from the arrays made.
    order_parameters
        Those of this network: :class:`empirical.network.OrderParameters`.
    provenance
        Backend, device, dtype, versions, threads, seed, hash of the measuring code, seconds. JSON-ready.
    seconds
        Wall time of the call that made it, all metrics together.
    """

    metric: Metric
    mean: float
    second_moment: float
    largest: float
    outliers: NDArray[np.float64]
    eigenvalues: NDArray[np.float64] | None
    floor: float
    dimension: int
    order_parameters: OrderParameters
    width: int
    samples: int
    seed: int | SeedSequence
    spectrum: Spectrum
    seconds: float
    provenance: dict[str, Any] = field(repr=False)


@overload
def measure(
    network: Network,
    metric: MetricLike,
    *,
    width: int,
    samples: int | None = ...,
    seed: int | SeedSequence = ...,
    backend: str = ...,
    dtype: str = ...,
    spectrum: Spectrum = ...,
    inputs: ArrayLike | None = ...,
) -> Measurement: ...
@overload
def measure(
    network: Network,
    metric: list[Any] | tuple[Any, ...],
    *,
    width: int,
    samples: int | None = ...,
    seed: int | SeedSequence = ...,
    backend: str = ...,
    dtype: str = ...,
    spectrum: Spectrum = ...,
    inputs: ArrayLike | None = ...,
) -> list[Measurement]: ...
def measure(
    network: Network,
    metric: MetricLike | Iterable[MetricLike],
    *,
    width: int,
    samples: int | None = None,
    seed: int | SeedSequence = 0,
    backend: str = "numpy",
    dtype: str = "float64",
    spectrum: Spectrum = "moments",
    inputs: ArrayLike | None = None,
) -> Measurement | list[Measurement]:
    """Draw one random network and measure metrics of it.

    Parameters
    ----------
    network
        The law of the network: theory.md §1.
    metric
        A metric, its family name or table, or a sequence of these; all of a sequence share the network and its passes.
    width, samples
        M and N. ``samples`` may be left out where ``inputs`` are given.
    seed
        An integer or a ``SeedSequence``. The same seed gives the same network on every backend, whatever N.
    backend, dtype
        See :func:`empirical.available_backends`; ``"float64"`` or ``"float32"``.
    spectrum
        ``"moments"``: mean and second moment, no eigensolver. ``"extremes"``: the largest eigenvalues too. ``"full"``:
        all non-zero eigenvalues too.
    inputs
        The N samples as an array (N, M_0); i.i.d. standard Gaussian by default.

    Returns
    -------
    A :class:`Measurement`, or a list of them for a sequence of metrics.

    Raises
    ------
    ValueError, TypeError
        For an argument that is not what is expected.
    ArithmeticError
        If the network overflows, or a result fails its checks (Σλ = trace, Σλ² = ‖G‖²_F).
    """
    single = isinstance(metric, Metric | str | Mapping)
    metrics = _metrics(network, [metric] if single else metric)
    if spectrum not in get_args(Spectrum):
        raise ValueError(f"spectrum: expected one of {', '.join(get_args(Spectrum))}, got {spectrum!r}")
    root = sampling.as_seed(seed)
    machine = make_backend(backend, dtype)
    begin = time.perf_counter()
    with machine.strict():
        layers = sampling.draw_layers(network, width, root, machine)
        x = _inputs(network, width, samples, inputs, root, machine)
        passed = forward(network, layers, x, machine)
        duals, signals = _duals(network, metrics, layers, passed, machine)
        parts = [_statistics(d, layers, passed, spectrum, machine) for d in duals]
        parameters = _order_parameters(passed, signals, machine)
    seconds = time.perf_counter() - begin
    record = provenance(machine, root, seconds)
    shared: dict[str, Any] = {
        "order_parameters": parameters, "width": width, "samples": int(x.shape[0]), "seed": seed,
        "spectrum": spectrum, "seconds": seconds, "provenance": record,
    }  # fmt: skip
    results = [Measurement(**part, **shared) for part in parts]
    return results[0] if single else results


def _metrics(network: Network, values: Any) -> list[Metric]:
    if not isinstance(network, Network):
        raise TypeError(f"network: expected a Network, got {type(network).__name__}")
    if not isinstance(values, Iterable):
        raise TypeError(f"metric: expected a metric or a sequence of metrics, got {values!r}")
    metrics = [as_metric(value) for value in values]
    for metric in metrics:
        metric.check(network)
        if metric.loss == "cross_entropy" and network.outputs == 1:
            raise ValueError("outputs: expected at least 2 for cross_entropy (with 1 the metric is zero), got 1")
    return metrics


def _inputs(
    network: Network, width: int, samples: int | None, inputs: Any, seed: SeedSequence, backend: Backend
) -> Array:
    units = network.widths(width)[0]
    if inputs is not None:
        return backend.asarray(sampling.given_inputs(inputs, samples, units))
    return sampling.draw_inputs(positive_integer("samples", samples), units, seed, backend)


def _duals(
    network: Network, metrics: list[Metric], layers: list[sampling.Layer], passed: Forward, backend: Backend
) -> tuple[list[gram.Dual], list[Array]]:
    """The bare duals of the metrics, and the overlaps of δ^l for l = 1..L."""
    samples, outputs = passed.logits.shape
    duals = [gram.Dual(metric, outputs, samples, backend) for metric in metrics]
    signals: list[Array] = []
    for signal in gram.signals(metrics, layers, passed, backend):
        if signal.kind == PREACTIVATION:
            signals.insert(0, overlaps(signal.value, samples, backend))
        gram.add_signal(signal, duals, network, passed, backend)
    return duals, signals


def _statistics(
    dual: gram.Dual, layers: list[sampling.Layer], passed: Forward, spectrum: Spectrum, backend: Backend
) -> dict[str, Any]:
    """What one metric's dual says: the fields of :class:`Measurement` that differ between metrics."""
    metric, (samples, outputs) = dual.metric, passed.logits.shape
    size = samples * outputs
    bare = backend.xp.reshape(dual.matrix, (size, size))
    trace, rounded = eigen.moments(bare, backend)
    eigen.check_trace(trace, float(backend.host(dual.trace)), size, backend.precision)
    matrix = backend.xp.reshape(project(metric, dual.matrix, passed.logits, backend), (size, size))
    total, squares = eigen.moments(matrix, backend)
    dimension = gram.dimension(metric, layers, passed)
    zero = eigen.floor(size, rounded, backend.precision)
    part: dict[str, Any] = {
        "metric": metric, "mean": total / dimension, "second_moment": squares / dimension, "dimension": dimension,
        "largest": np.nan, "outliers": np.empty(0), "eigenvalues": None, "floor": zero,
    }  # fmt: skip
    if spectrum == "moments":
        return part
    values = eigen.spectrum(matrix, backend)
    eigen.check_spectrum(values, total, squares, backend.precision)
    outliers = 0 if metric.centered else outputs - (metric.loss == "cross_entropy")
    return part | {
        "largest": float(values[0]), "outliers": values[:outliers].copy(),
        "eigenvalues": values[values > zero] if spectrum == "full" else None,
    }  # fmt: skip


def _order_parameters(passed: Forward, signals: list[Array], backend: Backend) -> OrderParameters:
    samples = passed.logits.shape[0]
    activations = [overlaps(h, samples, backend) / h.shape[1] for h in passed.activations]
    q, q_hat, q_tilde = (backend.host(backend.xp.stack(x)) for x in (passed.variances, activations, signals))
    return OrderParameters(q[:, 0], q[:, 1], q_hat[:, 0], q_hat[:, 1], q_tilde[:, 0], q_tilde[:, 1])
