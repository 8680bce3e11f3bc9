"""An activation's text: checked, read and written by SymPy.

The names a text may use are those of ``FUNCTIONS``. ``softplus`` and ``logcosh`` are primitives of ours.
"""

from __future__ import annotations

import ast
import functools
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sympy

__all__ = [
    "CONSTANTS", "FUNCTIONS", "as_text", "check_text", "derivative_of", "derivative_text", "find_breakpoints",
    "symbols", "sympified",
]  # fmt: skip

FUNCTIONS = (
    "Abs", "DiracDelta", "Heaviside", "Max", "Min", "Piecewise", "atan", "cos", "cosh", "erf", "exp", "expm1", "log",
    "log1p", "logcosh", "sign", "sin", "sinh", "softplus", "sqrt", "tanh",
)  # fmt: skip
CONSTANTS = {"pi": math.pi, "E": math.e}
_NODES = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.Call, ast.Name, ast.Load, ast.Constant, ast.Add, ast.Sub, ast.Mult,
    ast.Div, ast.Pow, ast.USub, ast.UAdd, ast.Tuple, ast.Compare, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.BitAnd,
    ast.BitOr,
)  # fmt: skip


def check_text(name: str, text: str) -> None:
    """Only arithmetic, ``u`` and the known functions: a text may come from a store or a sweep file, so it is never
    evaluated before it was read as one of these."""
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, TypeError, ValueError):
        raise ValueError(f"activation {name!r}: expected an expression in u, got {text!r}") from None
    for node in ast.walk(tree):
        known = not isinstance(node, ast.Name) or node.id in {"u", "True", *FUNCTIONS, *CONSTANTS}
        number = not isinstance(node, ast.Constant) or isinstance(node.value, int | float)
        if not (isinstance(node, _NODES) and known and number):
            what = node.id if isinstance(node, ast.Name) else ast.unparse(node) if hasattr(node, "lineno") else text
            raise ValueError(f"activation {name!r}: expected u, numbers and {', '.join(FUNCTIONS)}; got {what!r}")


@functools.cache
def symbols() -> dict[str, sympy.Basic]:
    import sympy
    from sympy.codegen.cfunctions import expm1, log1p
    from sympy.printing.str import StrPrinter

    class _Primitive(sympy.Function):
        """A function that numerics evaluate as one; SymPy knows its derivative and its logarithm."""

        def _eval_evalf(self, precision: int) -> sympy.Expr:
            return self.rewrite(sympy.log)._eval_evalf(precision)

        def _latex(self, printer: StrPrinter) -> str:
            return rf"\operatorname{{{type(self).__name__}}}\left({printer._print(self.args[0])}\right)"

    class softplus(_Primitive):
        def fdiff(self, argindex: int = 1) -> sympy.Expr:
            return (1 + sympy.tanh(self.args[0] / 2)) / 2

        def _eval_rewrite_as_log(self, x: sympy.Expr, **_: object) -> sympy.Expr:
            return sympy.log(1 + sympy.exp(x))

    class logcosh(_Primitive):
        def fdiff(self, argindex: int = 1) -> sympy.Expr:
            return sympy.tanh(self.args[0])

        def _eval_rewrite_as_log(self, x: sympy.Expr, **_: object) -> sympy.Expr:
            return sympy.log(sympy.cosh(x))

    table = {name: getattr(sympy, name) for name in FUNCTIONS if hasattr(sympy, name)}
    return {
        **table, "softplus": softplus, "logcosh": logcosh, "expm1": expm1, "log1p": log1p, "pi": sympy.pi, "E": sympy.E,
        "u": sympy.Symbol("u", real=True), "Integer": sympy.Integer, "Rational": sympy.Rational,
        "Float": sympy.Float, "True": True,
    }  # fmt: skip


@functools.cache
def sympified(text: str) -> sympy.Expr:
    import sympy
    from sympy.parsing.sympy_parser import parse_expr, rationalize, standard_transformations

    names = symbols()
    expression = parse_expr(text, local_dict=names, transformations=(*standard_transformations, rationalize))
    return sympy.sympify(expression)


@functools.cache
def derivative_of(text: str, order: int) -> sympy.Expr:
    return sympified(text).diff(symbols()["u"], order)


@functools.cache
def derivative_text(text: str, order: int) -> str:
    derivative = as_text(derivative_of(text, order), exact=False)
    check_text(f"{text}, differentiated", derivative)
    return derivative


def as_text(expression: sympy.Expr, exact: bool = True) -> str:
    """SymPy's spelling, with every digit of its floats. ``exact=False`` spells long fractions as floats too: numerator
    and denominator of an exact derivative can be larger than an array's integers."""
    import sympy
    from sympy.printing.str import StrPrinter

    class Spelling(StrPrinter):
        def _print_Float(self, number: sympy.Float) -> str:
            return repr(float(number))

    long = [] if exact else [r for r in expression.atoms(sympy.Rational) if max(abs(r.p), r.q) > 2**31]
    return str(Spelling().doprint(expression.xreplace({r: sympy.Float(r, 17) for r in long})))


def find_breakpoints(expression: sympy.Expr) -> tuple[float, ...]:
    """Real zeros of everything the expression switches on: arguments of |·|, sign, Heaviside, Max, Min, Piecewise."""
    import sympy

    u = symbols()["u"]
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
