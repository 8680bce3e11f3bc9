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
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from empirical.backends.base import DTYPES, Array
from empirical.backends.torch import TorchBackend
from empirical.measurement import MetricLike, as_metrics, check_options, check_outputs
from empirical.module_layers import Contribution, Trace, dense_gradients, parameter_product, pass_through
from empirical.network import Sums
from empirical.plan import TooLarge, gibibytes
from empirical.projection import Projection
from empirical.provenance import describe_run
from empirical.record import Measurement, OrderParameters, Spectrum
from empirical.routes import Question, from_dual
from meanfield.spec import Metric, positive_integer

__all__ = ["measure_module"]


def measure_module(
    model: nn.Module,
    inputs: Any,
    metric: MetricLike | list[Any] | tuple[Any, ...],
    *,
    dtype: str = "float64",
    spectrum: Spectrum = "moments",
    memory: int | None = None,
) -> Any:
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
        For a model in training mode, one that mixes samples, NaN weights, or any argument that is not what is expected.
    """
    metrics, single = as_metrics(metric)
    check_options(spectrum, False, "host")
    if dtype not in DTYPES:
        raise ValueError(f"dtype: expected one of {', '.join(DTYPES)}, got {dtype!r}")
    begin = time.perf_counter()
    subject = _subject(model, inputs, dtype)
    outputs = subject.trace.outputs.shape[1]
    for asked in metrics:
        _check_layer(asked, len(subject.trace.layers))
        check_outputs(asked, outputs)
    _check_memory(subject, memory)
    with subject.backend.strict():
        results = [_statistics(m, subject, Question(spectrum, False)) for m in metrics]
        parameters = _order_parameters(subject)
    seconds = time.perf_counter() - begin
    record = describe_run(subject.backend, seconds, plan={"route": "module"})
    shared: dict[str, Any] = {
        "order_parameters": parameters, "width": None, "samples": len(subject.inputs), "seed": None,
        "spectrum": spectrum, "seconds": seconds, "provenance": record,
    }  # fmt: skip
    measured = [Measurement(**vars(statistics), **shared) for statistics in results]
    return measured[0] if single else measured


@dataclass(frozen=True)
class _Subject:
    """A model on its samples, passed forward and backward: ``deltas`` ∂f/∂u^l and ``features`` ∂f/∂h^{l-1}, (C, N, ...)
    or ``None`` where f doesn't depend on them through one call."""

    model: nn.Module
    state: dict[str, torch.Tensor]
    inputs: torch.Tensor
    trace: Trace
    deltas: list[Array | None]
    features: list[Array | None]
    backend: TorchBackend


def _subject(model: Any, inputs: Any, dtype: str) -> _Subject:
    """The model run on its inputs, everything checked."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model: expected a torch.nn.Module, got {type(model).__name__}")
    if any(m.training for m in model.modules()):
        raise ValueError("model: expected eval mode, got training mode; model.eval() sets it")
    kind = getattr(torch, dtype)
    state = {n: _cast(x, kind) for n, x in [*model.named_parameters(), *model.named_buffers()]}
    for name, _ in model.named_parameters():
        if not torch.isfinite(state[name]).all():
            raise ValueError(f"model: expected finite parameters, got NaN or infinity in {name}")
        state[name].requires_grad_()
    if not any(True for _ in model.parameters()):
        raise ValueError("model: expected parameters, got none")
    device = next(model.parameters()).device
    x = _inputs(inputs, kind).to(device)
    trace = pass_through(model, state, x)
    _check_outputs(model, state, x, trace.outputs)
    deltas, features = _signals(trace)
    return _Subject(model, state, x, trace, deltas, features, TorchBackend(dtype, str(device)))


def _cast(x: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
    return x.detach().to(kind).clone() if x.is_floating_point() else x.detach()


def _inputs(inputs: Any, kind: torch.dtype) -> torch.Tensor:
    try:
        x = inputs if isinstance(inputs, torch.Tensor) else torch.tensor(np.asarray(inputs))
    except (TypeError, ValueError):
        raise TypeError(f"inputs: expected a tensor or an array of numbers, got {type(inputs).__name__}") from None
    if x.ndim == 0 or x.shape[0] == 0:
        raise ValueError(f"inputs: expected shape (N, ...) with N >= 1, got {tuple(x.shape)}")
    x = _cast(x, kind)
    if x.is_floating_point() and not torch.isfinite(x).all():
        raise ValueError("inputs: expected finite numbers, got NaN or infinity")
    return x.requires_grad_() if x.is_floating_point() else x


def _check_outputs(model: nn.Module, state: dict[str, torch.Tensor], x: torch.Tensor, outputs: Any) -> None:
    """That they are (N, C), finite, and each sample's its own."""
    if not isinstance(outputs, torch.Tensor) or outputs.ndim != 2 or outputs.shape[0] != x.shape[0]:
        got = tuple(outputs.shape) if isinstance(outputs, torch.Tensor) else type(outputs).__name__
        raise ValueError(f"model: expected outputs of shape ({x.shape[0]}, C), got {got}")
    if not torch.isfinite(outputs).all():
        raise ValueError("model: expected finite outputs, got NaN or infinity")
    rounding = torch.finfo(outputs.dtype).eps ** 0.75
    with torch.no_grad():
        for i in (0, x.shape[0] - 1):
            alone = torch.func.functional_call(model, state, (x[i : i + 1],))[0]
            if not torch.allclose(alone, outputs[i], rtol=rounding, atol=rounding * float(outputs.abs().max())):
                raise ValueError("model: expected outputs of one sample each, got ones that mix samples")


def _signals(trace: Trace) -> tuple[list[Array | None], list[Array | None]]:
    """∂f/∂u and ∂f/∂h of every layer by one backward pass for each output."""
    tensors = [t for layer in trace.layers for t in (layer.made, layer.given)]
    usable = [t for t in tensors if isinstance(t, torch.Tensor) and t.requires_grad]
    columns = [
        torch.autograd.grad(trace.outputs[:, k].sum(), usable, retain_graph=True, materialize_grads=True)
        for k in range(trace.outputs.shape[1])
    ]
    stacked = {id(t): torch.stack(g) for t, g in zip(usable, zip(*columns, strict=True), strict=True)}
    of = [stacked.get(id(t)) for t in tensors]
    return of[0::2], of[1::2]


def _check_layer(metric: Metric, depth: int) -> None:
    allowed = metric.layers(depth)
    if metric.layer is not None and metric.layer not in allowed:
        raise ValueError(f"layer: expected {allowed[0]}..{allowed[-1]} for {metric.family} here, got {metric.layer}")


def _check_memory(subject: _Subject, memory: int | None) -> None:
    """Three matrices of order CN are alive at once."""
    order = subject.trace.outputs.numel()
    budget = int(0.9 * subject.backend.free_memory()) if memory is None else positive_integer("memory", memory)
    needed = 3 * subject.backend.dtype_bytes * order**2
    if needed > budget:
        raise TooLarge(f"memory: expected a measurement that fits into {gibibytes(budget)}, got one that needs "
                       f"{gibibytes(needed)} for {order} outputs × samples")  # fmt: skip


def _statistics(metric: Metric, subject: _Subject, question: Question) -> Any:
    """Sum what the layers give, and ask the dual."""
    samples, outputs = subject.trace.outputs.shape
    dual = subject.backend.zeros((outputs, samples, outputs, samples))
    trace, dimension = subject.backend.zeros(()), 0
    scale = 1.0 if metric.family == "ntk" else 1.0 / samples
    give = _feature_product if metric.family == "input_metric" else _parameter_product
    for l in metric.layers(len(subject.trace.layers)) if metric.layer is None else (metric.layer,):
        (product, of_trace), count = give(subject, l)
        dual += product * scale
        trace += of_trace * scale
        dimension += count
    projection = Projection(metric, subject.trace.outputs.detach(), subject.backend)
    return from_dual(projection, dual, trace, outputs * samples if metric.family == "ntk" else dimension, question)[0]


def _parameter_product(subject: _Subject, l: int) -> tuple[Contribution, int]:
    layer = subject.trace.layers[l - 1]
    owners = [id(p) for other in subject.trace.layers for p in other.module.parameters(recurse=False)]
    shared = any(owners.count(id(p)) > 1 for p in layer.parameters.values())
    names = {n for n, _ in subject.model.named_parameters()}  # a shared parameter has the name of its first owner

    def gradient(asked: tuple[str, ...]) -> Array:
        own = tuple(n for n in asked if n in names)
        return dense_gradients(subject.model, subject.state, own, subject.inputs, subject.trace.outputs.shape[1])

    count = sum(p.numel() for n, p in layer.parameters.items() if n in names)
    return parameter_product(layer, shared, subject.deltas[l - 1], gradient, subject.backend), count


def _feature_product(subject: _Subject, l: int) -> tuple[Contribution, int]:
    signal, calls = subject.features[l], subject.trace.layers[l].calls
    if signal is None or calls != 1:
        raise ValueError(
            f"layer: expected an input of a layer called once for input_metric, got {l}, called {calls} times"
        )
    outputs, samples = signal.shape[:2]
    flat = signal.reshape(outputs * samples, -1)
    product = subject.backend.gram(flat).reshape(outputs, samples, outputs, samples)
    return (product, (flat**2).sum()), flat.shape[1]


def _order_parameters(subject: _Subject) -> OrderParameters:
    layers, samples = subject.trace.layers, subject.trace.outputs.shape[0]

    def overlaps(x: Any, per_unit: bool) -> tuple[float, float]:
        if not isinstance(x, torch.Tensor):
            return math.nan, math.nan
        flat = x.detach().reshape(*x.shape[: 1 if per_unit else 2], -1)
        both = Sums(subject.backend).add(flat, samples).overlaps(samples) / (flat.shape[-1] if per_unit else 1)
        return tuple(subject.backend.host(both).tolist())

    q = np.array([overlaps(layer.made, True) for layer in layers])
    forward = np.array([overlaps(layer.given, True) for layer in layers])
    backward = np.array([overlaps(delta, False) for delta in subject.deltas])
    return OrderParameters(q[:, 0], q[:, 1], forward[:, 0], forward[:, 1], backward[:, 0], backward[:, 1])
