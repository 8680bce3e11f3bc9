"""An activation read as a sum of terms whose Gaussian expectations can be derived.

A term is ``a u^n exp(βu) Π N(u; m_i, τ_i) e(u)``: a power, an exponential (complex β: sine and cosine), normal
densities of variance τ (0: a Dirac delta), and at most one *edge* ``e(u) = 2 Φ((u - m)/√τ) - 1``, which is an error
function, and for τ = 0 the sign function. Terms are closed under differentiation: ``e' = 2 N(u; m, τ)``.

Kinks and jumps: between two breakpoints every switch (Abs, sign, Heaviside, Max, Min, Piecewise) stands still, so φ is
a smooth piece there, and φ = Σ differences of neighbouring pieces × sign functions.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeAlias

import sympy
from sympy import Rational, S
from sympy.codegen.cfunctions import expm1

from meanfield.spec.activations import Activation

__all__ = ["Bell", "NoClosedFormError", "Term", "activation_terms", "jumps", "square_terms"]

Expr: TypeAlias = sympy.Expr
Sign: TypeAlias = Callable[[Expr], Expr]
_U = sympy.Symbol("u", real=True)  # the symbol of Activation.expression

MOST_TERMS = 16  # of φ between two breakpoints, and its highest power: pairs of more take minutes


class NoClosedFormError(Exception):
    """An expectation is not elementary; the message is a phrase that says why."""


@dataclass(frozen=True)
class Bell:
    """A normal density in u, or its integral where it serves as an edge: centre m and variance τ."""

    center: Expr
    variance: Expr


@dataclass(frozen=True)
class Term:
    """``coefficient * u**power * exp(tilt*u) * Π N(u; bells) * (2 Φ((u - edge.center)/√edge.variance) - 1)``."""

    coefficient: Expr = S.One
    power: int = 0
    tilt: Expr = S.Zero
    bells: tuple[Bell, ...] = ()
    edge: Bell | None = None

    def times(self, factor: Expr) -> Term:
        return replace(self, coefficient=self.coefficient * factor)

    def lowered(self) -> Term:
        """The term divided by u."""
        return replace(self, power=self.power - 1)

    def derivative(self) -> list[Term]:
        """The derivative by the product rule. A delta has none: it raises :class:`NoClosedFormError`."""
        terms = [self.times(self.tilt)] if self.tilt else []
        if self.power:
            terms.append(self.lowered().times(S(self.power)))
        if self.edge:
            terms.append(replace(self, bells=(*self.bells, self.edge), edge=None).times(S(2)))
        for bell in self.bells:
            if not bell.variance:
                raise NoClosedFormError("the derivative of a delta function enters")
            terms.append(self.times(bell.center / bell.variance))
            terms.append(replace(self, power=self.power + 1).times(-1 / bell.variance))
        return terms


def activation_terms(activation: Activation) -> list[Term]:
    """φ as a sum of terms. Raises :class:`NoClosedFormError` where it is none."""
    return _terms(activation, _pieces(activation))


def square_terms(activation: Activation, order: int) -> list[Term]:
    """φ² (``order=0``), or φ'² without deltas, as a sum of terms: for expectations over one variable."""
    return _terms(activation, [piece.diff(_U, order) ** 2 for piece in _pieces(activation)])


def jumps(activation: Activation) -> list[Expr]:
    """The points where φ jumps."""
    steps = [right - left for left, right in pairwise(_pieces(activation))]
    heights = [sympy.N(step.subs(_U, at)) for at, step in zip(_breakpoints(activation), steps, strict=True)]
    return [at for at, height in zip(_breakpoints(activation), heights, strict=True) if abs(height) > 1e-12]


# --------------------------------------------------------------------------------------------------------------
# Pieces between the breakpoints


def _breakpoints(activation: Activation) -> list[Expr]:
    """The breakpoints as exact numbers: a short fraction where the float is one, else the float itself."""
    exact = [Rational(x) for x in activation.breakpoints or ()]
    return [short if float(short := x.limit_denominator(10**6)) == float(x) else x for x in exact]


def _pieces(activation: Activation) -> list[Expr]:
    """φ left of, between and right of its breakpoints, without switches."""
    ends = [-sympy.oo, *_breakpoints(activation), sympy.oo]
    return [_settled(activation.expression, *interval) for interval in pairwise(ends)]


def _settled(expression: sympy.Basic, left: Expr, right: Expr) -> Any:
    """``expression`` for left < u < right, where each of its switches has one position."""
    if not expression.args:
        return expression
    arguments = [_settled(a, left, right) for a in expression.args]
    if isinstance(expression, sympy.Rel):
        return expression.func(_sign(arguments[0] - arguments[1], left, right), 0)
    rule = _SWITCHES.get(expression.func)
    return rule(lambda x: _sign(x, left, right), *arguments) if rule else expression.func(*arguments)


def _sign(x: Expr, left: Expr, right: Expr) -> Expr:
    """The sign that a polynomial x(u) has in the whole of left < u < right."""
    if not x.is_polynomial(_U):
        raise NoClosedFormError(f"the sign of {x} is not known")
    if any(left < root < right for root in (sympy.real_roots(x, _U) if x.has(_U) else ())):
        raise NoClosedFormError(f"{x} changes its sign between two breakpoints")
    inner = {
        (True, True): (left + right) / 2,
        (True, False): left + 1,
        (False, True): right - 1,
        (False, False): S.Zero,
    }
    return sympy.sign(x.subs(_U, inner[bool(left.is_finite), bool(right.is_finite)]))


def _largest(sign: Sign, first: Expr, *others: Expr) -> Expr:
    return functools.reduce(lambda a, b: a if sign(a - b) >= 0 else b, others, first)


def _case(_sign: Sign, *branches: Any) -> Expr:
    return next(value for value, holds in branches if holds)  # an activation is defined everywhere


_SWITCHES: dict[Any, Callable[..., Expr]] = {
    sympy.Abs: lambda sign, x: sign(x) * x,
    sympy.sign: lambda sign, x: sign(x),
    sympy.Heaviside: lambda sign, x, *_: (1 + sign(x)) / 2,
    sympy.Max: _largest,
    sympy.Min: lambda sign, *x: -_largest(sign, *(-y for y in x)),
    sympy.Piecewise: _case,
}


# --------------------------------------------------------------------------------------------------------------
# Smooth pieces


def _terms(activation: Activation, pieces: Sequence[Expr]) -> list[Term]:
    """Σ over the pieces, joined by sign functions at the breakpoints."""
    terms = _smooth_terms((pieces[0] + pieces[-1]) / 2)
    for point, (left, right) in zip(_breakpoints(activation), pairwise(pieces), strict=True):
        for term in _smooth_terms((right - left) / 2):
            terms.append(replace(term, edge=_only(term.edge, Bell(point, S.Zero))))
    return terms


def _smooth_terms(expression: Expr) -> list[Term]:
    waves = expression.rewrite([sympy.sin, sympy.cos, sympy.sinh, sympy.cosh], sympy.exp)
    expanded = sympy.expand(waves.replace(expm1, lambda x: sympy.exp(x) - 1))
    parts = [x for x in sympy.Add.make_args(expanded) if x != 0]
    if len(parts) > MOST_TERMS:
        raise NoClosedFormError(f"{len(parts)} terms are more than the {MOST_TERMS} that are derived")
    terms = [_smooth_term(x) for x in parts]
    if (power := max((t.power for t in terms), default=0)) > MOST_TERMS:
        raise NoClosedFormError(f"the power {power} is more than the {MOST_TERMS} that are derived")
    return terms


def _smooth_term(product: Expr) -> Term:
    """One product of a number, a power of u, exponentials of quadratics and at most one error function."""
    coefficient, rest = product.as_independent(_U, as_Add=False)
    term, exponent = Term(coefficient), S.Zero
    for factor in sympy.Mul.make_args(rest):
        base, degree = factor.as_base_exp()
        if base == _U and degree.is_Integer and degree > 0:
            term = replace(term, power=int(degree))
        elif base == sympy.E:
            exponent += degree
        elif factor.func == sympy.erf and degree == 1:
            term = _with_error_function(term, factor.args[0])
        elif factor != 1:
            raise NoClosedFormError(f"{factor} is no polynomial, exponential, error function or sign")
    return _with_exponential(term, exponent)


def _with_error_function(term: Term, argument: Expr) -> Term:
    slope, shift = _coefficients(argument, 1, "erf")
    edge = Bell(-shift / slope, 1 / (2 * slope**2))
    return replace(term.times(sympy.sign(slope)), edge=_only(term.edge, edge))


def _with_exponential(term: Term, exponent: Expr) -> Term:
    """exp(-αu² + βu + γ) as a bell, for α > 0, and a tilt."""
    curvature, tilt, constant = _coefficients(exponent, 2, "exp")
    term = replace(term.times(sympy.exp(constant)), tilt=tilt)
    if curvature == 0:
        return term
    if not curvature.is_negative:
        raise NoClosedFormError("the expectation of exp of a growing square is infinite for large q")
    variance = -1 / (2 * curvature)
    return replace(term.times(sympy.sqrt(2 * sympy.pi * variance)), bells=(Bell(S.Zero, variance),))


def _coefficients(argument: Expr, degree: int, function: str) -> list[Expr]:
    """Those of a real or complex polynomial of at most this degree in u, highest first."""
    polynomial = sympy.Poly(argument, _U) if argument.is_polynomial(_U) else None
    if polynomial is None or polynomial.degree() > degree:
        raise NoClosedFormError(f"{function}({argument}) has no elementary Gaussian expectation")
    return [polynomial.coeff_monomial(_U**k) for k in range(degree, -1, -1)]


def _only(edge: Bell | None, other: Bell) -> Bell:
    if edge is not None:
        raise NoClosedFormError("a product of two error or sign functions enters")
    return other
