"""Which way serves a layer: the first that gives the |Jᵀv|² of autograd for a random cotangent v.

    closed form   from the layer's input and backward signal, where they are known and its parameters are its own
    torch.func    dense gradients, many samples at a time
    autograd      dense gradients, a backward pass for each output of each sample

|Jᵀv|² comes from plain autograd on all samples. Where that isn't the sum of the samples' own gradients (an `Embedding`
that scales them by how often a word is met), the last way answers to the sum that autograd gives sample by sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from empirical.backends.base import Array
from empirical.dual import eigen
from empirical.modules.contributions import Contribution, Factor, Rows, of_factor, of_positions
from empirical.modules.gradients import by_autograd, by_torch_func, pulled_one_by_one
from empirical.modules.precision import lower_precision
from empirical.modules.subject import Subject
from empirical.modules.tracing import GIVEN, MADE, Call

__all__ = ["feature_factor", "feature_product", "parameter_factor", "parameter_product"]

NONE = "no parameters that count"


@dataclass(frozen=True)
class _Way:
    """One way: what makes the layer's factor, and what it has to give as |Jᵀv|²."""

    name: str
    make: Callable[[], Factor]
    pulled: Callable[[], float]


def parameter_product(subject: Subject, l: int) -> tuple[Contribution, int, str]:
    """``Σ ∂f_k(n)/∂θ · ∂f_k'(m)/∂θ`` over the parameters θ of layer l = 1..L, how many there are, and the way.

    Raises
    ------
    ArithmeticError, ValueError
        If no way gives what autograd gives.
    """
    factor, held, way = parameter_factor(subject, l, len(subject.inputs))
    if factor is None:
        backend, order = subject.backend, subject.cotangent.T.shape
        return (backend.zeros((*order, *order)), backend.zeros(())), held, way
    return _product(subject, f"layer {l}", factor), held, way


def parameter_factor(subject: Subject, l: int, together: int) -> tuple[Factor | None, int, str]:
    """``∂f_k(n)/∂θ`` as a factor, in the form that serves for so many samples ``together``; none where no parameters
    count. How many there are, and the way.

    Raises
    ------
    ArithmeticError, ValueError
        If no way gives what autograd gives.
    """
    call, backend = subject.whole.calls[l - 1], subject.backend
    own = tuple(n for n in call.parameters if n in subject.pulled)  # a shared one has its first owner's name
    if not own:
        return None, 0, NONE
    reason: Exception | None = None
    for way in _ways(subject, call, own, together):
        try:
            found = way.make()
            _check_factor(subject, f"layer {l}", found, way.pulled())
        except Exception as error:
            if backend.is_out_of_memory(error):
                raise
            reason = error
        else:
            return found, sum(subject.replica.state[n].numel() for n in own), way.name
    replica = subject.replica
    if sentence := lower_precision(replica.model, lambda: replica(subject.inputs), replica.dtype):
        raise ValueError(sentence) from reason
    got = " ".join(str(reason).split())
    raise ArithmeticError(f"layer {l}, {call}: expected gradients that torch can give, got {got}") from reason


def _ways(subject: Subject, call: Call, own: tuple[str, ...], together: int) -> Iterator[_Way]:
    """Those that can be tried."""
    replica, x, backend, v = subject.replica, subject.inputs, subject.backend, subject.cotangent
    total = sum(subject.pulled[n] for n in own)
    if closed := _closed_form(subject, call, own, together):
        yield _Way("closed form", closed, lambda: total)
    yield _Way("torch.func", lambda: Rows(by_torch_func(replica, own, x, v.shape[1]), backend), lambda: total)
    rows: list[Array] = []

    def one_by_one() -> Factor:
        if not rows:
            rows.append(by_autograd(replica, own, x))
        return Rows(rows[0], backend)

    yield _Way("autograd", one_by_one, lambda: total)
    yield _Way("autograd", one_by_one, lambda: pulled_one_by_one(replica, own, x, v))


def _closed_form(subject: Subject, call: Call, own: tuple[str, ...], together: int) -> Callable[[], Factor] | None:
    """That of a plain layer whose weight counts; where it is called twice, or another layer's too, the check tells."""
    given, made = (subject.signals.get((call.name, kind)) for kind in (GIVEN, MADE))
    counted = {n.rpartition(".")[2] for n in own}
    if not call.plain or "weight" not in counted or given is None or made is None or made.gradient is None:
        return None
    value, gradient = given.value, made.gradient
    return lambda: of_positions(call.module, value, gradient, "bias" in counted, together, subject.backend)


def feature_product(subject: Subject, l: int) -> tuple[Contribution, int]:
    """``Σ ∂f_k(n)/∂h · ∂f_k'(m)/∂h`` over the input h^l, l = 0..L-1, of a layer, and how many features it has.

    Raises
    ------
    ValueError
        If the layer has no such input.
    ArithmeticError
        If it isn't what autograd gives for a random cotangent.
    """
    factor, held = feature_factor(subject, l)
    return _product(subject, f"the input of layer {l + 1}", factor), held


def feature_factor(subject: Subject, l: int) -> tuple[Factor, int]:
    """``∂f_k(n)/∂h`` as a factor, and how many features there are; errors as above."""
    call = subject.whole.calls[l]
    if call.count != 1:
        raise ValueError(
            f"layer: expected layers called once for input_metric, got {l + 1}, {call}, called {call.count} times"
        )
    signal = subject.signals.get((call.name, GIVEN))
    if signal is None or signal.gradient is None or signal.pulled is None:
        raise ValueError(
            f"layer: expected layers with real inputs for input_metric, of one shape, with a gradient and kept, "
            f"got {l + 1}, {call}, without one"
        )
    found = Rows(signal.gradient.flatten(2), subject.backend)
    _check_factor(subject, f"the input of layer {l + 1}", found, float((signal.pulled**2).sum()))
    return found, math.prod(signal.gradient.shape[2:])


def _product(subject: Subject, where: str, factor: Factor) -> Contribution:
    """A factor's product with itself, held against |Jᵀv|² once more."""
    found = of_factor(factor)
    v = subject.cotangent.T.reshape(-1)
    got = float(v @ (found[0].reshape(len(v), -1) @ v))
    _check(subject, where, got, float(factor.pulled(subject.cotangent)), float(found[1]))
    return found


def _check_factor(subject: Subject, where: str, factor: Factor, expected: float) -> None:
    _check(subject, where, float(factor.pulled(subject.cotangent)), expected, float(factor.diagonal().sum()))


def _check(subject: Subject, where: str, got: float, expected: float, trace: float) -> None:
    size = subject.cotangent.numel()
    eigen.check_close(f"|Jᵀv|² of {where}", got, expected, trace + expected, size, subject.backend.precision)
