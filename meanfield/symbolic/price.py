"""Gaussian expectations of pairs of terms, derived (theory.md §2).

(u, v) is normal, with means (m_u, m_v) and covariance [[s, b], [b, t]]. Three rules, each exact:

* exponentials and normal densities belong to the law: ``exp(βu)`` shifts its means, and ``N(u; a, τ)`` conditions it
  on an observation a of u with noise τ (τ = 0, a delta: on u = a);
* Gaussian integration by parts (Stein) lowers powers: ``E[u G] = m_u E[G] + s E[∂G/∂u] + b E[∂G/∂v]``;
* Price's theorem: ``∂/∂b E[e(u) f(v)] = E[e'(u) f'(v)]``, for edges e and f at the means the density
  ``4 / (2π √(ST - b²))`` with ``S = s + τ_e``, ``T = t + τ_f``; back-integrated from b = 0, where the expectation is 0:
  ``(2/π) arcsin(b / √(ST))``. This is the only integral left.

An edge off its mean, against another edge, is a bivariate normal probability with shifted thresholds: not elementary.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

import sympy
from sympy import S, factor, pi, sqrt

from meanfield.symbolic.terms import Bell, NoClosedFormError, Term

__all__ = ["Law", "expectation"]

Expr: TypeAlias = sympy.Expr


@dataclass(frozen=True)
class Law:
    """``weight * exp(exponent)`` times the normal law of (u, v): variances s and t, covariance b, and means."""

    s: Expr
    t: Expr
    b: Expr
    mean_u: Expr = S.Zero
    mean_v: Expr = S.Zero
    weight: Expr = S.One
    exponent: Expr = S.Zero

    def swapped(self) -> Law:
        return replace(self, s=self.t, t=self.s, mean_u=self.mean_v, mean_v=self.mean_u)

    def tilted(self, tilt: Expr) -> Law:
        """The law times exp(tilt u)."""
        return replace(
            self,
            mean_u=factor(self.mean_u + tilt * self.s),
            mean_v=factor(self.mean_v + tilt * self.b),
            exponent=factor(self.exponent + tilt * self.mean_u + tilt**2 * self.s / 2),
        )

    def conditioned(self, bell: Bell) -> Law:
        """The law times a normal density in u: what a noisy observation of u leaves."""
        spread, offset = self.s + bell.variance, bell.center - self.mean_u
        return Law(
            s=factor(self.s * bell.variance / spread),
            t=factor(self.t - self.b**2 / spread),
            b=factor(self.b * bell.variance / spread),
            mean_u=factor(self.mean_u + self.s * offset / spread),
            mean_v=factor(self.mean_v + self.b * offset / spread),
            weight=self.weight / sqrt(2 * pi * factor(spread)),
            exponent=factor(self.exponent - offset**2 / (2 * spread)),
        )


def expectation(law: Law, first: Iterable[Term], second: Iterable[Term]) -> Expr:
    """E[F(u) G(v)] for sums of terms F and G.

    Raises
    ------
    NoClosedFormError
        If it is not elementary.
    """
    others = list(second)
    return sympy.Add(*(_pair(law, x, y) for x in first for y in others))


def _pair(law: Law, x: Term, y: Term) -> Expr:
    law = _absorbed(_absorbed(law, x.tilt, x.bells).swapped(), y.tilt, y.bells).swapped()
    core = _reduced(law, Term(power=x.power, edge=x.edge), Term(power=y.power, edge=y.edge))
    return x.coefficient * y.coefficient * core


@functools.lru_cache(maxsize=4096)
def _absorbed(law: Law, tilt: Expr, bells: tuple[Bell, ...]) -> Law:
    law = law.tilted(tilt) if tilt else law
    for bell in bells:
        law = law.conditioned(bell)
    return law


@functools.lru_cache(maxsize=4096)
def _reduced(law: Law, x: Term, y: Term) -> Expr:
    """E[x(u) y(v)] for terms without exponential and bells."""
    if x.power == 0 and y.power == 0:
        return law.weight * sympy.exp(law.exponent) * _edges(law, x.edge, y.edge)
    if x.power == 0:
        return _reduced(law.swapped(), y, x)
    low = x.lowered()
    parts = [
        law.mean_u * _reduced(law, low, y) if law.mean_u else S.Zero,
        law.s * expectation(law, low.derivative(), [y]) if law.s else S.Zero,
        law.b * expectation(law, [low], y.derivative()) if law.b else S.Zero,
    ]
    return sympy.Add(*parts)


def _edges(law: Law, e: Bell | None, f: Bell | None) -> Expr:
    if e is None or f is None or law.b == 0:
        return _edge(law.mean_u, law.s, e) * _edge(law.mean_v, law.t, f)
    if e.center != law.mean_u or f.center != law.mean_v:
        raise NoClosedFormError("a bivariate normal probability with shifted thresholds enters")
    return 2 / pi * sympy.asin(law.b / sqrt(factor((law.s + e.variance) * (law.t + f.variance))))


def _edge(mean: Expr, variance: Expr, e: Bell | None) -> Expr:
    """E[e(u)]; 1 for no edge."""
    return S.One if e is None else sympy.erf((mean - e.center) / sqrt(2 * factor(variance + e.variance)))
