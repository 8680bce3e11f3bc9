"""Activation functions: one text per activation, read by every part of the library.

The text is a SymPy expression in ``u``. SymPy reads it for derivations; the same text, evaluated in an array
namespace, is the function that NumPy, torch and CuPy run. It is kept as text because that makes an activation
hashable, picklable and free of SymPy until somebody differentiates.

The forms are numerically stable: value and first derivative are right for ``|u| <= 1e4`` (``exp`` and the
polynomials excepted, where the value itself overflows or grows).

A new activation is one row of ``_ROWS``.
"""

from __future__ import annotations

import difflib
import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from meanfield.spec.checks import ascending, bracketed, number, one_line, table
from meanfield.spec.elementwise import (
    Elementwise,
    Functions,
    array_functions,
    elementwise_function,
    numpy_elementwise,
)  # fmt: skip
from meanfield.spec.expressions import (
    as_text,
    check_size,
    derivative_of,
    derivative_text,
    symbols,
    sympified,
)  # fmt: skip
from meanfield.spec.roughness import diverges, gapes, grows

if TYPE_CHECKING:
    import sympy

__all__ = ["Activation", "activation_names", "array_functions", "as_activation"]


@dataclass(frozen=True)
class Activation:
    """An activation function φ.

    Parameters
    ----------
    name
        What tables and reports call it.
    text
        A SymPy expression in ``u``, for example ``"u*tanh(u)"``. Names it may use:
        ``meanfield.spec.expressions.FUNCTIONS``.
    breakpoints
        Ascending points where φ or one of its derivatives jumps or is singular. ``None`` (default): found from the
        expression, whose removable singularities, such as that of sin(u)/u, are removed.

    Raises
    ------
    ValueError
        If ``name`` is empty or has several lines, ``text`` is not an expression in ``u`` made of the known functions,
        ``breakpoints`` don't ascend; or, where these are to be found, if φ is not real everywhere or E[φ²] is infinite.
    """

    name: str
    text: str
    breakpoints: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        one_line("activation", self.name)
        check_size(self.name, self.text)
        if "DiracDelta" in self.text:
            raise ValueError(f"activation {self.name!r}: expected a function, got a distribution, {self.text}")
        if self.breakpoints is None:
            from meanfield.spec.singularities import examined

            text, points = examined(self.name, self.text)
            object.__setattr__(self, "text", text)
        else:
            points = ascending(f"activation {self.name!r}", self.breakpoints)
        object.__setattr__(self, "breakpoints", points)

    def to_dict(self) -> dict[str, object]:
        """The activation as JSON-ready plain data; :meth:`from_dict` reads it back."""
        return {"name": self.name, "text": self.text, "breakpoints": list(self.breakpoints or ())}

    @classmethod
    def from_dict(cls, plain: Mapping[str, object]) -> Activation:
        """The inverse of :meth:`to_dict`.

        Raises
        ------
        ValueError, TypeError
            For a missing or unknown key, or one that is not as expected.
        """
        known = table("activation", plain, ("name", "text", "breakpoints"))
        points = known["breakpoints"]
        if not isinstance(points, list | tuple):
            raise TypeError(f"activation.breakpoints: expected a list of numbers, got {points!r:.60}")
        numbers = tuple(number("activation.breakpoints", x, -math.inf) for x in points)
        return cls(str(known["name"]), str(known["text"]), numbers)

    @property
    def expression(self) -> sympy.Expr:
        """φ as a SymPy expression in the real symbol ``u``."""
        return sympified(self.text)

    def derivative(self, order: int = 1) -> sympy.Expr:
        """The derivative of φ of the given order as a SymPy expression (Dirac deltas included)."""
        return derivative_of(self.text, order)

    def function(self, functions: Functions | None = None, order: int = 0) -> Elementwise:
        """φ (``order=0``) or its derivative as an elementwise function of an array.

        ``functions`` is the table made by :func:`array_functions` for an array namespace; NumPy's by default.
        Dirac deltas are left out: at a breakpoint a derivative takes the mean of its two sides.
        """
        text = self.text if order == 0 else derivative_text(self.text, order)
        return numpy_elementwise(text) if functions is None else elementwise_function(text, functions)

    @functools.cached_property
    def jumps(self) -> tuple[float, ...]:
        """Breakpoints where φ itself is discontinuous, so that E[φ'²] is infinite."""
        return tuple(x for x in self.breakpoints or () if gapes(self.function(), x))

    @functools.cached_property
    def kinks(self) -> tuple[float, ...]:
        """Breakpoints where φ is continuous and φ' is not."""
        slope = self.function(order=1)
        return tuple(x for x in self.breakpoints or () if x not in (*self.jumps, *self.cusps) and gapes(slope, x))

    @functools.cached_property
    def cusps(self) -> tuple[float, ...]:
        """Breakpoints where φ doesn't jump and yet φ' is so steep, as of √|u|, that E[φ'²] is infinite."""
        slope = self.function(order=1)
        return tuple(x for x in self.breakpoints or () if x not in self.jumps and diverges(slope, x))

    @functools.cached_property
    def powers(self) -> tuple[float, ...]:
        """Breakpoints at which φ is singular from a side, as |u|^1.5 at 0, and not only joins two smooth pieces."""
        bend = self.function(order=3) if self.breakpoints else None
        return tuple(x for x in self.breakpoints or () if bend and (x in self.cusps or grows(bend, x)))

    @property
    def is_rough(self) -> bool:
        """Whether E[φ'²] is infinite at every variance: φ has jumps or cusps."""
        return bool(self.jumps or self.cusps)

    @functools.cached_property
    def parity(self) -> int:
        """1 if φ is even, -1 if odd, 0 otherwise (read off fixed points, to rounding)."""
        near = [0.0, 1e-3, 0.1, 0.37, 0.5, 1.0, 1.7, 2.9, 4.3, 7.1, 13.0, 31.0, 110.0, 1e3, 1e5]
        u = np.array([*near, *(abs(x) * side for x in self.breakpoints or () for side in (0.999, 1.001))])
        with np.errstate(all="ignore"):
            right, left = self.function()(u), self.function()(-u)
            scale = 1e-13 * (np.abs(right) + np.abs(left) + 1e-2)
            alike = {p: (left == p * right) | (np.abs(left - p * right) <= scale) for p in (1, -1)}
        return next((p for p, same in alike.items() if np.all(same)), 0)

    def __str__(self) -> str:
        return self.name


def as_activation(value: object) -> Activation:
    """An :class:`Activation` from a registered name, an ``Activation``, a SymPy expression in one symbol, or the text
    of one in ``u``.

    A name may carry parameters, as in ``"leaky_relu(0.2)"``. A text such as ``"u*exp(-u**2)"`` is read as arithmetic
    on ``u`` and the known functions, and never run.

    Raises
    ------
    ValueError
        If the name is neither registered nor an expression in ``u``, or the expression has more than one symbol.
    TypeError
        If ``value`` is none of these.
    """
    if isinstance(value, Activation):
        return value
    if isinstance(value, str):
        return Activation(value.strip(), value.strip()) if _is_expression(value) else _registered(value)
    if hasattr(value, "free_symbols") and hasattr(value, "subs"):
        return _from_expression(value)
    raise TypeError(f"activation: expected a registered name, an Activation or a SymPy expression, got {value!r}")


def activation_names() -> tuple[str, ...]:
    """The registered names, without aliases, in alphabetical order."""
    return tuple(sorted(_ROWS))


# --------------------------------------------------------------------------------------------------------------
# The registry. name: (text, breakpoints, {parameter: default}). softplus(x) = log(1 + exp(x)) and logcosh are
# primitives: built from exp and log they would overflow or need |x|, as if an analytic function had a kink.

_SELU_SCALE, _SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717

_ROWS: dict[str, tuple[str, tuple[float, ...], dict[str, float]]] = {
    "abs": ("Abs(u)", (0.0,), {}),
    "arctan": ("atan(u)", (), {}),
    "celu": ("Max(u, 0) + a*expm1(Min(u, 0)/a)", (0.0,), {"a": 1.0}),
    "cos": ("cos(u)", (), {}),
    "elu": ("Max(u, 0) + a*expm1(Min(u, 0))", (0.0,), {"a": 1.0}),
    "erf": ("erf(u)", (), {}),
    "exp": ("exp(u)", (), {}),
    "gaussian": ("exp(-u**2)", (), {}),
    "gelu": ("u*(1 + erf(u/sqrt(2)))/2", (), {}),
    "gelu_tanh": ("u*(1 + tanh(sqrt(2/pi)*(u + 0.044715*u**3)))/2", (), {}),
    "hard_sigmoid": ("Min(Max(u/6 + 1/2, 0), 1)", (-3.0, 3.0), {}),
    "hardtanh": ("Min(Max(u, -1), 1)", (-1.0, 1.0), {}),
    "leaky_relu": ("Max(u, 0) + a*Min(u, 0)", (0.0,), {"a": 0.01}),
    "linear": ("u", (), {}),
    "logcosh": ("logcosh(u)", (), {}),
    "mish": ("u*tanh(softplus(u))", (), {}),
    "relu": ("Max(u, 0)", (0.0,), {}),
    "selu": (f"{_SELU_SCALE!r}*(Max(u, 0) + {_SELU_ALPHA!r}*expm1(Min(u, 0)))", (0.0,), {}),
    "sigmoid": ("(1 + tanh(u/2))/2", (), {}),
    "sign": ("sign(u)", (0.0,), {}),
    "silu": ("u*(1 + tanh(u/2))/2", (), {}),
    "sin": ("sin(u)", (), {}),
    "softplus": ("softplus(u)", (), {}),
    "softsign": ("u/(1 + Abs(u))", (0.0,), {}),
    "squared_relu": ("Max(u, 0)**2", (0.0,), {}),
    "step": ("Heaviside(u)", (0.0,), {}),
    "tanh": ("tanh(u)", (), {}),
}
_NAMED = r"\s*([A-Za-z]\w*)\s*(?:\(([^()]*)\))?\s*"
_ALIASES = {"identity": "linear", "swish": "silu", "heaviside": "step", "relu2": "squared_relu"}


def _is_expression(text: str) -> bool:
    """Whether a text is arithmetic in u rather than a name, with or without parameters."""
    match = re.fullmatch(_NAMED, text)
    named = match is not None and match[1] != "u" and not re.search(r"\bu\b", match[2] or "")
    return not named and re.search(r"\bu\b", text) is not None


@functools.cache
def _registered(name: str) -> Activation:
    match = re.fullmatch(_NAMED, name)
    base = _ALIASES.get(match[1], match[1]) if match else name
    if match is None or base not in _ROWS:
        close = difflib.get_close_matches(name, activation_names(), n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise ValueError(
            f"activation: expected a registered name, got {name!r}{hint}; {', '.join(activation_names())}; or "
            "an expression in u, such as u*tanh(u)"
        )
    text, breakpoints, defaults = _ROWS[base]
    parameters = bracketed(name, match[2], defaults)
    if base == "celu" and parameters["a"] == 0:
        raise ValueError(f"activation: expected an a other than 0, by which celu divides, got {name!r}")
    for parameter, value in parameters.items():
        text = re.sub(rf"\b{parameter}\b", f"({value!r})", text)
    changed = [repr(v) for k, v in parameters.items() if v != defaults[k]]
    return Activation(f"{base}({', '.join(changed)})" if changed else base, text, breakpoints)


def _from_expression(expression: sympy.Expr) -> Activation:
    free = sorted(expression.free_symbols, key=str)
    if len(free) > 1:
        raise ValueError(f"activation: expected an expression in one symbol, got {expression} in {free}")
    renamed = expression.subs(free[0], symbols()["u"]) if free else expression
    return Activation(str(expression), as_text(renamed))
