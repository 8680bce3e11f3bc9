"""`measure`: one random network's metrics, measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Required, TypedDict, TypeVar, Unpack, get_args, overload

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import ArrayLike, NDArray

from empirical.backends import make_backend
from empirical.backends.base import Backend
from empirical.dual.gram import Drawn
from empirical.dual.lanczos import NotConverged
from empirical.dual.plan import Plan, Size, choose
from empirical.dual.routes import take
from empirical.dual.statistics import Scope
from empirical.networks import streams
from empirical.networks.overlaps import Sums
from empirical.networks.passes import Forward, draw_network, forward
from empirical.provenance import code_hash, describe_run
from empirical.record import Extent, Measurement, Statistics
from meanfield.spec import Metric, MetricLike, Network, OrderParameters, as_metric, positive_integer

__all__ = ["as_metrics", "check_options", "measure", "memory_budget"]

T = TypeVar("T")


class Options(TypedDict, total=False):
    """What `measure` takes by name."""

    width: Required[int]
    samples: int | None
    seed: int | SeedSequence
    backend: str
    dtype: str
    spectrum: Extent
    inputs: ArrayLike | None
    vectors: bool
    rng: streams.Rng
    memory: int | None


@overload
def measure(network: Network, metric: MetricLike, **options: Unpack[Options]) -> Measurement: ...
@overload
def measure(network: Network, metric: list[Any] | tuple[Any, ...], **options: Unpack[Options]) -> list[Measurement]: ...
def measure(
    network: Network,
    metric: MetricLike | Iterable[MetricLike],
    *,
    width: int,
    samples: int | None = None,
    seed: int | SeedSequence = 0,
    backend: str = "numpy",
    dtype: str = "float64",
    spectrum: Extent = "extremes",
    inputs: ArrayLike | None = None,
    vectors: bool = False,
    rng: streams.Rng = "host",
    memory: int | None = None,
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
        ``"extremes"``: mean, second moment and the largest eigenvalues. ``"moments"``: no eigensolver. ``"full"``: all
        non-zero eigenvalues too.
    inputs
        The N samples as an array (N, d); i.i.d. standard Gaussian by default. The network's M_0 is then d, whatever M
        is, unless its α_0 says otherwise.
    vectors
        Whether the outliers' eigenvectors are wanted too (not for ``"moments"``).
    rng
        ``"host"``, or ``"device"``: numbers of the backend's own, other ones, without a transfer.
    memory
        Bytes that may be taken; nine tenths of what is free on the device by default.

    Returns
    -------
    A :class:`Measurement`, or a list of them for a sequence of metrics.

    Raises
    ------
    ValueError, TypeError
        For an argument that is not what is expected.
    empirical.dual.plan.TooLarge (a ValueError)
        If it can't fit into memory; with the bytes it would need.
    ArithmeticError
        If the network overflows, or a result fails its checks (Σλ = trace, Σλ² = ‖G‖²_F, residuals).
    """
    if not isinstance(network, Network):
        raise TypeError(f"network: expected a Network, got {type(network).__name__}")
    metrics, single = as_metrics(metric)
    for asked in metrics:
        asked.check(network)
    if inputs is None:
        network.widths(width)
    check_options(spectrum, vectors, rng)
    root = streams.as_seed(seed)
    machine = make_backend(backend, dtype)
    given = None if inputs is None else streams.given_inputs(inputs, samples)
    network = network if given is None else network.with_features(given.shape[1], positive_integer("width", width))
    count = _count(samples, given)
    budget = memory_budget(memory, machine)
    begin = time.perf_counter()
    trial = _Trial(network, metrics, width, count, given, streams.Source(root, machine, rng), Scope(spectrum, vectors))
    with machine.strict():
        (found, parameters), plan = _within_memory(trial.attempt, trial.size, budget, machine)
    seconds = time.perf_counter() - begin
    more: dict[str, Any] = {
        "rng": rng, "seed": streams.describe_seed(root),
        "inputs": streams.describe_inputs(given, (count, network.widths(width)[0])),
        "plan": plan.to_dict(), "code": code_hash([network], metrics, machine.name),
    }  # fmt: skip
    common: dict[str, Any] = {
        "order_parameters": parameters, "width": width, "samples": count, "outputs": network.outputs, "seed": seed,
        "spectrum": spectrum,
        "seconds": seconds, "provenance": describe_run(machine, seconds, **more),
    }  # fmt: skip
    results = [Measurement(**vars(statistics), **common) for statistics in found]
    return results[0] if single else results


@dataclass(frozen=True)
class _Trial:
    """One random network to be measured: everything checked, nothing drawn."""

    network: Network
    metrics: Sequence[Metric]
    width: int
    samples: int
    given: NDArray[np.float64] | None
    source: streams.Source
    scope: Scope

    @property
    def size(self) -> Size:
        """What its cost depends on."""
        itemsize = self.source.backend.dtype_bytes
        return Size.of(self.network, self.metrics, self.width, self.samples, self.scope.spectrum, itemsize)

    def attempt(self, plan: Plan) -> tuple[list[Statistics], OrderParameters]:
        """Draw the network, pass the samples through, and take the statistics by the plan's route."""
        source, machine = self.source, self.source.backend
        units = self.network.widths(self.width)[0]
        x = streams.draw_inputs(self.samples, units, source) if self.given is None else machine.asarray(self.given)
        passed = forward(draw_network(self.network, self.width, source), x, machine)
        found, sums = take(plan, self.metrics, Drawn(passed, machine), self.scope)
        return found, _order_parameters(passed, sums, machine)


def as_metrics(values: MetricLike | Iterable[MetricLike]) -> tuple[list[Metric], bool]:
    """The metrics asked for, and whether it was a single one and no sequence.

    Raises
    ------
    ValueError, TypeError
        If they are no metrics, or none.
    """
    if isinstance(values, Metric | str | Mapping):
        return [as_metric(values)], True
    if not isinstance(values, Iterable):
        raise TypeError(f"metric: expected a metric or a sequence of metrics, got {values!r}")
    metrics = [as_metric(value) for value in values]
    if not metrics:
        raise ValueError("metric: expected at least one metric, got an empty sequence")
    return metrics, False


def check_options(spectrum: object, vectors: object, rng: object) -> None:
    """Raise ``ValueError`` or ``TypeError`` for an option that is not one of its values."""
    if spectrum not in get_args(Extent):
        raise ValueError(f"spectrum: expected one of {', '.join(get_args(Extent))}, got {spectrum!r}")
    if rng not in get_args(streams.Rng):
        raise ValueError(f"rng: expected one of {', '.join(get_args(streams.Rng))}, got {rng!r}")
    if not isinstance(vectors, bool):
        raise TypeError(f"vectors: expected true or false, got {vectors!r}")
    if vectors and spectrum == "moments":
        raise ValueError("spectrum: expected extremes or full where vectors are wanted, got 'moments'")


def memory_budget(memory: int | None, backend: Backend) -> int:
    """The bytes that may be taken: those given, or nine tenths of what is free."""
    return int(0.9 * backend.free_memory()) if memory is None else positive_integer("memory", memory)


def _count(samples: int | None, given: NDArray[np.float64] | None) -> int:
    """N."""
    if given is not None:
        return len(given)
    if samples is None:
        raise ValueError("samples: expected a number where no inputs are given, got none")
    return positive_integer("samples", samples)


def _within_memory(attempt: Callable[[Plan], T], size: Size, budget: int, backend: Backend) -> tuple[T, Plan]:
    """``attempt`` by the best plan for the budget; where the device disagrees, by that for half of what the plan takes,
    and so on until nothing fits (:class:`TooLarge`). Where Lanczos finds no gap in the spectrum, by one that has LAPACK
    behind it."""
    implicit = True
    while True:
        plan = choose(size, budget, implicit=implicit)
        try:
            return attempt(plan), plan
        except NotConverged:
            if plan.route == "dense":
                raise
            implicit = False
            continue
        except Exception as error:
            if not backend.is_out_of_memory(error):
                raise
        backend.release()
        budget = min(budget, plan.bytes) // 2


def _order_parameters(passed: Forward, sums: Mapping[int, Sums], backend: Backend) -> OrderParameters:
    samples = passed.samples
    entering = [Sums(backend).add(w.given, samples).overlaps(samples) / w.given.shape[1] for w in passed.weights]
    signals = [sums[l].overlaps(samples) for l in sorted(sums)]
    leaving = [w.overlaps for w in passed.weights]
    q, q_hat, q_tilde = (backend.host(backend.xp.stack(x)) for x in (leaving, entering, signals))
    return OrderParameters.of(dict(zip(OrderParameters.NAMES, (*q.T, *q_hat.T, *q_tilde.T), strict=True)))
