"""An activation's text: checked, read and written by SymPy.

The names a text may use are those of ``FUNCTIONS``. ``softplus`` and ``logcosh`` are primitives of ours.
"""

from __future__ import annotations

import ast
import functools
import math
import operator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sympy

__all__ = [
    "CONSTANTS", "FUNCTIONS", "as_text", "check_size", "check_text", "derivative_of", "derivative_text",
    "find_breakpoints", "parsed", "symbols", "sympified",
]  # fmt: skip

FUNCTIONS = (
    "Abs", "DiracDelta", "Heaviside", "Max", "Min", "Piecewise", "atan", "cos", "cosh", "erf", "exp", "expm1", "log",
    "log1p", "logcosh", "sign", "sin", "sinh", "softplus", "sqrt", "tanh",
)  # fmt: skip
LONGEST_TEXT, MOST_PARTS = 4000, 1000
LARGEST_POWER, LARGEST_NUMBER = 100, 1e150
_ARITHMETIC = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}  # fmt: skip
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
    except (SyntaxError, TypeError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"activation {name!r:.80}: expected an expression in u, got {text!r:.80}") from None
    for node in ast.walk(tree):
        known = not isinstance(node, ast.Name) or node.id in {"u", "True", *FUNCTIONS, *CONSTANTS}
        number = not isinstance(node, ast.Constant) or isinstance(node.value, int | float)
        if not (isinstance(node, _NODES) and known and number):
            what = node.id if isinstance(node, ast.Name) else ast.unparse(node) if hasattr(node, "lineno") else text
            allowed = ", ".join(f for f in FUNCTIONS if f != "DiracDelta")  # it is in derivatives only
            raise ValueError(
                f"activation {name!r:.80}: expected u, numbers and {allowed}; got {what!r:.80}{_hint(what)}"
            )


def _hint(what: str) -> str:
    """What may have been meant."""
    if "^" in what:
        return "; a power is written **"
    close = next((name for name in (*FUNCTIONS, *CONSTANTS, "u") if name.lower() == what.lower()), "")
    return f" (did you mean {close}?)" if close else ""


def check_size(name: str, text: str) -> None:
    """A text of bounded length and powers: others would take hours, or all memory, to derive or even to read.

    Raises
    ------
    ValueError
        With the bound that is broken.
    """
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"activation {name!r:.80}: expected at most {LONGEST_TEXT} characters, got {len(text)}")
    check_text(name, text)
    tree = ast.parse(text, mode="eval")
    size = sum(1 for _ in ast.walk(tree))
    if size > MOST_PARTS:
        raise ValueError(f"activation {name!r:.80}: expected at most {MOST_PARTS} parts, got {size}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and abs(node.value) > LARGEST_NUMBER:
            raise ValueError(f"activation {name!r:.80}: expected numbers up to {LARGEST_NUMBER:g}, got a larger one")
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            exponent = _constant(node.right)
            if exponent is not None and not abs(exponent) <= LARGEST_POWER:
                got = ast.unparse(node.right)
                raise ValueError(f"activation {name!r:.80}: expected powers up to {LARGEST_POWER}, got {got!r:.80}")


def _constant(node: ast.AST) -> float | None:
    """The value of a sum, product or power of numbers, infinite where it is beyond all bounds; ``None`` of anything
    else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.UnaryOp):
        value = _constant(node.operand)
        return None if value is None else -value if isinstance(node.op, ast.USub) else value
    rule = _ARITHMETIC.get(type(node.op)) if isinstance(node, ast.BinOp) else None
    if rule is None or not isinstance(node, ast.BinOp):
        return None
    parts = _constant(node.left), _constant(node.right)
    if parts[0] is None or parts[1] is None:
        return None
    try:
        return float(rule(parts[0], parts[1]))
    except (ArithmeticError, TypeError):
        return math.inf


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
    """The expression, written so that its numbers don't end where those of exp do."""
    return _spelled_out(parsed(text))


@functools.cache
def parsed(text: str) -> sympy.Expr:
    """The expression as it is written.

    Raises
    ------
    ValueError
        If it is none, or true or false instead of a number.
    """
    import sympy
    from sympy.parsing.sympy_parser import parse_expr, rationalize, standard_transformations

    try:
        found = parse_expr(text, local_dict=symbols(), transformations=(*standard_transformations, rationalize))
        expression = sympy.sympify(found)
    except Exception as error:  # SymPy's own complaints are of any kind
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"activation: expected an expression in u, got {text!r:.80} ({reason:.120})") from None
    if not isinstance(expression, sympy.Expr):
        raise ValueError(f"activation: expected a number for every u, got {text!r:.80}, which is true or false")
    return expression


def _spelled_out(expression: sympy.Expr) -> sympy.Expr:
    """log(1 + exp(x)) as softplus and 1/(1 + exp(x)) by tanh: as they are written they end where exp does."""
    import sympy

    softplus = symbols()["softplus"]

    def exponent(of_sum: sympy.Basic) -> Any:
        """x of 1 + exp(x), or nothing."""
        parts = of_sum.args if isinstance(of_sum, sympy.Add) and len(of_sum.args) == 2 else ()
        grown = [x for x in parts if isinstance(x, sympy.exp)]
        return grown[0].args[0] if len(grown) == 1 and sympy.S.One in parts else None

    def is_one(x: sympy.Basic) -> bool:
        inner = x.args[0] if isinstance(x, sympy.log) else x.base if isinstance(x, sympy.Pow) else None
        whole = isinstance(x, sympy.log) or (isinstance(x, sympy.Pow) and x.exp.is_Integer and x.exp < 0)
        return bool(whole and inner is not None and exponent(inner) is not None)

    def spelled(x: sympy.Basic) -> sympy.Basic:
        if isinstance(x, sympy.log):
            return softplus(exponent(x.args[0]))
        return ((1 - sympy.tanh(exponent(x.base) / 2)) / 2) ** -x.exp

    return expression.replace(is_one, spelled)


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
                    f"activation: expected breakpoints for {expression}, since where {switch} is 0 can't be found: "
                    "Activation(name, text, breakpoints) takes them"
                )
            zeros |= {float(z) for z in found}
    return tuple(sorted(zeros))
