"""The registry: one text, the same function everywhere, stable to |u| = 1e4."""

from __future__ import annotations

import pickle

import mpmath
import numpy as np
import pytest
import sympy
import torch
from array_api_compat import torch as torch_namespace

from meanfield.spec.activations import Activation, activation_names, array_functions, as_activation

U = np.array([-1e4, -710.0, -30.0, -3.0, -1.0, -0.1, -1e-8, 0.0, 1e-8, 0.1, 1.0, 3.0, 30.0, 710.0, 1e4])
BOUNDED = [name for name in activation_names() if name != "exp"]  # exp itself overflows

x = sympy.Symbol("x")


@pytest.mark.parametrize("name", BOUNDED)
@pytest.mark.parametrize("order", [0, 1])
def test_finite_and_right_for_large_arguments(name: str, order: int) -> None:
    """Against mpmath's evaluation of the SymPy form with 60 digits; relative to the largest of |φ|, |u φ'| and 1."""
    activation = as_activation(name)
    expression = activation.expression if order == 0 else activation.derivative(order)
    smooth = [u for u in U if all(abs(u - b) > 1e-6 for b in activation.breakpoints or ())]
    values = activation.function(order=order)(np.array(smooth))
    assert np.all(np.isfinite(values))
    expression = expression.replace(lambda e: str(e.func) in ("softplus", "logcosh"), lambda e: e.rewrite(sympy.log))
    names = {"Max": max, "Min": min, "DiracDelta": lambda _: 0}
    oracle = sympy.lambdify(sympy.Symbol("u", real=True), expression, [names, "mpmath"])
    with mpmath.workdps(60):
        for u, value in zip(smooth, values, strict=True):
            truth = float(oracle(mpmath.mpf(u)))
            assert value == pytest.approx(truth, rel=1e-12, abs=1e-13 * max(1.0, abs(u)))


@pytest.mark.parametrize("name", BOUNDED)
@pytest.mark.parametrize("order", [0, 1])
def test_torch_runs_the_same_text(name: str, order: int) -> None:
    activation = as_activation(name)
    functions = array_functions(torch_namespace, torch.special.erf)
    values = activation.function(functions, order)(torch.tensor(U)).numpy()
    np.testing.assert_allclose(values, activation.function(order=order)(U), rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize("name", activation_names())
def test_declared_breakpoints_are_those_of_the_expression(name: str) -> None:
    declared = as_activation(name)
    assert Activation(name, declared.text).breakpoints == declared.breakpoints


def test_kinks_jumps_and_parity() -> None:
    assert as_activation("relu").kinks == (0.0,)
    assert as_activation("elu").kinks == ()  # continuously differentiable at a = 1
    assert as_activation("elu(0.5)").kinks == (0.0,)
    assert as_activation("step").jumps == as_activation("sign").jumps == (0.0,)
    assert [as_activation(n).parity for n in ("tanh", "abs", "relu", "logcosh", "sin", "cos")] == [-1, 1, 0, 1, -1, 1]


def test_sympy_expressions_names_and_parameters() -> None:
    assert as_activation(x * sympy.tanh(x)).text == "u*tanh(u)"
    assert as_activation(sympy.Max(x, 0) - sympy.Rational(1, 10)).breakpoints == (0.0,)
    assert as_activation(sympy.Piecewise((x, x > 1), (x**2, True))).breakpoints == (1.0,)
    assert as_activation("swish") == as_activation("silu")
    np.testing.assert_allclose(as_activation("leaky_relu(0.2)").function()(np.array([-1.0, 1.0])), [-0.2, 1.0])
    user = as_activation(sympy.tanh(sympy.Float("1.0507009873554805") * x))
    assert "1.0507009873554805" in user.text  # every digit: the text is what is run
    assert pickle.loads(pickle.dumps(user)) == user


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        ("tanhh", ValueError, r"expected a registered name, got 'tanhh' \(did you mean tanh\?\)"),
        ("relu(0.1)", ValueError, "at most 0 finite numbers"),
        ("leaky_relu(nan)", ValueError, "finite"),
        (3, TypeError, "registered name"),
        (x * sympy.Symbol("y"), ValueError, "one symbol"),
        (sympy.Function("f")(x), ValueError, "got 'f'"),
    ],
)
def test_bad_input_is_named(value: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        as_activation(value)


@pytest.mark.parametrize("text", ["__import__('os')", "u.real", "exec(u)", "lambda: 1", "u if u else 1", "'a'", "u +"])
def test_a_text_is_read_before_it_is_run(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        Activation("bad", text, ())
