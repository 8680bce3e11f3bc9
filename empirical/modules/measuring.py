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
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import torch
from torch import nn

from empirical.backends.base import DTYPES, Array
from empirical.backends.torch import TorchBackend
from empirical.dual import eigen
from empirical.dual.plan import TooLarge, gibibytes
from empirical.dual.projection import Projection
from empirical.dual.routes import Question, from_dual
from empirical.measurement import MetricLike, as_metrics, check_options, check_outputs
from empirical.modules.layers import (
    Contribution,
    Trace,
    bytes_needed,
    dense_gradients,
    parameter_product,
    pass_through,
    undisturbed,
)  # fmt: skip
from empirical.networks.passes import Sums
from empirical.networks.sampling import describe_inputs
from empirical.provenance import describe_run
from empirical.record import Measurement, Spectrum, Statistics
from meanfield.spec import Metric, OrderParameters, positive_integer

__all__ = ["measure_module"]


@overload
def measure_module(
    model: nn.Module,
    inputs: Any,
    metric: MetricLike,
    *,
    dtype: str = ...,
    spectrum: Spectrum = ...,
    memory: int | None = ...,
) -> Measurement: ...
@overload
def measure_module(
    model: nn.Module,
    inputs: Any,
    metric: list[Any] | tuple[Any, ...],
    *,
    dtype: str = ...,
    spectrum: Spectrum = ...,
    memory: int | None = ...,
) -> list[Measurement]: ...
def measure_module(
    model: nn.Module,
    inputs: Any,
    metric: MetricLike | list[Any] | tuple[Any, ...],
    *,
    dtype: str = "float64",
    spectrum: Spectrum = "moments",
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
    check_options(spectrum, False, "host")
    if dtype not in DTYPES:
        raise ValueError(f"dtype: expected one of {', '.join(DTYPES)}, got {dtype!r}")
    begin = time.perf_counter()
    state, x = _model_state(model, dtype), _inputs(inputs, getattr(torch, dtype))
    backend = TorchBackend(dtype, str(next(model.parameters()).device))
    with backend.strict(), undisturbed(model):
        subject = _subject(model, state, x.to(backend.device), metrics, memory, backend)
        results = [_statistics(m, subject, Question(spectrum, False)) for m in metrics]
        parameters = _order_parameters(subject)
    seconds = time.perf_counter() - begin
    given = describe_inputs(subject.inputs.detach().cpu().numpy(), tuple(subject.inputs.shape))
    record = describe_run(backend, seconds, plan={"route": "module"}, inputs=given)
    shared: dict[str, Any] = {
        "order_parameters": parameters, "width": None, "samples": len(subject.inputs), "seed": None,
        "spectrum": spectrum, "seconds": seconds, "provenance": record,
    }  # fmt: skip
    measured = [Measurement(**vars(statistics), **shared) for statistics in results]
    return measured[0] if single else measured


@dataclass(frozen=True)
class _Subject:
    """A model on its samples, passed forward and backward: ``deltas`` ∂f/∂u^l and ``features`` ∂f/∂h^{l-1}, (C, N, ...)
    or ``None`` where f doesn't depend on them through one call; ``pulled`` |Jᵀv|² by parameter for one random
    ``cotangent`` v (C, N)."""

    model: nn.Module
    state: dict[str, torch.Tensor]
    inputs: torch.Tensor
    trace: Trace
    deltas: list[Array | None]
    features: list[Array | None]
    cotangent: Array
    pulled: dict[str, float]
    backend: TorchBackend


def _model_state(model: Any, dtype: str) -> dict[str, torch.Tensor]:
    """The model's parameters and buffers in ``dtype``, checked."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model: expected a torch.nn.Module, got {type(model).__name__}")
    if any(m.training for m in model.modules()):
        raise ValueError("model: expected eval mode, got training mode; model.eval() sets it")
    state = {n: _cast(x, getattr(torch, dtype)) for n, x in [*model.named_parameters(), *model.named_buffers()]}
    for name, _ in model.named_parameters():
        if not torch.isfinite(state[name]).all():
            raise ValueError(f"model: expected finite parameters, got NaN or infinity in {name}")
        state[name].requires_grad_()
    if not any(True for _ in model.parameters()):
        raise ValueError("model: expected parameters, got none")
    return state


def _subject(
    model: nn.Module,
    state: dict[str, torch.Tensor],
    x: torch.Tensor,
    metrics: list[Metric],
    memory: int | None,
    backend: TorchBackend,
) -> _Subject:
    """The model run on its inputs: on one sample first, which tells what all of them need."""
    first = _run(model, state, x[:1].detach(), backend)
    _check_shape(first.outputs, 1)
    for asked in metrics:
        _check_layer(asked, len(first.layers))
        check_outputs(asked, first.outputs.shape[1])
    _check_memory(first, len(x), memory, backend)
    x = x.requires_grad_(x.is_floating_point())
    trace = _run(model, state, x, backend)
    _check_shape(trace.outputs, len(x))
    _check_outputs(model, state, x, trace.outputs)
    deltas, features = _signals(trace)
    cotangent, pulled = _pulled(model, state, trace)
    return _Subject(model, state, x, trace, deltas, features, cotangent, pulled, backend)


def _run(model: nn.Module, state: Mapping[str, torch.Tensor], x: torch.Tensor, backend: TorchBackend) -> Trace:
    try:
        with torch.enable_grad():
            return pass_through(model, state, x)
    except (RuntimeError, TypeError, IndexError) as error:
        if backend.is_out_of_memory(error):
            raise
        reason = " ".join(str(error).split())
        got = f"shape {tuple(x.shape)} and {x.dtype}"
        raise ValueError(f"inputs: expected samples that the model takes, got {got}: {reason}") from error


def _cast(x: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
    return x.detach().to(kind).clone() if x.is_floating_point() else x.detach()


def _inputs(inputs: Any, kind: torch.dtype) -> torch.Tensor:
    try:
        x = inputs if isinstance(inputs, torch.Tensor) else torch.tensor(np.asarray(inputs))
    except (TypeError, ValueError):
        raise TypeError(f"inputs: expected a tensor or an array of numbers, got {type(inputs).__name__}") from None
    if x.ndim == 0 or x.shape[0] == 0:
        raise ValueError(f"inputs: expected shape (N, ...) with N >= 1, got {tuple(x.shape)}")
    if x.is_complex():
        raise ValueError("inputs: expected real numbers, got complex ones")
    x = _cast(x, kind)
    if x.is_floating_point() and not torch.isfinite(x).all():
        raise ValueError("inputs: expected finite numbers, got NaN or infinity")
    return x


def _check_shape(outputs: Any, samples: int) -> None:
    """That they are (N, C)."""
    if not isinstance(outputs, torch.Tensor) or outputs.ndim != 2 or outputs.shape[0] != samples:
        got = tuple(outputs.shape) if isinstance(outputs, torch.Tensor) else type(outputs).__name__
        raise ValueError(f"model: expected outputs of shape ({samples}, C), got {got}")


def _check_outputs(model: nn.Module, state: dict[str, torch.Tensor], x: torch.Tensor, outputs: torch.Tensor) -> None:
    """That they are finite, the same each time, and each sample's its own."""
    if not torch.isfinite(outputs).all():
        raise ValueError("model: expected finite outputs, got NaN or infinity")

    def again(chosen: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = torch.func.functional_call(model, state, (chosen.detach(),))
        return made

    if not _close(again(x), outputs):
        raise ValueError("model: expected a deterministic model, got outputs that differ between two passes")
    order = torch.randperm(len(x), generator=_generator()).to(x.device)
    parts = [part for part in order.tensor_split(2) if len(part)]
    if not all(_close(again(x[part]), outputs[part]) for part in parts) or not _is_block_diagonal(x, outputs):
        raise ValueError("model: expected outputs of one sample each, got ones that mix samples")


def _is_block_diagonal(x: torch.Tensor, outputs: torch.Tensor) -> bool:
    """Whether ∂f(n)/∂x(m) is 0 for n ≠ m: the gradient of Σ_n a_n v_n·f(n) is then a_m times that of Σ_n v_n·f(n)."""
    if not x.requires_grad:
        return True
    generator = _generator()
    v = torch.randn(outputs.shape, generator=generator, dtype=torch.float64).to(outputs)
    a = torch.randn((len(x), 1), generator=generator, dtype=torch.float64).to(outputs)
    one, other = (
        torch.autograd.grad(outputs, x, cotangent, retain_graph=True, materialize_grads=True)[0].flatten(1)
        for cotangent in (v, a * v)
    )
    return _close(a * one, other)


def _close(found: torch.Tensor, expected: torch.Tensor) -> bool:
    if found.shape != expected.shape:
        return False
    rounding = torch.finfo(expected.dtype).eps ** 0.75
    return bool(((found - expected).abs() <= rounding * expected.abs().max()).all())


def _generator() -> torch.Generator:
    """Always the same one: a result depends on the model alone."""
    return torch.Generator().manual_seed(20191022)


def _pulled(model: nn.Module, state: dict[str, torch.Tensor], trace: Trace) -> tuple[Array, dict[str, float]]:
    """A random cotangent v (C, N), and |Jᵀv|² of each parameter by one backward pass."""
    names = [n for n, _ in model.named_parameters()]
    v = torch.randn(trace.outputs.shape, generator=_generator(), dtype=torch.float64)
    v = v.to(trace.outputs)
    gradients = torch.autograd.grad(
        trace.outputs, [state[n] for n in names], v, retain_graph=True, materialize_grads=True
    )
    return v.T, {n: float((g**2).sum()) for n, g in zip(names, gradients, strict=True)}


def _signals(trace: Trace) -> tuple[list[Array | None], list[Array | None]]:
    """∂f/∂u and ∂f/∂h of every layer by one backward pass for each output."""
    tensors = [t for layer in trace.layers for t in (layer.made, layer.given)]
    usable = [t for t in tensors if isinstance(t, torch.Tensor) and t.requires_grad]
    columns = [
        torch.autograd.grad(trace.outputs, usable, of_output, retain_graph=True, materialize_grads=True)
        for of_output in torch.eye(trace.outputs.shape[1])
        .to(trace.outputs)[:, None, :]
        .expand(-1, *trace.outputs.shape)
    ]
    stacked = {id(t): torch.stack(g) for t, g in zip(usable, zip(*columns, strict=True), strict=True)}
    of = [stacked.get(id(t)) for t in tensors]
    return of[0::2], of[1::2]


def _check_layer(metric: Metric, depth: int) -> None:
    allowed = metric.layers(depth)
    if metric.layer is not None and metric.layer not in allowed:
        raise ValueError(f"layer: expected {allowed[0]}..{allowed[-1]} for {metric.family} here, got {metric.layer}")


def _check_memory(first: Trace, samples: int, memory: int | None, backend: TorchBackend) -> None:
    budget = int(0.9 * backend.free_memory()) if memory is None else positive_integer("memory", memory)
    needed = bytes_needed(first, samples, backend.dtype_bytes)
    if needed > budget:
        order = samples * first.outputs.shape[1]
        raise TooLarge(f"memory: expected a measurement that fits into {gibibytes(budget)}, got one that needs "
                       f"{gibibytes(needed)} for {order} outputs × samples")  # fmt: skip


def _statistics(metric: Metric, subject: _Subject, question: Question) -> Statistics:
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
    own = {n: p for n, p in layer.parameters.items() if n in subject.pulled}  # a shared one has its first owner's name

    def gradient() -> Array:
        outputs = subject.trace.outputs.shape[1]
        return dense_gradients(subject.model, subject.state, tuple(own), subject.inputs, outputs)

    def check(found: Contribution) -> None:
        v, expected = subject.cotangent.reshape(-1), sum(subject.pulled[n] for n in own)
        got = float(v @ (found[0].reshape(len(v), -1) @ v))
        scale = float(found[1]) + expected
        eigen.check_close(f"|Jᵀv|² of layer {l}", got, expected, scale, len(v), subject.backend.precision)

    found = parameter_product(layer, shared, subject.deltas[l - 1], gradient, check, subject.backend)
    return found, sum(p.numel() for p in own.values())


def _feature_product(subject: _Subject, l: int) -> tuple[Contribution, int]:
    layer, signal = subject.trace.layers[l], subject.features[l]
    if layer.calls != 1:
        raise ValueError(
            f"layer: expected layers called once for input_metric, got {l + 1}, called {layer.calls} times"
        )
    if signal is None:
        raise ValueError(f"layer: expected layers with real inputs for input_metric, got {l + 1}, which has none")
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
    return OrderParameters.of(dict(zip(OrderParameters.NAMES, (*q.T, *forward.T, *backward.T), strict=True)))
