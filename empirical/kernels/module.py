"""A torch module as the source of a kernel. Its parts are the layers' factors, by the way that serves each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from empirical.backends.base import DTYPES, Array
from empirical.backends.torch import TorchBackend
from empirical.dual.families import family_of
from empirical.dual.gram import blocks
from empirical.kernels.layouts import Layout
from empirical.kernels.source import Part, Source
from empirical.modules.contributions import Factor
from empirical.modules.given import check_model, chosen_parameters, model_inputs, model_state
from empirical.modules.measuring import check_served
from empirical.modules.memory import layer_numbers, passing_numbers
from empirical.modules.subject import first_pass, subject_after
from empirical.modules.tracing import Replica, Trace
from empirical.modules.undisturbed import undisturbed
from empirical.modules.ways import feature_factor, parameter_factor
from empirical.networks.layers.base import ACTIVATION
from empirical.networks.streams import describe_inputs
from empirical.provenance import module_code_hash
from meanfield.spec import Metric

__all__ = ["ModuleSource", "module_source"]


@dataclass(frozen=True)
class FactorPart(Part):
    """A layer's factor in the form of this way, and ν."""

    factor: Factor
    way: str
    scale: float

    def add_to(self, block: Array, other: FactorPart) -> None:
        self._check(other)
        block.add_(self.factor.product(other.factor), alpha=self.scale)

    def add_alike_to(self, block: Array, other: FactorPart) -> None:
        self._check(other)
        block.add_(self.factor.alike(other.factor), alpha=self.scale)

    def diagonal(self) -> Array:
        return self.factor.diagonal() * self.scale

    def _check(self, other: FactorPart) -> None:
        if type(self.factor) is not type(other.factor):
            raise ArithmeticError(f"layer: expected one way for all samples, got {self.way} and {other.way}")


@dataclass(frozen=True)
class ModuleSource(Source):
    """A module with copies of its numbers, and the pass of one sample."""

    backend: TorchBackend
    replica: Replica
    parameters: str
    first: Trace

    @property
    def outputs(self) -> int:
        return int(self.first.outputs.shape[1])

    def parts(self, samples: torch.Tensor, together: int) -> list[Part]:
        subject = subject_after(self.first, self.replica, samples.clone(), self.backend)
        family = family_of(self.metric)
        scale = 1.0 / family.divisor(len(self.samples))
        found: list[Part] = []
        for l in blocks(self.metric, len(self.first.calls)):
            if family.signal == ACTIVATION:
                factor, way = feature_factor(subject, l)[0], "signal"
            else:
                made, _, way = parameter_factor(subject, l, together)
                if made is None:
                    continue
                factor = made
            found.append(FactorPart(factor.folded() if self.layout.is_summed else factor, way, scale))
        return found

    def numbers(self, together: int) -> tuple[int, int]:
        layers = [layer_numbers(call, self.outputs, together) for call in self.first.calls]
        # The signals of each output stand beside their stack while that is made.
        return sum(layers), 2 * passing_numbers(self.first, together) + max(layers)

    def resident(self) -> int:
        given = [x for x in (self.samples, self.others) if x is not None]
        state = [*self.replica.state.values()] * 2  # and the leaves made of it
        return self.backend.dtype_bytes * sum(int(x.numel()) for x in (*given, *state))

    def question(self) -> dict[str, Any]:
        return {
            "model": type(self.replica.model).__qualname__, "architecture": repr(self.replica.model),
            "state": _digest(self.replica.state.items()), "parameters": self.parameters,
            # The state doesn't tell what a model does with it: what it says to one sample has to be the same, too.
            "answer": _digest([("f", self.first.outputs)]),
            "device": self.backend.device.type, "dtype": self.backend.precision,
            "metric": self.metric.to_dict(), "outputs": self.layout.name,
            "inputs": _described(self.samples), "others": None if self.others is None else _described(self.others),
            "code": module_code_hash([self.metric], rooms=("kernels",)),
        }  # fmt: skip

    def working(self) -> AbstractContextManager[Any]:
        return _working(self.replica.model, self.replica.dtype, self.backend)


def module_source(
    model: nn.Module,
    x: Any,
    x2: Any,
    metric: Metric,
    layout: Layout,
    *,
    dtype: str = "float64",
    parameters: str = "all",
) -> ModuleSource:
    """The module as :func:`empirical.measure_module` takes it.

    Raises
    ------
    ValueError, TypeError
        For an argument that is not as expected.
    """
    check_served(metric)
    if dtype not in DTYPES:
        raise ValueError(f"dtype: expected one of {', '.join(DTYPES)}, got {dtype!r}")
    check_model(model)
    names, kind = chosen_parameters(model, parameters), getattr(torch, dtype)
    backend = TorchBackend(dtype, str(next(model.parameters()).device))
    with _working(model, kind, backend):
        replica = Replica(model, model_state(model, dtype), names, kind)
        samples = model_inputs(x, kind).to(backend.device)
        others = None if x2 is None else model_inputs(x2, kind).to(backend.device)
        if others is not None and (others.shape[1:], others.dtype) != (samples.shape[1:], samples.dtype):
            expected, got = ((tuple(y.shape[1:]), y.dtype) for y in (samples, others))
            raise ValueError(f"X2: expected samples like those of X, {expected}, got {got}")
        first = first_pass(replica, samples, [metric], backend)
    return ModuleSource(metric, layout, samples, others, backend, replica, parameters, first)


@contextmanager
def _working(model: nn.Module, kind: torch.dtype, backend: TorchBackend) -> Iterator[None]:
    with ExitStack() as stack:
        for context in (
            torch.inference_mode(False), backend.strict(), undisturbed(model, kind), torch.enable_grad()
        ):  # fmt: skip
            stack.enter_context(context)
        yield


def _described(x: torch.Tensor) -> dict[str, Any]:
    return describe_inputs(x.detach().cpu().numpy(), tuple(x.shape))


def _digest(tensors: Any) -> str:
    """SHA-256 (hex) of named tensors: names, types, shapes and bytes."""
    total = hashlib.sha256()
    for name, x in tensors:
        total.update(f"{name}\0{x.dtype}\0{tuple(x.shape)}\0".encode())
        total.update(x.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
