"""Activation functions: one text per activation, read by every part of the library.

The text is a SymPy expression in ``u``. SymPy reads it for derivations; the same text, evaluated in an array
namespace, is the function that NumPy, torch and CuPy run. It is kept as text because that makes an activation
hashable, picklable and free of SymPy until somebody differentiates.

The forms are numerically stable: value and first derivative are right for ``|u| <= 1e4`` (``exp`` and the
polynomials excepted, where the value itself overflows or grows).

A new activation is one row of ``_ROWS``.
"""

from __future__ import annotations

import ast
import difflib
import functools
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import sympy

__all__ = ["Activation", "activation_names", "array_functions", "as_activation"]

Elementwise = Callable[[Any], Any]


@dataclass(frozen=True)
class Activation:
    """An activation function φ.

    Parameters
    ----------
    name
        What tables and reports call it.
    text
        A SymPy expression in ``u``, for example ``"u*tanh(u)"``. Names it may use: see ``FUNCTIONS``.
    breakpoints
        Ascending points where φ or one of its derivatives jumps. ``None`` (default): found from the expression.

    Raises
    ------
    ValueError
        If ``text`` is not an expression in ``u`` made of the known functions.
    """

    name: str
    text: str
    breakpoints: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        _check_text(self.name, self.text)
        points = _find_breakpoints(self.expression) if self.breakpoints is None else self.breakpoints
        object.__setattr__(self, "breakpoints", tuple(sorted(float(x) for x in points)))

    @property
    def expression(self) -> sympy.Expr:
        """φ as a SymPy expression in the real symbol ``u``."""
        return _sympify(self.text)

    def derivative(self, order: int = 1) -> sympy.Expr:
        """The derivative of φ of the given order as a SymPy expression (Dirac deltas included)."""
        return _derivative(self.text, order)

    def function(self, functions: Mapping[str, Any] | None = None, order: int = 0) -> Elementwise:
        """φ (``order=0``) or its derivative as an elementwise function of an array.

        ``functions`` is the table made by :func:`array_functions` for an array namespace; NumPy's by default.
        Dirac deltas are left out: at a breakpoint a derivative takes the mean of its two sides.
        """
        text = self.text if order == 0 else _derivative_text(self.text, order)
        return _numpy_elementwise(text) if functions is None else _elementwise(text, functions)

    @functools.cached_property
    def jumps(self) -> tuple[float, ...]:
        """Breakpoints where φ itself is discontinuous, so that E[φ'²] is infinite."""
        return tuple(x for x in self.breakpoints or () if _gap(self.function(), x) > 1e-5)

    @functools.cached_property
    def kinks(self) -> tuple[float, ...]:
        """Breakpoints where φ is continuous and φ' is not."""
        slope = self.function(order=1)
        return tuple(x for x in self.breakpoints or () if x not in self.jumps and _gap(slope, x) > 1e-5)

    @functools.cached_property
    def parity(self) -> int:
        """1 if φ is even, -1 if odd, 0 otherwise (read off fixed points, to rounding)."""
        u = np.array([0.0, 1e-3, 0.1, 0.37, 0.5, 1.0, 1.7, 2.9, 4.3, 7.1])
        right, left = self.function()(u), self.function()(-u)
        scale = 1e-13 * (np.abs(right) + np.abs(left) + 1e-2)
        return next((p for p in (1, -1) if np.all(np.abs(left - p * right) <= scale)), 0)

    def __str__(self) -> str:
        return self.name


def as_activation(value: object) -> Activation:
    """An :class:`Activation` from a registered name, an ``Activation`` or a SymPy expression in one symbol.

    A name may carry parameters, as in ``"leaky_relu(0.2)"``.

    Raises
    ------
    ValueError
        If the name is not registered, or the expression has more than one symbol.
    TypeError
        If ``value`` is none of these.
    """
    if isinstance(value, Activation):
        return value
    if isinstance(value, str):
        return _registered(value)
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
_ALIASES = {"identity": "linear", "swish": "silu", "heaviside": "step", "relu2": "squared_relu"}


@functools.cache
def _registered(name: str) -> Activation:
    match = re.fullmatch(r"\s*([A-Za-z]\w*)\s*(?:\(([^()]*)\))?\s*", name)
    base = _ALIASES.get(match[1], match[1]) if match else name
    if match is None or base not in _ROWS:
        close = difflib.get_close_matches(name, activation_names(), n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise ValueError(f"activation: expected a registered name, got {name!r}{hint}; {', '.join(activation_names())}")
    text, breakpoints, defaults = _ROWS[base]
    parameters = _parameters(name, match[2], defaults)
    for parameter, number in parameters.items():
        text = re.sub(rf"\b{parameter}\b", f"({number!r})", text)
    changed = [repr(v) for k, v in parameters.items() if v != defaults[k]]
    return Activation(f"{base}({', '.join(changed)})" if changed else base, text, breakpoints)


def _parameters(name: str, given: str | None, defaults: dict[str, float]) -> dict[str, float]:
    words = [w for w in (given or "").split(",") if w.strip()]
    try:
        numbers = [float(w) for w in words]
    except ValueError:
        numbers = [math.nan]
    if len(numbers) > len(defaults) or not all(map(math.isfinite, numbers)):
        raise ValueError(f"activation: expected at most {len(defaults)} finite numbers in the brackets, got {name!r}")
    return dict(zip(defaults, [*numbers, *list(defaults.values())[len(numbers) :]], strict=True))


# --------------------------------------------------------------------------------------------------------------
# Text → array function

FUNCTIONS = (
    "Abs", "DiracDelta", "Heaviside", "Max", "Min", "Piecewise", "atan", "cos", "cosh", "erf", "exp", "expm1", "log",
    "log1p", "logcosh", "sign", "sin", "sinh", "softplus", "sqrt", "tanh",
)  # fmt: skip
_CONSTANTS = {"pi": math.pi, "E": math.e}
_NODES = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.Call, ast.Name, ast.Load, ast.Constant, ast.Add, ast.Sub, ast.Mult,
    ast.Div, ast.Pow, ast.USub, ast.UAdd, ast.Tuple, ast.Compare, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.BitAnd,
    ast.BitOr,
)  # fmt: skip


def _check_text(name: str, text: str) -> None:
    """Only arithmetic, ``u`` and the known functions: a text may come from a store or a sweep file, so it is never
    evaluated before it was read as one of these."""
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, TypeError, ValueError):
        raise ValueError(f"activation {name!r}: expected an expression in u, got {text!r}") from None
    for node in ast.walk(tree):
        known = not isinstance(node, ast.Name) or node.id in {"u", "True", *FUNCTIONS, *_CONSTANTS}
        number = not isinstance(node, ast.Constant) or isinstance(node.value, int | float)
        if not (isinstance(node, _NODES) and known and number):
            what = node.id if isinstance(node, ast.Name) else ast.unparse(node) if hasattr(node, "lineno") else text
            raise ValueError(f"activation {name!r}: expected u, numbers and {', '.join(FUNCTIONS)}; got {what!r}")


def array_functions(xp: Any, erf: Elementwise) -> dict[str, Any]:
    """The names an activation text may use, bound to an array namespace.

    ``xp`` is an array-API namespace. ``erf`` is given apart because the array API has none.
    """

    def elementwise(name: str) -> Callable[[Any], Any]:
        of_scalar, of_array = getattr(math, name), getattr(xp, name)
        return lambda x: of_scalar(x) if isinstance(x, int | float) else of_array(x)

    def step(x: Any) -> Any:
        return (xp.sign(x) + 1) / 2

    def largest(*terms: Any) -> Any:
        return functools.reduce(lambda a, b: _pair(xp.where, a, b, a > b), terms)

    def smallest(*terms: Any) -> Any:
        return functools.reduce(lambda a, b: _pair(xp.where, a, b, a < b), terms)

    def piecewise(*cases: Any) -> Any:
        value, _ = cases[-1]
        for branch, condition in reversed(cases[:-1]):
            value = _pair(xp.where, branch, value, condition)
        return value

    def logcosh(x: Any) -> Any:
        """Exact to rounding at both ends, where cosh overflows and where log cosh x = x²/2 is small."""
        size = abs(x)
        near = smallest(size, 1.0)
        return _pair(xp.where, xp.log1p(2 * xp.sinh(near / 2) ** 2), size + xp.log1p(xp.expm1(-2 * size) / 2), size < 1)

    names = ("cos", "cosh", "exp", "expm1", "log", "log1p", "sin", "sinh", "sqrt", "tanh")
    return {
        **{name: elementwise(name) for name in names},
        **_CONSTANTS,
        "True": True,
        "Abs": abs,
        "atan": xp.atan if hasattr(xp, "atan") else xp.arctan,
        "sign": xp.sign,
        "Heaviside": lambda x, _at_zero=None: step(x),
        "DiracDelta": lambda x, _order=0: 0.0 * x,
        "softplus": lambda x: xp.logaddexp(x, 0.0 * x),
        "logcosh": logcosh,
        "erf": lambda x: math.erf(x) if isinstance(x, int | float) else erf(x),
        "Max": largest,
        "Min": smallest,
        "Piecewise": piecewise,
        "_full": lambda like, value: value if hasattr(value, "shape") else xp.zeros_like(like) + value,
    }


def _pair(where: Callable[..., Any], a: Any, b: Any, condition: Any) -> Any:
    """``where`` for operands of which one may be a Python number: strict namespaces take arrays only."""
    if not hasattr(condition, "shape"):
        return a if condition else b
    zero = 0.0 * (a if hasattr(a, "shape") else b) if hasattr(a, "shape") or hasattr(b, "shape") else 0.0 * condition
    return where(condition, a + zero, b + zero)


@functools.cache
def _numpy_elementwise(text: str) -> Elementwise:
    import scipy.special

    return _elementwise(text, array_functions(np, scipy.special.erf))


def _elementwise(text: str, functions: Mapping[str, Any]) -> Elementwise:
    code = compile(ast.parse(text, mode="eval"), f"<activation {text}>", "eval")
    full = functions["_full"]
    scope = {"__builtins__": {}, **functions}

    def apply(x: Any) -> Any:
        return full(x, eval(code, scope, {"u": x}))  # noqa: S307 - the text passed _check_text

    return apply


def _gap(function: Elementwise, x: float) -> float:
    step = 1e-7 * max(1.0, abs(x))
    right, left = function(np.array([x + step, x - step]))
    return float(abs(right - left))


# --------------------------------------------------------------------------------------------------------------
# Text ↔ SymPy


@functools.cache
def _symbols() -> dict[str, Any]:
    import sympy
    from sympy.codegen.cfunctions import expm1, log1p

    class _Primitive(sympy.Function):
        """A function that numerics evaluate as one; SymPy knows its derivative and its logarithm."""

        def _eval_evalf(self, precision: int) -> sympy.Expr:
            return self.rewrite(sympy.log)._eval_evalf(precision)

        def _latex(self, printer: Any) -> str:
            return rf"\operatorname{{{type(self).__name__}}}\left({printer._print(self.args[0])}\right)"

    class softplus(_Primitive):
        def fdiff(self, argindex: int = 1) -> sympy.Expr:
            return (1 + sympy.tanh(self.args[0] / 2)) / 2

        def _eval_rewrite_as_log(self, x: sympy.Expr, **_: Any) -> sympy.Expr:
            return sympy.log(1 + sympy.exp(x))

    class logcosh(_Primitive):
        def fdiff(self, argindex: int = 1) -> sympy.Expr:
            return sympy.tanh(self.args[0])

        def _eval_rewrite_as_log(self, x: sympy.Expr, **_: Any) -> sympy.Expr:
            return sympy.log(sympy.cosh(x))

    table = {name: getattr(sympy, name) for name in FUNCTIONS if hasattr(sympy, name)}
    return {
        **table, "softplus": softplus, "logcosh": logcosh, "expm1": expm1, "log1p": log1p, "pi": sympy.pi, "E": sympy.E,
        "u": sympy.Symbol("u", real=True), "Integer": sympy.Integer, "Rational": sympy.Rational,
        "Float": sympy.Float, "True": True,
    }  # fmt: skip


@functools.cache
def _sympify(text: str) -> sympy.Expr:
    import sympy
    from sympy.parsing.sympy_parser import parse_expr, rationalize, standard_transformations

    names = _symbols()
    expression = parse_expr(text, local_dict=names, transformations=(*standard_transformations, rationalize))
    return sympy.sympify(expression)


@functools.cache
def _derivative(text: str, order: int) -> sympy.Expr:
    return _sympify(text).diff(_symbols()["u"], order)


@functools.cache
def _derivative_text(text: str, order: int) -> str:
    derivative = _as_text(_derivative(text, order), exact=False)
    _check_text(f"{text}, differentiated", derivative)
    return derivative


def _as_text(expression: sympy.Expr, exact: bool = True) -> str:
    """SymPy's spelling, with every digit of its floats. ``exact=False`` spells long fractions as floats too: numerator
    and denominator of an exact derivative can be larger than an array's integers."""
    import sympy
    from sympy.printing.str import StrPrinter

    class Spelling(StrPrinter):
        def _print_Float(self, number: sympy.Float) -> str:
            return repr(float(number))

    long = [] if exact else [r for r in expression.atoms(sympy.Rational) if max(abs(r.p), r.q) > 2**31]
    return str(Spelling().doprint(expression.xreplace({r: sympy.Float(r, 17) for r in long})))


def _from_expression(expression: Any) -> Activation:
    symbols = sorted(expression.free_symbols, key=str)
    if len(symbols) > 1:
        raise ValueError(f"activation: expected an expression in one symbol, got {expression} in {symbols}")
    renamed = expression.subs(symbols[0], _symbols()["u"]) if symbols else expression
    return Activation(str(expression), _as_text(renamed))


def _find_breakpoints(expression: sympy.Expr) -> tuple[float, ...]:
    """Real zeros of everything the expression switches on: arguments of |·|, sign, Heaviside, Max, Min, Piecewise."""
    import sympy

    u = _symbols()["u"]
    switches: list[sympy.Expr] = []
    for atom in expression.atoms(sympy.Abs, sympy.sign, sympy.Heaviside):
        switches.append(atom.args[0])
    for atom in expression.atoms(sympy.Max, sympy.Min):
        switches += [a - b for i, a in enumerate(atom.args) for b in atom.args[:i]]
    for atom in expression.atoms(sympy.Piecewise):
        switches += [r.lhs - r.rhs for _, c in atom.args for r in getattr(c, "atoms", lambda *_: ())(sympy.Rel)]
    zeros: set[float] = set()
    for switch in switches:
        if switch.has(u):
            found = sympy.solveset(switch, u, sympy.S.Reals)
            if not isinstance(found, sympy.FiniteSet):
                raise ValueError(
                    f"activation: expected breakpoints for {expression}, whose switch {switch} = 0 is open"
                )
            zeros |= {float(z) for z in found}
    return tuple(sorted(zeros))
