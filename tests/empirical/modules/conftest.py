"""An independent oracle of a torch module: plain autograd, one sample and one output at a time, in float64."""

import copy
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from empirical import measure_module
from meanfield.spec import FIM, NTK, InputMetric


@dataclass
class Alone:
    """One sample's pass: Jacobian (C, P); by layer its input h, output u, ∂f/∂h and ∂f/∂u, each flat or None; and how
    often each is called."""

    jacobian: np.ndarray
    layers: dict
    calls: Counter


def first_tensor(values):
    for value in values if isinstance(values, tuple | list) else (values,):
        found = value if isinstance(value, torch.Tensor) else first_tensor(value) if isinstance(value, tuple) else None
        if found is not None:
            return found
    return None


def pass_alone(model, x, names):
    model = copy.deepcopy(model)
    named = dict(model.named_parameters())
    for p in named.values():
        p.requires_grad_()
    noted, hooks, calls = {}, [], Counter()

    def before(module, given, by_name):
        calls[module] += 1
        noted.setdefault(module, [None, None])[0] = first_tensor((*given, *by_name.values()))

    def after(module, given, made):
        noted[module][1] = first_tensor(made)
        return made.clone() if isinstance(made, torch.Tensor) else made

    for module in model.modules():
        if dict(module.named_parameters(recurse=False)):
            hooks.append(module.register_forward_pre_hook(before, with_kwargs=True))
            hooks.append(module.register_forward_hook(after))
    outputs = model(x.clone().requires_grad_(x.is_floating_point()).clone()).reshape(-1)
    for hook in hooks:
        hook.remove()

    def rows(target):
        made = [torch.autograd.grad(f, target, retain_graph=True, materialize_grads=True) for f in outputs]
        return np.stack([np.concatenate([g.detach().numpy().ravel() for g in gradients]) for gradients in made])

    layers = {}
    for name, module in model.named_modules():
        if module in noted:
            real = [t if t is not None and t.is_floating_point() else None for t in noted[module]]
            values = [None if t is None else t.detach().numpy().ravel() for t in real]
            layers[name] = (*values, *(None if t is None or not t.requires_grad else rows([t]) for t in real))
    called = Counter({name: calls[module] for name, module in model.named_modules()})
    return Alone(rows([named[n] for n in names]), layers, called)


@pytest.fixture
def hold():
    """Holds everything that `measure_module` says of a model against the oracle; gives the measurement of the FIM."""

    def compare(model, x, which="all", rtol=1e-9, **options):
        state = {n: p.clone() for n, p in model.state_dict().items()}
        before = x.clone()
        names = [n for n, p in model.named_parameters() if which == "all" or p.requires_grad]
        both = measure_module(model, x, [FIM(), NTK()], spectrum="full", parameters=which, **options)
        assert torch.equal(x, before)
        assert all(torch.equal(p, state[n]) for n, p in model.state_dict().items())
        held = [_measure_inputs(model, x, l) for l in range(len(both[0].order_parameters.q))]
        torch.set_default_dtype(torch.float64)
        passes = [pass_alone(model, sample, names) for sample in x.split(1)]
        torch.set_default_dtype(torch.float32)
        _compare_parameters(both, np.stack([p.jacobian for p in passes]), rtol)
        _compare_layers(held, both[0], passes, rtol)
        return both[0]

    return compare


def _measure_inputs(model, x, l):
    try:
        return measure_module(model, x, InputMetric(l), spectrum="full")
    except ValueError as error:
        if "layer: expected layers" not in str(error):
            raise
        return None


def _compare_parameters(both, jacobian, rtol):
    samples, outputs, parameters = jacobian.shape
    rows = jacobian.reshape(samples * outputs, -1)
    values = np.linalg.eigvalsh(rows @ rows.T)[::-1]
    for found, scale, divisor in zip(both, (1 / samples, 1), (parameters, samples * outputs), strict=True):
        assert found.dimension == divisor
        np.testing.assert_allclose(found.mean, scale * values.sum() / divisor, rtol=rtol)
        np.testing.assert_allclose(found.second_moment, scale**2 * (values**2).sum() / divisor, rtol=rtol)
        close = {"rtol": 0, "atol": max(rtol * scale * values[0], found.floor)}
        np.testing.assert_allclose(found.eigenvalues, scale * values[: len(found.eigenvalues)], **close)


def _overlaps(x):
    """Mean over samples, and over pairs of different ones, for x (..., N, units)."""
    x = x.reshape(-1, *x.shape[-2:])
    products = np.einsum("knu,kmu->nm", x, x) / len(x)
    samples = len(products)
    same, every = np.trace(products), products.sum()
    pairs = samples * (samples - 1)
    return same / samples, (every - same) / pairs if pairs else np.nan


def _stacked(arrays):
    if any(a is None for a in arrays) or len({a.shape for a in arrays}) > 1:
        return None
    return np.stack(arrays, axis=-2)


def _compare_layers(held, fim, passes, rtol):
    orders = fim.order_parameters
    for l, name in enumerate(fim.provenance["layers"]):
        h, u, feature, delta = (_stacked([p.layers.get(name, (None,) * 4)[kind] for p in passes]) for kind in range(4))
        for what, x, same, cross, per_unit in (
            ("q", u, orders.q, orders.q_st, True),
            ("forward", h, orders.forward, orders.forward_st, True),
            ("backward", delta, orders.backward, orders.backward_st, False),
        ):
            expected = (np.nan, np.nan) if x is None else _overlaps(x)
            units = x.shape[-1] if per_unit and x is not None else 1
            got = np.array([same[l], cross[l]])
            scale = 0 if x is None else abs(expected[0]) / units
            np.testing.assert_allclose(
                got, np.array(expected) / units, rtol=rtol, atol=rtol * scale, err_msg=f"{what} of {name}"
            )
        assert (held[l] is None) == (feature is None or any(p.calls[name] != 1 for p in passes)), name
        if held[l] is not None:
            rows = feature.reshape(-1, feature.shape[-1])
            values = np.linalg.eigvalsh(rows @ rows.T)[::-1] / len(passes)
            assert held[l].dimension == feature.shape[-1]
            np.testing.assert_allclose(held[l].largest, values[0], rtol=rtol, atol=1e-300, err_msg=name)
            np.testing.assert_allclose(held[l].mean * held[l].dimension, values.sum(), rtol=rtol, atol=1e-300)
