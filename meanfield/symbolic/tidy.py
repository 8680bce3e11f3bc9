"""Derived expectations in one readable form: Σ rational coefficient × transcendental kernel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TypeAlias

import sympy
from sympy import I, S

from meanfield.symbolic.terms import NoClosedFormError

__all__ = ["tidy"]

Expr: TypeAlias = sympy.Expr
_KERNELS = (sympy.asin, sympy.exp, sympy.erf, sympy.erfi, sympy.cos, sympy.sin)


def tidy(expression: Expr, covariance: Expr) -> Expr:
    """``expression`` as Σ coefficient × kernel, a kernel being a product of roots, exponentials, arcsines and so on.

    Coefficients are factored. Radicands are spelled by powers of ``covariance``: a determinant reads
    ``(q_s + 1)(q_t + 1) - q_st²``.

    Raises
    ------
    NoClosedFormError
        If error functions of a complex argument stay in it.
    """
    kernels, replaced = _named_kernels(_without_waves(expression))
    coefficients: dict[Expr, Expr] = defaultdict(lambda: S.Zero)
    for summand in sympy.Add.make_args(sympy.expand(replaced)):
        coefficient, monomial = summand.as_independent(*kernels, as_Add=False)
        coefficients[monomial] += coefficient
    if any(c.has(I) for c in coefficients.values()):
        raise NoClosedFormError("an error function of a complex argument enters")
    spelled = {name: _spelled(kernel, covariance) for name, kernel in kernels.items()}
    radicands = {sympy.expand(base): base for base in (k.as_base_exp()[0] for k in spelled.values())}
    summands = (sympy.factor(c).xreplace(radicands) * m.xreplace(spelled) for m, c in coefficients.items())
    return sympy.powsimp(sympy.Add(*summands), combine="exp")


def _without_waves(expression: Expr) -> Expr:
    """Exponentials and error functions of complex arguments as sine, cosine and erfi."""
    if not expression.has(I):
        return expression
    turned = expression.replace(sympy.erf, lambda x: I * sympy.erfi(sympy.expand(-I * x)) if x.has(I) else sympy.erf(x))
    return turned.replace(sympy.exp, _wave)


def _wave(exponent: Expr) -> Expr:
    """exp(a + ib) = exp(a) (cos b + i sin b)."""
    parts = sympy.Add.make_args(sympy.expand(exponent))
    a = sympy.factor(sympy.Add(*(x for x in parts if not x.has(I))))
    b = sympy.factor(sympy.Add(*(-I * x for x in parts if x.has(I))))
    return sympy.exp(a) * (sympy.cos(b) + I * sympy.sin(b))


def _named_kernels(expression: Expr) -> tuple[dict[Expr, Expr], Expr]:
    """Kernels by the symbols that stand for them, and the expression in these symbols.

    Half-integer powers of one radicand share the lowest of them as their kernel.
    """
    lowest: dict[Expr, Expr] = {}
    for base, exponent in _roots(expression):
        lowest[base] = min(exponent, lowest.get(base, exponent))
    functions = {k for k in _outermost(expression) if k.func in _KERNELS}
    kernels = {sympy.Dummy(): k for k in sorted(functions, key=str)}
    names = {kernel: name for name, kernel in kernels.items()}
    for base, exponent in lowest.items():
        name = sympy.Dummy(positive=True)
        kernels[name] = sympy.Pow(base, exponent)
        names |= {sympy.Pow(base, e): name * base ** (e - exponent) for b, e in _roots(expression) if b == base}
    return kernels, expression.xreplace(names)


def _roots(expression: Expr) -> Iterator[tuple[Expr, Expr]]:
    return (k.as_base_exp() for k in _outermost(expression) if k.is_Pow)


def _outermost(expression: Expr) -> Iterator[Expr]:
    """Kernels that lie in no other kernel."""
    if expression.func in _KERNELS or (expression.is_Pow and expression.exp.is_Rational and expression.exp.q == 2):
        if expression.free_symbols:
            yield expression
    else:
        for part in expression.args:
            yield from _outermost(part)


def _spelled(kernel: Expr, covariance: Expr) -> Expr:
    """The kernel with each radicand as Σ_k factored coefficient × covariance^k."""
    return kernel.replace(
        lambda e: e.is_Pow and e.exp.is_Rational and e.exp.q == 2,
        lambda e: sympy.collect(sympy.expand(e.base), covariance, sympy.factor) ** e.exp,
    )
