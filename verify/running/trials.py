"""Trials in a worker process: draw a random network, measure it, say how it went.

A trial is a function of (sweep seed, cell, index): where and in which order it runs leaves no trace in its samples.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from meanfield.spec import OrderParameters
from verify.asking.records import Cell, Sample, Trial
from verify.asking.sweep import trial_seed
from verify.running.codes import code_of, sweep_code
from verify.running.facts import host

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

__all__ = ["Measure", "Task", "failed", "prepare_worker", "run_task"]

# The seed follows from sweep, cell and number, the time is the trial's: what is left is common to thousands of trials.
_OF_ONE_TRIAL = {"seed", "seconds"}

Measure = Callable[..., Sequence[Any]]


@dataclass(frozen=True)
class Task:
    """Some trials of one cell, as they travel to a worker.

    ``options`` are the keyword arguments of the measuring function (spectrum, backend, dtype, memory).
    """

    cell: Cell
    indices: tuple[int, ...]
    seed: int
    options: Mapping[str, Any]
    retries: int
    measure: Measure | None = None

    def singles(self) -> Iterator[Task]:
        """The same trials, each as a task of its own."""
        return (replace(self, indices=(index,)) for index in self.indices)


def prepare_worker(backend: str, dtype: str, cells: Sequence[Cell]) -> str:
    """Give linear algebra one thread, and return the hash of the code that this worker has to measure the cells.

    Raises
    ------
    ValueError
        If the backend can't be used here.
    """
    _one_thread(backend, dtype)
    return sweep_code(cells, backend)


def _one_thread(backend: str, dtype: str) -> None:
    """Whatever the engine: the number of threads shows in the last bits of a result. The limit isn't lifted again
    (other threads may be measuring) and is set for each task, since OpenMP counts by calling thread."""
    _libraries(backend, dtype).limit(limits=1)


@functools.cache
def _libraries(backend: str, dtype: str) -> ThreadpoolController:
    """The libraries that measuring uses, all loaded: one loaded later would not be limited."""
    import scipy.linalg  # noqa: F401  # has a BLAS of its own beside NumPy's
    from threadpoolctl import ThreadpoolController

    import empirical.measurement  # noqa: F401
    from empirical.backends import make_backend

    make_backend(backend, dtype)
    return ThreadpoolController()


def run_task(task: Task) -> list[Trial]:
    """Run the trials of a task. One that raises ``1 + retries`` times becomes a failed trial with its reason."""
    _one_thread(task.options["backend"], task.options["dtype"])
    return [_run_trial(task, index) for index in task.indices]


def failed(task: Task, index: int, reason: str, seconds: float, **more: Any) -> Trial:
    """A trial without samples and the reason for that, on one line; ``more`` goes into its provenance."""
    backend = task.options["backend"]
    provenance = {"code": code_of(task.cell, backend), "backend": backend, "dtype": task.options["dtype"], **more}
    return Trial(task.cell.key, index, "failed", " ".join(reason.split()), seconds, provenance=provenance)


def _run_trial(task: Task, index: int) -> Trial:
    start = time.perf_counter()
    reason = ""
    for _attempt in range(1 + task.retries):
        try:
            found = _measured(task, index)
        except Exception as error:  # whatever a backend raises is this trial's result, not the sweep's end
            reason = f"{type(error).__name__}: {error}"
        else:
            samples, provenance, own = found
            return Trial(
                cell=task.cell.key,
                index=index,
                status="done",
                seconds=time.perf_counter() - start,
                samples=samples,
                provenance=provenance,
                order_parameters=own,
            )
    return failed(task, index, reason, time.perf_counter() - start, host=host())


def _measured(task: Task, index: int) -> tuple[dict[str, Sample], Mapping[str, Any], OrderParameters | None]:
    """Samples, provenance and order parameters, as :class:`Trial` holds them."""
    cell = task.cell
    seed = trial_seed(task.seed, cell, index)
    measure = task.measure or _empirical_measure()
    size: dict[str, Any] = {"width": cell.width, "samples": cell.samples}
    given = {} if cell.inputs is None else {"inputs": cell.inputs.array}
    measurements = measure(cell.drawn, cell.metrics, **size, **given, seed=seed, **task.options)
    pairs = zip(cell.metrics, measurements, strict=True)
    samples = {metric.label: _sample(m) for metric, m in pairs}
    own = {key: value for key, value in measurements[0].provenance.items() if key not in _OF_ONE_TRIAL}
    origin = {"code": code_of(cell, task.options["backend"]), "host": host(), **own}
    return samples, origin, getattr(measurements[0], "order_parameters", None)


def _sample(measurement: Any) -> Sample:
    """What the store keeps of a measurement."""
    return Sample(
        mean=float(measurement.mean),
        second_moment=float(measurement.second_moment),
        largest=float(measurement.largest),
        outliers=tuple(float(value) for value in measurement.outliers),
        dimension=int(measurement.dimension),
        eigenvalues=measurement.eigenvalues,
    )


def _empirical_measure() -> Measure:
    from empirical import measure

    return measure
