"""An activation's text as an elementwise function of arrays, in any namespace of the array API."""

from __future__ import annotations

import ast
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from meanfield.spec.expressions import CONSTANTS

__all__ = ["Elementwise", "Functions", "array_functions", "elementwise_function", "numpy_elementwise"]

# No static type covers the arrays of NumPy, torch and CuPy, and numbers beside them.
Array: TypeAlias = Any
Namespace: TypeAlias = Any
Elementwise = Callable[[Array], Array]
Functions: TypeAlias = Mapping[str, Any]
"""The names an activation text may use, bound to an array namespace."""


def array_functions(xp: Namespace, erf: Elementwise) -> Functions:
    """The names an activation text may use, bound to an array namespace.

    ``xp`` is an array-API namespace. ``erf`` is given apart because the array API has none.
    """
    names = ("cos", "cosh", "exp", "expm1", "log", "log1p", "sin", "sinh", "sqrt", "tanh")
    bound = {"logcosh": _logcosh, "Max": _largest, "Min": _smallest, "Piecewise": _piecewise}
    return {
        **{name: _of_scalars_too(getattr(math, name), getattr(xp, name)) for name in names},
        **{name: functools.partial(function, xp) for name, function in bound.items()},
        **CONSTANTS,
        "True": True,
        "Abs": abs,
        "atan": xp.atan if hasattr(xp, "atan") else xp.arctan,
        "sign": xp.sign,
        "Heaviside": lambda x, _at_zero=None: (xp.sign(x) + 1) / 2,
        "DiracDelta": lambda x, _order=0: 0.0 * x,
        "softplus": lambda x: xp.logaddexp(x, 0.0 * x),
        "erf": _of_scalars_too(math.erf, erf),
        "_full": lambda like, value: value if hasattr(value, "shape") else xp.zeros_like(like) + value,
    }


def _of_scalars_too(of_scalar: Callable[[float], float], of_array: Elementwise) -> Elementwise:
    return lambda x: of_scalar(x) if isinstance(x, int | float) else of_array(x)


def _largest(xp: Namespace, *terms: Array) -> Array:
    return functools.reduce(lambda a, b: _pair(xp, a, b, a > b), terms)


def _smallest(xp: Namespace, *terms: Array) -> Array:
    return functools.reduce(lambda a, b: _pair(xp, a, b, a < b), terms)


def _piecewise(xp: Namespace, *cases: Array) -> Array:
    value, _ = cases[-1]
    for branch, condition in reversed(cases[:-1]):
        value = _pair(xp, branch, value, condition)
    return value


def _logcosh(xp: Namespace, x: Array) -> Array:
    """Exact to rounding at both ends, where cosh overflows and where log cosh x = x²/2 is small."""
    size = abs(x)
    near = _smallest(xp, size, 1.0)
    return _pair(xp, xp.log1p(2 * xp.sinh(near / 2) ** 2), size + xp.log1p(xp.expm1(-2 * size) / 2), size < 1)


def _pair(xp: Namespace, a: Array, b: Array, condition: Array) -> Array:
    """``where`` for operands of which one may be a Python number: strict namespaces take arrays only."""
    if not hasattr(condition, "shape"):
        return a if condition else b
    like = next((x for x in (a, b) if hasattr(x, "shape")), None)
    zero = 0.0 * condition if like is None else xp.zeros_like(like)  # not 0 times it, which may be infinite
    return xp.where(condition, a if hasattr(a, "shape") else a + zero, b if hasattr(b, "shape") else b + zero)


@functools.cache
def numpy_elementwise(text: str) -> Elementwise:
    import scipy.special

    return elementwise_function(text, array_functions(np, scipy.special.erf))


def elementwise_function(text: str, functions: Functions) -> Elementwise:
    code = compile(ast.parse(text, mode="eval"), f"<activation {text}>", "eval")
    full = functions["_full"]
    scope = {"__builtins__": {}, **functions}

    def apply(x: Array) -> Array:
        return full(x, eval(code, scope, {"u": x}))  # noqa: S307 - the text passed check_text

    return apply
