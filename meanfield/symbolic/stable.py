"""Closed forms rewritten so that they lose no digits, and the magnitude that bounds what rounding is left.

In ``b = q c``, ``g = q (1 - c)``, ``h = q (1 + c)`` beside q: ``q² - b² = g h``, ``q - b = g``, ``q + b = h``. For two
variances, in q_s, q_t, b and the determinant ``D = q_s q_t - b²``, which is given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import sympy
from sympy import Abs, S

from meanfield.symbolic.derivation import q, q_s, q_st, q_t

__all__ = ["D", "b", "g", "h", "magnitude", "stable", "stable_pair"]

Expr: TypeAlias = sympy.Expr

b = sympy.Symbol("b", real=True)
g, h, D = sympy.symbols("g h D", nonnegative=True)


def stable(expression: Expr) -> Expr:
    """A function of (q, q_st) as one of (q, b, g, h): each polynomial in it in the spelling that subtracts least."""
    return _spelled(expression, lambda x: [x.xreplace({q_st: b}), _by_product(x), _by_ends(x)])


def stable_pair(expression: Expr) -> Expr:
    """A function of (q_s, q_t, q_st) as one of (q_s, q_t, b, D), in the same sense."""
    return _spelled(expression, lambda x: [x.xreplace({q_st: b}), _by_determinant(x)])


def _spelled(expression: Expr, spellings: Callable[[Expr], list[Expr]]) -> Expr:
    variables = (q, q_s, q_t, q_st)
    if expression.is_polynomial(*variables):
        factors = sympy.Mul.make_args(sympy.factor(expression))
        return sympy.Mul(*(_best_spelling(x, spellings) for x in factors))
    if expression.is_rational_function(*variables):
        top, bottom = sympy.fraction(sympy.together(expression))
        return _spelled(sympy.expand(top), spellings) / _spelled(sympy.expand(bottom), spellings)
    if expression.func == sympy.asin:
        return _arctangent(expression.args[0], spellings)
    return expression.func(*(_spelled(x, spellings) for x in expression.args))


def _arctangent(sine: Expr, spellings: Callable[[Expr], list[Expr]]) -> Expr:
    """asin(n/d) = atan2(n, √(d² - n²))."""
    top, bottom = sympy.fraction(sympy.together(sine))
    root = sympy.sqrt(_spelled(sympy.expand(bottom**2 - top**2), spellings))
    return sympy.atan2(_spelled(top, spellings), root)


def _best_spelling(polynomial: Expr, spellings: Callable[[Expr], list[Expr]]) -> Expr:
    """Of a polynomial: the spelling with the fewest subtractions."""
    if not polynomial.has(q_st):
        return polynomial
    base, exponent = polynomial.as_base_exp()
    return min(spellings(base), key=_subtractions) ** exponent


def _by_product(polynomial: Expr) -> Expr:
    """Σ_k (g h)^k (A_k(q) + B_k(q) b)."""
    return _in_powers(polynomial, q**2 - q_st**2, g * h).xreplace({q_st: b})


def _by_determinant(polynomial: Expr) -> Expr:
    """Σ_k D^k (A_k + B_k b)."""
    return _in_powers(polynomial, q_s * q_t - q_st**2, D).xreplace({q_st: b})


def _in_powers(polynomial: Expr, base: Expr, name: Expr) -> Expr:
    """A polynomial in powers of ``base``, which is called ``name``."""
    total, rest, power = S.Zero, sympy.Poly(polynomial, q_st), 0
    while not rest.is_zero:
        rest, remainder = sympy.div(rest, sympy.Poly(base, q_st))
        total += name**power * remainder.as_expr()
        power += 1
    return sympy.expand(total)


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
