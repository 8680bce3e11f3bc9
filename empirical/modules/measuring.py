"""`measure_module`: the metrics of any torch module, so that a trained network can be held against the theory of its
initialisation.

    FIM           over all parameters of the module                  layer: those of the l-th layer, 1..L
    NTK           Θ = JJᵀ in the parameterisation the module has     layer: likewise
    InputMetric   over the inputs h^{l-1} of the layers l = 1..L     layer: l - 1

A layer is a module that holds parameters itself, in the order of the first calls. A plain `Linear` network has the
layers, the FIM and the input metric of theory.md; its NTK in NTK parameterisation needs `measure`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, Unpack, overload

import numpy as np
import torch
from torch import nn

from empirical.backends.base import DTYPES, Array
from empirical.backends.torch import TorchBackend
from empirical.dual.families import family_of
from empirical.dual.gram import blocks
from empirical.dual.projection import Projection
from empirical.dual.statistics import Scope, from_dual
from empirical.measurement import as_metrics, check_options
from empirical.modules.given import check_model, chosen_parameters, model_inputs, model_state
from empirical.modules.subject import Subject, subject_of
from empirical.modules.tracing import GIVEN, MADE, Replica
from empirical.modules.undisturbed import undisturbed
from empirical.modules.ways import feature_product, parameter_product
from empirical.networks.layers.base import ACTIVATION, PREACTIVATION
from empirical.networks.overlaps import Sums
from empirical.networks.streams import describe_inputs
from empirical.provenance import describe_run, module_code_hash
from empirical.record import Extent, Measurement, Statistics
from meanfield.spec import Linear, Metric, MetricLike, OrderParameters

__all__ = ["check_served", "measure_module"]


class Options(TypedDict, total=False):
    """What `measure_module` takes by name."""

    dtype: str
    spectrum: Extent
    memory: int | None
    parameters: Literal["all", "trainable"]


@overload
def measure_module(model: nn.Module, inputs: Any, metric: MetricLike, **options: Unpack[Options]) -> Measurement: ...
@overload
def measure_module(
    model: nn.Module, inputs: Any, metric: list[Any] | tuple[Any, ...], **options: Unpack[Options]
) -> list[Measurement]: ...
def measure_module(
    model: nn.Module,
    inputs: Any,
    metric: MetricLike | list[Any] | tuple[Any, ...],
    *,
    dtype: str = "float64",
    spectrum: Extent = "extremes",
    memory: int | None = None,
    parameters: Literal["all", "trainable"] = "all",
) -> Measurement | list[Measurement]:
    """Measure metrics of a torch module on given samples.

    Parameters
    ----------
    model
        In eval mode, each sample's outputs depending on that sample alone; outputs (N, C), or (N,) for C = 1. It isn't
        changed.
    inputs
        The samples, (N, ...): a tensor or an array.
    metric, spectrum, memory
        As in :func:`empirical.measure`.
    dtype
        The precision computed in, whatever the model's.
    parameters
        ``"all"``, or ``"trainable"``: those with ``requires_grad`` alone count, in the metric and in P.

    Returns
    -------
    A :class:`Measurement`, or a list of them for a sequence of metrics; without width and seed. Its order parameters
    are those of the layers: ``forward`` of h^{l-1} and ``q`` of u^l, both per unit, and ``backward`` of ∂f/∂u^l.
    ``provenance["layers"]`` tells which way served each layer, ``provenance["signals"]`` how h and u were come by.

    Raises
    ------
    ValueError, TypeError
        For a model in training mode, one that mixes samples, is random or computes in a lower precision, NaN weights,
        or any argument that is not what is expected.
    empirical.dual.plan.TooLarge (a ValueError)
        If it can't fit into memory; with the bytes it would need.
    ArithmeticError
        If a result fails its checks: those of `measure`, and each layer's vᵀGv = |Jᵀv|² for a random v.
    """
    metrics, single = as_metrics(metric)
    for asked in metrics:
        check_served(asked)
    check_options(spectrum, False, "host")
    if dtype not in DTYPES:
        raise ValueError(f"dtype: expected one of {', '.join(DTYPES)}, got {dtype!r}")
    begin = time.perf_counter()
    check_model(model)
    names, kind = chosen_parameters(model, parameters), getattr(torch, dtype)
    backend = TorchBackend(dtype, str(next(model.parameters()).device))
    with torch.inference_mode(False), backend.strict(), undisturbed(model, kind), torch.enable_grad():
        replica = Replica(model, model_state(model, dtype), names, kind)
        subject = subject_of(replica, model_inputs(inputs, kind).to(backend.device), metrics, memory, backend)
        results, ways = _all_statistics(metrics, subject, Scope(spectrum, False))
        order_parameters = _order_parameters(subject)
    seconds = time.perf_counter() - begin
    given = describe_inputs(subject.inputs.detach().cpu().numpy(), tuple(subject.inputs.shape))
    more: dict[str, Any] = {
        "plan": {"route": "module"}, "inputs": given, "code": module_code_hash(metrics), "parameters": parameters,
        "layers": ways, "signals": {f"{name}:{kind}": s.way for (name, kind), s in subject.signals.items()},
    }  # fmt: skip
    common: dict[str, Any] = {
        "order_parameters": order_parameters, "width": None, "samples": len(subject.inputs), "seed": None,
        "outputs": subject.whole.outputs.shape[1], "spectrum": spectrum, "seconds": seconds,
        "provenance": describe_run(backend, seconds, **more),
    }  # fmt: skip
    measured = [Measurement(**vars(statistics), **common) for statistics in results]
    return measured[0] if single else measured


def check_served(metric: Metric) -> None:
    """Raise ``ValueError`` for a metric that tells weights from biases: a layer of a module gives all its parameters,
    whatever they are."""
    family = family_of(metric)
    if family.signal == PREACTIVATION and 0 in family.weighting(Linear(1.0, 1.0), 1):
        raise ValueError(f"metric: expected one over all parameters of a layer for a module, got {metric.family}")


@dataclass
class _Bare:
    """What metrics of the same layers and kind share: the sum of the layers' products, its trace, how many numbers the
    layers hold, and which way served each."""

    dual: Array
    trace: Array
    held: int
    ways: dict[str, str]


def _all_statistics(
    metrics: Sequence[Metric], subject: Subject, scope: Scope
) -> tuple[list[Statistics], dict[str, str]]:
    """Each metric's, and the way that served each layer."""
    found: dict[int, Statistics] = {}
    ways: dict[str, str] = {}
    kinds = [(family_of(m).signal, tuple(blocks(m, len(subject.whole.calls)))) for m in metrics]
    for kind in dict.fromkeys(kinds):
        concerned = [i for i, other in enumerate(kinds) if other == kind]
        bare = _bare(subject, *kind)
        ways |= bare.ways
        for i in concerned:
            found[i] = _statistics(metrics[i], bare, subject, scope, last=i == concerned[-1])
    return [found[i] for i in range(len(metrics))], ways


def _bare(subject: Subject, kind: str, layers: Sequence[int]) -> _Bare:
    """Sum what the layers give."""
    bare: _Bare | None = None
    for l in layers:
        way = ""
        if kind == ACTIVATION:
            (product, trace), held = feature_product(subject, l)
        else:
            (product, trace), held, way = parameter_product(subject, l)
        ways = {subject.whole.calls[l - 1].name: way} if way else {}
        if bare is None:
            bare = _Bare(product, trace, held, ways)
        else:
            bare.dual += product
            bare = _Bare(bare.dual, bare.trace + trace, bare.held + held, bare.ways | ways)
        del product
    if bare is None:
        raise ValueError("layer: expected layers, got none")
    return bare


def _statistics(metric: Metric, bare: _Bare, subject: Subject, scope: Scope, last: bool) -> Statistics:
    """Ask the dual; the ``last`` metric may overwrite the sum."""
    samples, outputs = subject.whole.outputs.shape
    family = family_of(metric)
    scale = 1.0 / family.divisor(samples)
    dual = bare.dual.mul_(scale) if last else bare.dual * scale
    projection = Projection(metric, subject.whole.outputs.detach(), subject.backend)
    return from_dual(projection, dual, bare.trace * scale, family.dimension(bare.held, outputs * samples), scope)[0]


def _order_parameters(subject: Subject) -> OrderParameters:
    """q of u, forward of h, backward of δ, layer by layer; NaN where a layer has no such signal."""
    samples = len(subject.inputs)

    def overlaps(x: torch.Tensor | None, per_unit: bool) -> tuple[float, ...]:
        if x is None:
            return math.nan, math.nan
        flat = x.reshape(*x.shape[: 1 if per_unit else 2], -1)
        both = Sums(subject.backend).add(flat, samples).overlaps(samples) / (flat.shape[-1] if per_unit else 1)
        return tuple(subject.backend.host(both).tolist())

    rows = []
    for call in subject.whole.calls:
        made, given = (subject.signals.get((call.name, kind)) for kind in (MADE, GIVEN))
        q, forward = (overlaps(None if s is None else s.value, True) for s in (made, given))
        rows.append((*q, *forward, *overlaps(None if made is None else made.gradient, False)))
    return OrderParameters.of(dict(zip(OrderParameters.NAMES, np.array(rows).T, strict=True)))
