"""Closed forms rewritten so that they lose no digits, and the magnitude that bounds what rounding is left.

In ``b = q c``, ``g = q (1 - c)``, ``h = q (1 + c)`` beside q: ``q² - b² = g h``, ``q - b = g``, ``q + b = h``.
"""

from __future__ import annotations

from typing import TypeAlias

import sympy
from sympy import Abs, S

from meanfield.symbolic.derivation import q, q_st

__all__ = ["b", "g", "h", "magnitude", "stable"]

Expr: TypeAlias = sympy.Expr

b = sympy.Symbol("b", real=True)
g, h = sympy.symbols("g h", nonnegative=True)


def stable(expression: Expr) -> Expr:
    """A function of (q, q_st) as one of (q, b, g, h): each polynomial in it in the spelling that subtracts least."""
    if expression.is_polynomial(q, q_st):
        factors = sympy.Mul.make_args(sympy.factor(expression))
        return sympy.Mul(*(_best_spelling(x) for x in factors))
    if expression.is_rational_function(q, q_st):
        top, bottom = sympy.fraction(sympy.together(expression))
        return stable(sympy.expand(top)) / stable(sympy.expand(bottom))
    if expression.func == sympy.asin:
        return _arctangent(expression.args[0])
    return expression.func(*(stable(x) for x in expression.args))


def _arctangent(sine: Expr) -> Expr:
    """asin(n/d) = atan2(n, √(d² - n²))."""
    top, bottom = sympy.fraction(sympy.together(sine))
    return sympy.atan2(stable(top), sympy.sqrt(stable(sympy.expand(bottom**2 - top**2))))


def _best_spelling(polynomial: Expr) -> Expr:
    """Of a polynomial in (q, q_st): itself, its expansion in g h = q² - q_st², and that in g and h."""
    if not polynomial.has(q_st):
        return polynomial
    base, exponent = polynomial.as_base_exp()
    spellings = [base.xreplace({q_st: b}), _by_product(base), _by_ends(base)]
    return min(spellings, key=_subtractions) ** exponent


def _by_product(polynomial: Expr) -> Expr:
    """Σ_k (g h)^k (A_k(q) + B_k(q) b)."""
    total, rest, power = S.Zero, sympy.Poly(polynomial, q_st), 0
    while not rest.is_zero:
        rest, remainder = sympy.div(rest, sympy.Poly(q**2 - q_st**2, q_st))
        total += (g * h) ** power * remainder.as_expr()
        power += 1
    return sympy.expand(total).xreplace({q_st: b})


def _by_ends(polynomial: Expr) -> Expr:
    return sympy.expand(polynomial.xreplace({q: (g + h) / 2, q_st: (h - g) / 2}))


def _subtractions(polynomial: Expr) -> tuple[int, int]:
    """How many terms have the rarer sign; then how many terms there are."""
    terms = sympy.Add.make_args(sympy.expand(polynomial))
    negative = sum(bool(t.could_extract_minus_sign()) for t in terms)
    return min(negative, len(terms) - negative), len(terms)


def magnitude(x: Expr) -> Expr:
    """What the rounding error of the computed x is a few ulps of, to first order."""
    if x.is_Atom:
        return Abs(x)
    parts = [magnitude(y) for y in x.args]
    if x.is_Add:
        return sympy.Add(*parts)
    if x.is_Mul:
        return sympy.Mul(*parts)
    if x.is_Pow and x.exp.is_Integer and x.exp > 0:
        return x.exp * parts[0] ** x.exp
    if x.is_Pow:
        return Abs(x) * max(1, abs(x.exp)) * _condition(x.base, parts[0])
    if x.func == sympy.atan2:
        return Abs(x) * (1 + _condition(x.args[0], parts[0]) + _condition(x.args[1], parts[1]))
    return Abs(x) + parts[0] * Abs(x.fdiff(1))


def _condition(x: Expr, size: Expr) -> Expr:
    """size / |x|, which is 1 where nothing is subtracted in x."""
    return S.One if size == Abs(x) else size / Abs(x)
