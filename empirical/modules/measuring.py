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
from typing import Any, TypedDict, Unpack, overload

import numpy as np
import torch
from torch import nn

from empirical.backends.base import DTYPES, Array
from empirical.backends.torch import TorchBackend
from empirical.dual import eigen
from empirical.dual.families import family_of
from empirical.dual.gram import blocks
from empirical.dual.projection import Projection
from empirical.dual.statistics import Scope, from_dual
from empirical.measurement import as_metrics, check_options
from empirical.modules.checking import model_inputs, model_state
from empirical.modules.contributions import Contribution, dense_gradients, feature_product, parameter_product
from empirical.modules.subject import Subject, subject_of
from empirical.modules.tracing import undisturbed
from empirical.networks.layers.base import ACTIVATION, PREACTIVATION
from empirical.networks.overlaps import Sums
from empirical.networks.streams import describe_inputs
from empirical.provenance import describe_run, module_code_hash
from empirical.record import Extent, Measurement, Statistics
from meanfield.spec import Linear, Metric, MetricLike, OrderParameters

__all__ = ["measure_module"]


class Options(TypedDict, total=False):
    """What `measure_module` takes by name."""

    dtype: str
    spectrum: Extent
    memory: int | None


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
    spectrum: Extent = "moments",
    memory: int | None = None,
) -> Measurement | list[Measurement]:
    """Measure metrics of a torch module on given samples.

    Parameters
    ----------
    model
        In eval mode, each sample's outputs depending on that sample alone; outputs (N, C). It isn't changed.
    inputs
        The samples, (N, ...): a tensor or an array.
    metric, spectrum, memory
        As in :func:`empirical.measure`.
    dtype
        The precision computed in, whatever the model's.

    Returns
    -------
    A :class:`Measurement`, or a list of them for a sequence of metrics; without width and seed. Its order parameters
    are those of the layers: ``forward`` of h^{l-1} and ``q`` of u^l, both per unit, and ``backward`` of ∂f/∂u^l.

    Raises
    ------
    ValueError, TypeError
        For a model in training mode, one that mixes samples or is random, NaN weights, or any argument that is not what
        is expected.
    empirical.dual.plan.TooLarge (a ValueError)
        If it can't fit into memory; with the bytes it would need.
    ArithmeticError
        If a result fails its checks: those of `measure`, and each layer's vᵀGv = |Jᵀv|² for a random v.
    """
    metrics, single = as_metrics(metric)
    for asked in metrics:
        _check_served(asked)
    check_options(spectrum, False, "host")
    if dtype not in DTYPES:
        raise ValueError(f"dtype: expected one of {', '.join(DTYPES)}, got {dtype!r}")
    begin = time.perf_counter()
    state, x = model_state(model, dtype), model_inputs(inputs, getattr(torch, dtype))
    backend = TorchBackend(dtype, str(next(model.parameters()).device))
    with backend.strict(), undisturbed(model):
        subject = subject_of(model, state, x.to(backend.device), metrics, memory, backend)
        results = [_statistics(m, subject, Scope(spectrum, False)) for m in metrics]
        parameters = _order_parameters(subject)
    seconds = time.perf_counter() - begin
    given = describe_inputs(subject.inputs.detach().cpu().numpy(), tuple(subject.inputs.shape))
    more: dict[str, Any] = {"plan": {"route": "module"}, "inputs": given, "code": module_code_hash(metrics)}
    common: dict[str, Any] = {
        "order_parameters": parameters, "width": None, "samples": len(subject.inputs), "seed": None,
        "spectrum": spectrum, "seconds": seconds, "provenance": describe_run(backend, seconds, **more),
    }  # fmt: skip
    measured = [Measurement(**vars(statistics), **common) for statistics in results]
    return measured[0] if single else measured


def _check_served(metric: Metric) -> None:
    """A layer of a module gives all its parameters, whatever they are: none of them is known as weights or biases."""
    family = family_of(metric)
    if family.signal == PREACTIVATION and 0 in family.weighting(Linear(1.0, 1.0), 1):
        raise ValueError(f"metric: expected one over all parameters of a layer for a module, got {metric.family}")


def _statistics(metric: Metric, subject: Subject, scope: Scope) -> Statistics:
    """Sum what the layers give, and ask the dual."""
    samples, outputs = subject.trace.outputs.shape
    family = family_of(metric)
    dual = subject.backend.zeros((outputs, samples, outputs, samples))
    trace, held = subject.backend.zeros(()), 0
    scale = 1.0 / family.divisor(samples)
    give = _of_features if family.signal == ACTIVATION else _of_parameters
    for l in blocks(metric, len(subject.trace.calls)):
        (product, of_trace), count = give(subject, l)
        dual += product * scale
        trace += of_trace * scale
        held += count
    projection = Projection(metric, subject.trace.outputs.detach(), subject.backend)
    return from_dual(projection, dual, trace, family.dimension(held, outputs * samples), scope)[0]


def _of_parameters(subject: Subject, l: int) -> tuple[Contribution, int]:
    """What layer l = 1..L gives, and how many parameters it has."""
    call = subject.trace.calls[l - 1]
    own = {n: p for n, p in call.parameters.items() if n in subject.pulled}  # a shared one has its first owner's name

    def gradient() -> Array:
        outputs = subject.trace.outputs.shape[1]
        return dense_gradients(subject.model, subject.state, tuple(own), subject.inputs, outputs)

    def check(found: Contribution) -> None:
        v, expected = subject.cotangent.reshape(-1), sum(subject.pulled[n] for n in own)
        got = float(v @ (found[0].reshape(len(v), -1) @ v))
        scale = float(found[1]) + expected
        eigen.check_close(f"|Jᵀv|² of layer {l}", got, expected, scale, len(v), subject.backend.precision)

    shared, delta = subject.trace.shares(call), subject.deltas[l - 1]
    found = parameter_product(call, shared, delta, gradient, check, subject.backend)
    return found, sum(p.numel() for p in own.values())


def _of_features(subject: Subject, l: int) -> tuple[Contribution, int]:
    """What h^l = 0..L-1 gives, and how many features it has."""
    call, signal = subject.trace.calls[l], subject.features[l]
    if call.count != 1:
        raise ValueError(f"layer: expected layers called once for input_metric, got {l + 1}, called {call.count} times")
    if signal is None:
        raise ValueError(f"layer: expected layers with real inputs for input_metric, got {l + 1}, which has none")
    return feature_product(signal, subject.backend), math.prod(signal.shape[2:])


def _order_parameters(subject: Subject) -> OrderParameters:
    calls, samples = subject.trace.calls, subject.trace.outputs.shape[0]

    def overlaps(x: Any, per_unit: bool) -> tuple[float, float]:
        if not isinstance(x, torch.Tensor):
            return math.nan, math.nan
        flat = x.detach().reshape(*x.shape[: 1 if per_unit else 2], -1)
        both = Sums(subject.backend).add(flat, samples).overlaps(samples) / (flat.shape[-1] if per_unit else 1)
        return tuple(subject.backend.host(both).tolist())

    q = np.array([overlaps(call.made, True) for call in calls])
    forward = np.array([overlaps(call.given, True) for call in calls])
    backward = np.array([overlaps(delta, False) for delta in subject.deltas])
    return OrderParameters.of(dict(zip(OrderParameters.NAMES, (*q.T, *forward.T, *backward.T), strict=True)))
