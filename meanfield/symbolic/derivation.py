"""Closed forms of an activation's order parameters, derived (theory.md §2).

Symbols: ``q`` the variance of a preactivation and ``q_st`` its covariance across two inputs; ``q_s``, ``q_t`` two
unequal variances. Every expression is in these, so that ``sympy.lambdify((q, q_st), derivation.forward_st)`` works.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TypeAlias

import sympy
from sympy import S

from meanfield.spec import ActivationLike
from meanfield.spec.activations import Activation, as_activation
from meanfield.symbolic.price import Law, expectation
from meanfield.symbolic.terms import NoClosedFormError, Term, activation_terms, jumps, square_terms
from meanfield.symbolic.tidy import tidy

__all__ = ["Derivation", "derive", "q", "q_s", "q_st", "q_t"]

q, q_s, q_t = sympy.symbols("q q_s q_t", positive=True)
q_st = sympy.Symbol("q_st", real=True)

Closed: TypeAlias = sympy.Expr | None


@dataclass(frozen=True)
class Derivation:
    """Gaussian expectations of an activation φ as SymPy expressions; ``None`` where there is no closed form.

    u and v are normal with mean 0, variance q (or q_s and q_t) and covariance q_st.

    ===================  ====================  =========================
    ``mean``             E[φ(u)]               in q
    ``forward``          E[φ(u)²]              in q
    ``forward_st``       E[φ(u) φ(v)]          in q, q_st
    ``backward``         E[φ'(u)²]             in q
    ``backward_st``      E[φ'(u) φ'(v)]        in q, q_st
    ``pair``             E[φ(u) φ(v)]          in q_s, q_t, q_st
    ``pair_backward``    E[φ'(u) φ'(v)]        in q_s, q_t, q_st
    ===================  ====================  =========================

    ``backward`` is ``oo`` for an activation that jumps; ``backward_st`` then holds for ``|q_st| < q``. ``reason`` says
    in one sentence why something is missing or infinite, and is empty otherwise.
    """

    activation: Activation
    mean: Closed
    forward: Closed
    forward_st: Closed
    backward: Closed
    backward_st: Closed
    pair: Closed
    pair_backward: Closed
    reason: str = ""

    def latex(self) -> str:
        """The complete recursion of theory.md §2 as a LaTeX fragment: an ``align*`` environment (package amsmath)."""
        return _latex(self)

    def __str__(self) -> str:
        rows = [
            ("φ(u)", self.activation.expression),
            ("E[φ(u)]", self.mean),
            ("E[φ(u)²]", self.forward),
            ("E[φ(u)φ(v)]", self.forward_st),
            ("E[φ'(u)²]", self.backward),
            ("E[φ'(u)φ'(v)]", self.backward_st),
        ]
        lines = [f"{name:<13} = {'no closed form' if value is None else value}" for name, value in rows]
        return "\n".join([*lines, *filter(None, [self.reason])])

    def _repr_latex_(self) -> str:
        return self.latex()


def derive(activation: ActivationLike) -> Derivation:
    """Derive E[φ], E[φφ] and E[φ'φ'] of an activation, for equal and for unequal variances.

    ``activation`` is a registered name, an :class:`Activation` or a SymPy expression in one symbol.

    Raises
    ------
    ValueError, TypeError
        If ``activation`` is none of these.
    """
    return _derive(as_activation(activation))


@functools.lru_cache(maxsize=256)
def _derive(activation: Activation) -> Derivation:
    try:
        terms = activation_terms(activation)
        mean = tidy(expectation(Law(q, q, S.Zero), terms, [Term()]), q)
    except NoClosedFormError as error:
        return Derivation(activation, *(None,) * 7, reason=f"No closed form: {error}.")
    pair, forward_st, forward, reason = _second_moments(activation, terms, 0)
    slopes = [slope for term in terms for slope in term.derivative()]
    pair_backward, backward_st, backward, backward_reason = _second_moments(activation, slopes, 1)
    if points := jumps(activation):
        at = ", ".join(str(x) for x in points)
        backward, backward_reason = sympy.oo, f"E[φ'(u)²] is infinite: φ jumps at u = {at}."
    reasons = dict.fromkeys(r for r in (reason, backward_reason) if r)
    return Derivation(
        activation, mean, forward, forward_st, backward, backward_st, pair, pair_backward, " ".join(reasons)
    )


def _second_moments(activation: Activation, terms: list[Term], order: int) -> tuple[Closed, Closed, Closed, str]:
    """E[F(u)F(v)] for unequal and for equal variances, E[F(u)²], and why the pair forms are missing; F = φ or φ'."""
    try:
        pair = tidy(expectation(Law(q_s, q_t, q_st), terms, terms), q_st)
        equal = tidy(pair.subs({q_s: q, q_t: q}), q_st)
        return pair, equal, tidy(equal.subs(q_st, q), q), ""
    except NoClosedFormError as error:
        return None, None, _square(activation, order), f"No closed form for two inputs: {error}."


def _square(activation: Activation, order: int) -> Closed:
    """E[F(u)²] where the pair has no closed form: over one variable shifted thresholds are elementary."""
    try:
        return tidy(expectation(Law(q, q, S.Zero), square_terms(activation, order), [Term()]), q)
    except NoClosedFormError:
        return None


def _latex(d: Derivation) -> str:
    """Theory.md §2 line by line, with the closed forms where there are some."""
    layer = {q: sympy.Symbol("q^{l}", positive=True), q_st: sympy.Symbol("q^{l}_{st}", real=True)}

    def form(value: Closed, otherwise: str) -> str:
        if value is None:
            return rf"\operatorname{{E}}\left[{otherwise}\right]"
        return str(sympy.latex(value.xreplace(layer), inv_trig_style="full"))

    back = r"\sigma_{w,l+1}^{2} \, \tilde{q}^{l+1}"
    backward, backward_st = form(d.backward, r"\phi'(u)^{2}"), form(d.backward_st, r"\phi'(u) \phi'(v)")
    rows = [
        (r"\phi(u)", sympy.latex(d.activation.expression)),
        (r"\hat{q}^{0}", r"1, \qquad \hat{q}^{0}_{st} = 0"),
        (r"q^{l}", r"\sigma_{w,l}^{2} \, \hat{q}^{l-1} + \sigma_{b,l}^{2}"),
        (r"q^{l}_{st}", r"\sigma_{w,l}^{2} \, \hat{q}^{l-1}_{st} + \sigma_{b,l}^{2}"),
        (r"\hat{q}^{l}", form(d.forward, r"\phi(u)^{2}")),
        (r"\hat{q}^{l}_{st}", form(d.forward_st, r"\phi(u) \phi(v)")),
        (r"\tilde{q}^{L}", r"1, \qquad \tilde{q}^{L}_{st} = 1"),
        (r"\tilde{q}^{l}", rf"{back} \left( {backward} \right)"),
        (r"\tilde{q}^{l}_{st}", rf"{back}_{{st}} \left( {backward_st} \right)"),
    ]
    lines = " \\\\\n".join(rf"  {left} &= {right}" for left, right in rows)
    return f"\\begin{{align*}}\n{lines}\n\\end{{align*}}\n"
