"""`empirical_kernel`: a network's kernel as a matrix; `empirical_diagonal`; `plan_kernel`, what it would take."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from empirical.dual.families import family_of
from empirical.dual.plan import TooLarge, gibibytes
from empirical.kernels import files
from empirical.kernels.filling import fill, fill_diagonal
from empirical.kernels.layouts import layout_of
from empirical.kernels.network import network_source
from empirical.kernels.plan import BLOCK, KernelPlan, choose, diagonal_bytes
from empirical.kernels.record import EmpiricalKernel, KernelDiagonal
from empirical.kernels.source import Source
from empirical.measurement import memory_budget
from empirical.networks import streams
from empirical.provenance import describe_run
from meanfield.spec import Metric, MetricLike, Network, as_metric, positive_integer

__all__ = ["Options", "empirical_diagonal", "empirical_kernel", "plan_kernel"]

OF_NETWORK = ("width", "seed", "backend", "dtype", "rng")
OF_MODULE = ("dtype", "parameters")


class Options(TypedDict, total=False):
    """What tells which network it is. Of a random one ``width``, ``seed`` (0), ``backend`` and ``rng`` as
    :func:`empirical.measure` has them; of a module ``parameters`` as :func:`empirical.measure_module`; ``dtype`` of
    both."""

    width: int
    seed: streams.Seed
    backend: str
    rng: streams.Rng
    dtype: str
    parameters: Literal["all", "trainable"]


def empirical_kernel(
    model: Any,
    X: Any,
    X2: Any = None,
    metric: MetricLike = "ntk",
    *,
    outputs: Literal["sum", "each", "full"] = "sum",
    out: str | Path | None = None,
    memory: int | None = None,
    block: int | None = None,
    progress: bool = True,
    **options: Unpack[Options],
) -> EmpiricalKernel:
    """The kernel of a random network, or of a torch module, between samples X and X2 (or X itself).

        K[k n, k' m] = ν ∂f_k(x_n)/∂θ · ∂f_k'(x'_m)/∂θ

    with ν and θ those of the metric (theory.md §7): the NTK, or the dual of the FIM or of the input metric. With X2
    left out its non-zero eigenvalues, of the whole CN × CN, are the metric's.

    Parameters
    ----------
    model
        A :class:`meanfield.Network`, of which one is drawn, or a ``torch.nn.Module`` in eval mode.
    X, X2
        Samples (N, ...) and (N', ...).
    metric
        Whole, or of a layer; of plain outputs.
    outputs
        ``"sum"`` over k = k', (N, N'); ``"each"`` of them, (C, N, N'); ``"full"``, (C, N, C, N').
    out
        A ``.npy`` file to write to, block by block. If it has been begun, the same question goes on where it was left,
        bit for bit, and a finished one is only opened.
    memory
        Bytes that may be taken; nine tenths of what is free by default.
    block
        Samples in a block; chosen from the memory by default.
    progress
        Whether to show any.
    options
        See :class:`Options`.

    Raises
    ------
    ValueError, TypeError
        For an argument that is not as expected, or a file of another question.
    empirical.dual.plan.TooLarge (a ValueError)
        If it can't fit into memory; with the bytes it would need.
    ArithmeticError
        If the network overflows, or a layer's gradients aren't those of autograd.
    """
    begin = time.perf_counter()
    source = _source(model, X, X2, metric, outputs, options)
    question = source.question()
    path = None if out is None else _path(out)
    known = None if path is None else files.begun(path, question)
    # What is finished is only opened.
    budget = sys.maxsize if known is not None and known.done == known.blocks else memory_budget(memory, source.backend)
    plan = choose(source, budget, path is None, _rows(block, known))
    provenance = describe_run(source.backend, 0.0, question=question, plan=plan.to_dict(), code=question["code"])
    if path is None:
        values = _filled(source, plan, progress)
    else:
        values = _written(source, plan, path, known, provenance, progress)
    seconds = time.perf_counter() - begin
    return EmpiricalKernel(
        metric=source.metric, outputs=outputs, axes=source.layout.axes, values=values, path=path, plan=plan,
        divisor=family_of(source.metric).divisor(len(source.samples)), seconds=seconds, warnings=_warnings(source),
        provenance={**provenance, "seconds": seconds},
    )  # fmt: skip


def plan_kernel(
    model: Any,
    X: Any,
    X2: Any = None,
    metric: MetricLike = "ntk",
    *,
    outputs: Literal["sum", "each", "full"] = "sum",
    out: str | Path | None = None,
    memory: int | None = None,
    block: int | None = None,
    **options: Unpack[Options],
) -> KernelPlan:
    """What :func:`empirical_kernel` would take of memory and disk, with its arguments and errors. Nothing is written.

    The network is drawn, or the module passes one sample, to tell.
    """
    source = _source(model, X, X2, metric, outputs, options)
    path = None if out is None else _path(out)
    known = None if path is None else files.begun(path, source.question())
    return choose(source, memory_budget(memory, source.backend), path is None, _rows(block, known))


def empirical_diagonal(
    model: Any,
    X: Any,
    metric: MetricLike = "ntk",
    *,
    outputs: Literal["sum", "each"] = "sum",
    memory: int | None = None,
    block: int | None = None,
    progress: bool = True,
    **options: Unpack[Options],
) -> KernelDiagonal:
    """``K(x_n, x_n)`` of each sample, and the trace, without the matrix: arguments and errors as above."""
    begin = time.perf_counter()
    if outputs not in ("sum", "each"):
        raise ValueError(f"outputs: expected one of sum, each, got {outputs!r}")
    source = _source(model, X, None, metric, outputs, options)
    rows = min(len(source.samples), BLOCK if block is None else positive_integer("block", block))
    budget = memory_budget(memory, source.backend)
    while block is None and rows > 1 and diagonal_bytes(source, rows) > budget:
        rows = -(-rows // 2)
    if (needed := diagonal_bytes(source, rows)) > budget:
        raise TooLarge(
            f"memory: expected a diagonal that fits into {gibibytes(budget)}, got one in blocks of {rows} samples, "
            f"which needs {gibibytes(needed)}"
        )
    values = fill_diagonal(source, rows, progress)
    question = source.question()
    seconds = time.perf_counter() - begin
    return KernelDiagonal(
        metric=source.metric, outputs=outputs, axes=source.layout.axes[:-1],
        values=values[0] if source.layout.is_summed else values,
        divisor=family_of(source.metric).divisor(len(source.samples)), seconds=seconds,
        provenance=describe_run(source.backend, seconds, question=question, code=question["code"]),
    )  # fmt: skip


def _source(model: Any, x: Any, x2: Any, metric: MetricLike, outputs: str, options: Options) -> Source:
    asked, layout = _plain(as_metric(metric)), layout_of(outputs)
    random = isinstance(model, Network)
    allowed = OF_NETWORK if random else OF_MODULE
    if unknown := [name for name in options if name not in allowed]:
        kind = "a Network" if random else "a torch module"
        raise TypeError(f"{unknown[0]}: expected one of {', '.join(allowed)} for {kind}, got {unknown[0]!r}")
    given: dict[str, Any] = {**options}
    if isinstance(model, Network):
        return network_source(model, x, x2, asked, layout, **given)
    from empirical.kernels.module import module_source

    return module_source(model, x, x2, asked, layout, **given)


def _plain(metric: Metric) -> Metric:
    """A sandwich or a mean over the samples is no function of two samples."""
    if metric.loss != "mse" or metric.centered:
        raise ValueError(f"metric: expected one of plain outputs (mse, not centred) for a kernel, got {metric.label}")
    return metric


def _path(out: str | Path) -> Path:
    path = Path(out)
    if path.suffix != ".npy":
        raise ValueError(f"out: expected a .npy file, got {str(out)!r}")
    if not path.parent.is_dir():
        raise ValueError(f"out: expected a file in an existing folder, got {str(out)!r}")
    return path


def _rows(block: int | None, known: files.Begun | None) -> int | None:
    asked = None if block is None else positive_integer("block", block)
    if known is not None and asked not in (None, known.rows):
        raise ValueError(f"block: expected {known.rows}, that of the file, got {asked}")
    return asked if known is None else known.rows


def _filled(source: Source, plan: KernelPlan, progress: bool) -> NDArray[Any]:
    values = np.empty(plan.shape, dtype=plan.dtype)
    fill(source, plan, values, 0, lambda _: None, progress)
    return values


def _written(
    source: Source, plan: KernelPlan, path: Path, known: files.Begun | None, provenance: dict[str, Any], progress: bool
) -> NDArray[Any]:
    if not path.exists():
        with files.writing(path, plan, known, provenance) as file:
            fill(source, plan, file.values, file.done, file.commit, progress)
    return files.finished(path, plan)


def _warnings(source: Source) -> tuple[str, ...]:
    if source.others is None or not family_of(source.metric).averaged:
        return ()
    return (f"values: ν = 1/N counts the {len(source.samples)} samples of X, whatever those of X2",)
