"""Derived closed forms as numerical functions whose rounding error is known.

For two preactivations of variance q and correlation c everything is written in four variables,

    q,    b = q c,    g = q (1 - c),    h = q (1 + c),

and ``q² - b² = g h`` is used wherever it saves a subtraction: at |c| → 1 then nothing cancels. An arcsine becomes an
arctangent of two such numbers. Beside a value its *magnitude* is compiled: the sum of the absolute values of what is
added, times the condition numbers of the functions on the way, so that ``magnitude × a few ulps`` bounds the rounding.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.spec.activations import Activation

if TYPE_CHECKING:
    import sympy

__all__ = ["ClosedForm", "closed_form", "numerical"]

Floats: TypeAlias = NDArray[np.float64]
Estimate: TypeAlias = tuple[Floats, Floats]  # value, absolute error
Kernel: TypeAlias = Callable[..., tuple[Floats, Floats]]

_ULPS = 4 * np.finfo(np.float64).eps
_TINY = np.finfo(np.float64).tiny  # what underflow may have taken


# Gauss-Legendre on [0, 1]: a rule, and a shorter one that only estimates its error. One set of nodes serves both.
_RULES = [((x + 1) / 2, w / 2) for x, w in map(np.polynomial.legendre.leggauss, (14, 9))]
_NODES = np.concatenate([x for x, _ in _RULES])
_FINE = np.concatenate([_RULES[0][1], 0 * _RULES[1][1]])
_COARSE = np.concatenate([0 * _RULES[0][1], _RULES[1][1]])


@dataclass(frozen=True)
class ClosedForm:
    """Expectations of φ and, where φ is continuous, of φ', for u and v of equal variance q and correlation c.

    ``kernels[k]`` gives E[φ^(k)(u) φ^(k)(v)] and its magnitude as functions of (q, b, g, h); ``orders`` of them are
    finite for all |c| <= 1, and one more serves the gap.
    """

    kernels: tuple[Kernel, ...]

    @property
    def orders(self) -> int:
        """How many of the orders 0 and 1 have a finite E[φ^(k)(u)²]: one if φ jumps, else both."""
        return len(self.kernels) - 1

    def moments(self, order: int, q: ArrayLike, gap: ArrayLike) -> tuple[Estimate, Estimate, Estimate]:
        """E[F(u)²], E[F(u)F(v)] and their difference for F = φ or φ', each with an error estimate.

        ``gap`` is q minus the covariance, 0..2q: a number or an array. The difference has digits that a subtraction
        loses: by Price's theorem it is ∫_0^gap E[F'(u)F'(v)] dx over the covariance q - x, smooth in √x. That integral
        or the subtraction is taken, whichever has the smaller error. A value is NaN and its estimate infinite where
        the formula overflows: at large q, if φ grows exponentially.

        Raises
        ------
        ValueError
            If ``order`` has no closed form.
        """
        if not 0 <= order < self.orders:
            raise ValueError(f"order: expected one of {list(range(self.orders))}, got {order!r}")
        q, gap = (np.asarray(x, dtype=np.float64)[..., None] for x in (q, gap))
        with np.errstate(all="ignore"):
            ends, nodes = gap * np.array([0.0, 1.0]), gap * _NODES**2
            value, error = _bounded(*self.kernels[order](q, q - ends, ends, 2 * q - ends))
            slopes = self.kernels[order + 1](q, q - nodes, nodes, 2 * q - nodes)
            slope, size = (2 * gap * _NODES * x for x in slopes)
            fine, coarse = slope @ _FINE, slope @ _COARSE
            integral_error = np.abs(fine - coarse) + _ULPS * (size @ _FINE) + _TINY
            loss = error[..., 0] + error[..., 1]
            difference = np.where(integral_error < loss, fine, value[..., 0] - value[..., 1])
        return (
            (value[..., 0], error[..., 0]),
            (value[..., 1], error[..., 1]),
            (difference, np.fmin(integral_error, loss)),
        )


def _bounded(value: Floats, size: Floats) -> Estimate:
    finite = np.isfinite(value + size)
    return np.where(finite, value, np.nan), np.where(finite, _ULPS * size + _TINY, np.inf)


def closed_form(activation: Activation) -> ClosedForm | None:
    """The closed forms of an activation, compiled; ``None`` where E[φφ], or E[φ'φ'] of a continuous φ, has none."""
    return _closed_form(activation)


@functools.lru_cache(maxsize=256)
def _closed_form(activation: Activation) -> ClosedForm | None:
    import sympy

    from meanfield.symbolic.derivation import derive, q_st

    d = derive(activation)
    if d.forward_st is None or d.backward_st is None:
        return None
    jumping = d.backward is sympy.oo
    curvature = [] if jumping else [d.backward_st.diff(q_st)]  # Price: E[φ''φ'']
    return ClosedForm(tuple(_compiled(x) for x in (d.forward_st, d.backward_st, *curvature)))


def _compiled(expression: sympy.Expr) -> Kernel:
    from meanfield.symbolic.derivation import q
    from meanfield.symbolic.stable import b, g, h, stable

    return _evaluated((q, b, g, h), stable(expression))


def numerical(symbols: tuple[sympy.Symbol, ...], spelled: sympy.Expr) -> Callable[..., Estimate]:
    """A stable spelling as a function of arrays: its value and the error of rounding; NaN and infinite where it
    overflows."""
    evaluated = _evaluated(symbols, spelled)

    def function(*arguments: Floats) -> Estimate:
        with np.errstate(all="ignore"):
            return _bounded(*evaluated(*arguments))

    return function


def _evaluated(symbols: tuple[sympy.Symbol, ...], spelled: sympy.Expr) -> Kernel:
    import sympy

    from meanfield.symbolic.stable import magnitude

    names: dict[str, Callable[..., Floats]] = {"atan2": np.arctan2, "Abs": np.abs}
    if spelled.has(sympy.erf, sympy.erfi):
        import scipy.special

        names |= {"erf": scipy.special.erf, "erfi": scipy.special.erfi}
    function = sympy.lambdify(symbols, (spelled, magnitude(spelled)), modules=[names, "numpy"], cse=True)

    def kernel(*arguments: Floats) -> tuple[Floats, Floats]:
        value, size = function(*arguments)
        return value + 0.0 * arguments[-1], size + 0.0 * arguments[-1]  # a constant, too, in the shape of the arguments

    return kernel
