"""What a sweep will take, before it is run: memory by the plan of `empirical`, time by that and two timed trials."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from empirical.dual.plan import Plan, Size, TooLarge, choose, gibibytes
from meanfield.text import alike, format_table
from verify.asking.records import Cell
from verify.asking.sweep import Sweep
from verify.running.trials import Task, prepare_worker, run_task

__all__ = ["CellEstimate", "check_fits", "estimate", "estimate_table"]

WORKER_BYTES = 160 * 2**20  # what a worker holds before its first trial: Python, NumPy, SciPy; resident set, measured


@dataclass(frozen=True)
class CellEstimate:
    """A cell, and how one of its trials would be measured: ``None`` if it doesn't fit into the sweep's memory, with the
    ``reason``. ``seconds``: of a trial on one worker, NaN where not known."""

    cell: Cell
    plan: Plan | None
    reason: str
    seconds: float


def estimate(sweep: Sweep) -> tuple[CellEstimate, ...]:
    """Estimates for each cell of ``sweep``, from trials of its cheapest and its median cell, timed here and now.

    Time is taken to be linear in flops. Good to a factor of two or so. NaN if the sweep's backend can't be used here.
    """
    plans = [(cell, *_plan(sweep, cell)) for cell in sweep.cells()]
    try:
        prepare_worker(sweep.run.backend, sweep.run.dtype, ())
    except ValueError as error:  # a cluster's workers may have what this machine lacks
        return tuple(CellEstimate(cell, plan, reason or str(error), math.nan) for cell, plan, reason in plans)
    possible = sorted(((plan.flops, cell) for cell, plan, _ in plans if plan is not None), key=lambda pair: pair[0])
    timed = [(flops, _seconds(sweep, cell)) for flops, cell in {*possible[:1], *possible[len(possible) // 2 :][:1]}]
    return tuple(
        CellEstimate(cell, plan, reason, math.nan if plan is None else _on_line(plan.flops, sorted(timed)))
        for cell, plan, reason in plans
    )


def check_fits(sweep: Sweep) -> None:
    """Raise ``ValueError`` if no cell of the sweep fits into its memory, so that every trial would fail."""
    reasons = [reason for plan, reason in (_plan(sweep, cell) for cell in sweep.cells()) if plan is None]
    if len(reasons) == len(sweep.cells()):
        raise ValueError(f"run.{reasons[0]}")


def _on_line(flops: float, timed: Sequence[tuple[float, float]]) -> float:
    """Seconds at ``flops`` on the line through the points timed; through the origin where that line is no good."""
    (x, y), (x2, y2) = timed[0], timed[-1]
    slope = (y2 - y) / (x2 - x) if x2 > x else 0.0
    return y + slope * (flops - x) if slope > 0 else y2 * flops / x2


def estimate_table(sweep: Sweep, estimates: Sequence[CellEstimate], workers: int) -> str:
    """For people: a line for each cell, then the sums."""
    header = ("network", "L", "M", "N", "C", "metrics", "trials", "memory", "s/trial")
    lines = [_line(sweep, e) for e in estimates]
    fitting = [e for e in estimates if e.plan]
    seconds = sweep.run.trials * sum(e.seconds for e in fitting) / workers
    memory = workers * (WORKER_BYTES + max((e.plan.bytes for e in fitting if e.plan), default=0))
    total = len(fitting) * sweep.run.trials
    notes = dict.fromkeys(e.reason for e in estimates if e.reason)
    sums = f"{total} trials, {_duration(seconds)} and {gibibytes(memory)} on {workers} workers"
    return "\n".join([format_table(header, lines), *notes, sums])


def _line(sweep: Sweep, e: CellEstimate) -> tuple[str, ...]:
    network = e.cell.network
    name = f"{alike(network.activation)} ({alike(network.weight_variance)}, {alike(network.bias_variance)})"
    name += f", {e.cell.law.data}" if e.cell.law.data else ""
    sizes = (network.depth, e.cell.width, e.cell.samples, network.outputs, len(e.cell.metrics), sweep.run.trials)
    memory = "too large" if e.plan is None else gibibytes(e.plan.bytes)
    return (name, *map(str, sizes), memory, f"{e.seconds:.2g}")


def _duration(seconds: float) -> str:
    if math.isnan(seconds):
        return "unknown time"
    size, unit = next((s, u) for s, u in ((3600, "hours"), (60, "minutes"), (0, "seconds")) if seconds >= 2 * s)
    return f"about {seconds / (size or 1):.2g} {unit}"


def _plan(sweep: Sweep, cell: Cell) -> tuple[Plan | None, str]:
    options = sweep.run.options()
    itemsize = np.dtype(options["dtype"]).itemsize
    size = Size.of(cell.drawn, cell.metrics, cell.width, cell.samples, options["spectrum"], itemsize)
    try:
        return choose(size, options["memory"]), ""
    except TooLarge as error:
        return None, str(error)


def _seconds(sweep: Sweep, cell: Cell) -> float:
    task = Task(cell, (0,), sweep.run.seed, sweep.run.options(), 0)
    run_task(task)  # the first trial of a process also loads libraries
    (trial,) = run_task(task)
    return trial.seconds if trial.status == "done" else math.nan
