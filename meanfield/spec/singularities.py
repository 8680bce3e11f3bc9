"""Points at which an expression is singular: what it divides by, takes the logarithm or a root of, is 0 there.

A *removable* point, such as 0 of sin(u)/u, is no singularity of φ: there its Taylor series stands in. At any other, φ
is real on both sides and ∫ φ² is finite, or it is no activation.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from meanfield.spec.elementwise import Elementwise, numpy_elementwise
from meanfield.spec.expressions import as_text, find_breakpoints, parsed, symbols, sympified
from meanfield.spec.roughness import diverges

if TYPE_CHECKING:
    import sympy

__all__ = ["check_defined", "check_mass", "check_real", "examined", "repaired", "singular_points"]

_TERMS = 18  # of the Taylor series at a removable point
_RADII = [2.0**-k for k in range(2, 15)]
_DIGITS = 60
_NEAR = np.linspace(0.0037, 12.0, 331)  # where φ is held against the real numbers, and at powers of two beyond
_FAR = 2.0 ** np.arange(4, 9)  # beyond, a quotient of two exponentials may have no number where φ has
_PROBES = np.concatenate([_NEAR, -_NEAR, _FAR, -_FAR])


def examined(name: str, text: str) -> tuple[str, tuple[float, ...]]:
    """An activation's text without its removable singularities, and its breakpoints: switches, singular points.

    Raises
    ------
    ValueError
        If φ is not real everywhere, E[φ²] is infinite, or breakpoints can't be found.
    """
    expression = sympified(text)
    text = text if expression == parsed(text) else as_text(expression)
    switches, singular = find_breakpoints(expression), singular_points(expression)
    check_defined(name, expression, switches)
    check_real(name, expression, numpy_elementwise(text), singular)
    if singular:
        made, singular = repaired(expression, singular)
        text = text if made == expression else as_text(made)
        check_mass(name, numpy_elementwise(text), singular)
    return text, tuple(sorted({*switches, *singular}))


def check_defined(name: str, expression: sympy.Expr, switches: tuple[float, ...]) -> None:
    """Raise ``ValueError`` for a Piecewise of which no condition holds somewhere."""
    import sympy

    u, ends = symbols()["u"], sorted({0.0, *switches})
    between = [(a + b) / 2 for a, b in itertools.pairwise(ends)]
    for x in (ends[0] - 1, *ends, *between, ends[-1] + 1):
        for pieces in expression.atoms(sympy.Piecewise):
            if not any(condition == True or condition.subs(u, x) == True for _, condition in pieces.args):  # noqa: E712
                expected = "a Piecewise that is defined for every u, such as with (0, True) last"
                raise ValueError(f"activation {name!r}: expected {expected}, got none of its conditions at u = {x:g}")


def singular_points(expression: sympy.Expr) -> tuple[float, ...]:
    """Real zeros of denominators, of the arguments of logarithms and of the bases of roots, ascending.

    Raises
    ------
    ValueError
        If they are not finitely many, or can't be found.
    """
    import sympy

    u, found = symbols()["u"], set()
    for base in sorted(set(_bases(expression)), key=str):
        if not base.has(u) or base.is_positive:
            continue
        zeros = sympy.solveset(base, u, sympy.S.Reals)
        # A switch may be 0 on a whole half line, as Max(u, 0) is: its end counts.
        ends = zeros.boundary if _is_of_intervals(zeros) else zeros
        if isinstance(ends, sympy.FiniteSet):
            found |= {float(z) for z in ends}
        elif ends is not sympy.S.EmptySet and _may_vanish(base):
            raise ValueError(f"activation: expected finitely many zeros of {base}, at which {expression} is singular")
    return tuple(sorted(found))


def _is_of_intervals(zeros: sympy.Set) -> bool:
    import sympy

    parts = zeros.args if isinstance(zeros, sympy.Union) else (zeros,)
    return all(isinstance(x, sympy.Interval | sympy.FiniteSet) for x in parts)


def _bases(expression: sympy.Expr) -> Iterator[sympy.Expr]:
    import sympy

    for power in expression.atoms(sympy.Pow):
        if power.exp.is_negative or (power.exp.is_number and not power.exp.is_integer):
            yield power.base
    for logarithm in expression.atoms(sympy.log, symbols()["log1p"]):
        yield logarithm.args[0] + (0 if isinstance(logarithm, sympy.log) else 1)


def _may_vanish(base: sympy.Expr) -> bool:
    """Whether an expression whose zeros SymPy leaves open comes near 0 or changes its sign, on a fine grid."""
    import sympy

    grid = np.linspace(-40.0, 40.0, 16001)
    with np.errstate(all="ignore"):
        values = np.broadcast_to(sympy.lambdify(symbols()["u"], base, "numpy")(grid), grid.shape)
    size = np.abs(values[np.isfinite(values)])
    return bool(np.any(np.diff(np.sign(values)) != 0) or np.min(size, initial=np.inf) < 1e-6)


def repaired(expression: sympy.Expr, points: tuple[float, ...]) -> tuple[sympy.Expr, tuple[float, ...]]:
    """The expression with its removable singularities removed, and the ``points`` that are left."""
    left = []
    for point in points:
        series = _series(expression, point)
        if series is None:
            left.append(point)
        else:
            expression = _patched(expression, point, *series)
    return expression, tuple(left)


def _series(expression: sympy.Expr, point: float) -> tuple[list[float], float] | None:
    """Taylor coefficients about a removable point and the radius within which they are right to rounding."""
    import mpmath
    import sympy

    spelled = sympy.lambdify(symbols()["u"], expression, _mp_names())

    def function(x: mpmath.mpf) -> mpmath.mpf:
        with mpmath.workprec(6 * mpmath.mp.prec):  # what cancels at the point
            return spelled(x)

    with mpmath.workdps(_DIGITS):
        try:
            terms = [mpmath.re(x) for x in mpmath.taylor(function, mpmath.mpf(point), _TERMS, singular=True)]
            for radius in _RADII:
                ends = [mpmath.mpf(sign * radius) for sign in (-1, -0.5, 0.5, 1)]
                errors = [abs(mpmath.polyval(terms[::-1], x) - function(point + x)) for x in ends]
                size = max(abs(function(point + x)) for x in ends)
                if max(errors) <= 1e-17 * size:
                    kept = [x if abs(x) * radius**k > 1e-19 * size else 0 for k, x in enumerate(terms)]
                    return [float(x) for x in kept], radius
        except (ArithmeticError, ValueError, TypeError):
            return None
    return None


@functools.cache
def _mp_names() -> list[object]:
    import mpmath

    own = {
        "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
        "logcosh": lambda x: mpmath.log(mpmath.cosh(x)),
        "expm1": mpmath.expm1,
        "log1p": mpmath.log1p,
    }
    return [own, "mpmath"]


def _patched(expression: sympy.Expr, point: float, terms: list[float], radius: float) -> sympy.Expr:
    """The series within ``radius`` of ``point``, the expression outside. Arrays are evaluated on all branches, so the
    expression's argument stays away from the point on its own."""
    import sympy

    u, at, r = symbols()["u"], sympy.Rational(point), sympy.Rational(radius)
    x = u - at
    series = sympy.Add(*(sympy.Float(c, 17) * x**k for k, c in enumerate(terms) if c != 0))
    right, left = (expression.subs(u, at + away) for away in (sympy.Max(x, r / 2), sympy.Min(x, -r / 2)))
    return sympy.Piecewise((series, sympy.Abs(x) < r), (right, x > 0), (left, True))


def check_real(name: str, expression: sympy.Expr, function: Elementwise, singular: tuple[float, ...]) -> None:
    """Raise ``ValueError`` where φ is no real number: a logarithm or root of a negative one, a division by 0."""
    import sympy

    if expression.has(sympy.zoo, sympy.nan, sympy.oo, sympy.I):
        raise ValueError(f"activation {name!r}: expected a finite real function of u, got {as_text(expression)}")
    between = [(a + b) / 2 for a, b in itertools.pairwise(singular)]
    probes = np.concatenate([_PROBES, between])
    with np.errstate(all="ignore"):
        bad = probes[np.isnan(function(probes))]
    if len(bad) > 0:
        raise ValueError(
            f"activation {name!r}: expected a real number for every u, but {as_text(expression)} has none at "
            f"u = {min(bad, key=abs):g}"
        )


def check_mass(name: str, function: Elementwise, points: tuple[float, ...]) -> None:
    """Raise ``ValueError`` where E[φ²] is infinite because of a pole."""
    poles = [x for x in points if diverges(function, x)]
    if poles:
        raise ValueError(f"activation {name!r}: expected a finite E[φ(u)²], but φ is singular at u = {poles[0]:g}")
