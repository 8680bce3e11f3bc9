"""Activations as a new user would write them, held against a recursion by mpmath or refused in one true sentence."""

from __future__ import annotations

import mpmath
import pytest
import sympy

from meanfield import FIM, Network, order_parameters, predict

RIGHT = (
    "u*exp(-u**2)", "u/(1+u**2)", "u/sqrt(1+u**2)", "log(1+u**2)", "sin(u)*exp(-u**2/2)", "tanh(u)**3",
    "u**2*exp(-Abs(u))", "sign(u)*log(1+Abs(u))", "Max(u,0)+sin(u)/2", "u - tanh(u)", "atan(3*u)", "softplus(2*u)/2",
    "erf(u)*u", "cos(u)+u", "tanh(u+1)", "u**3/(1+u**2)", "exp(-Abs(u))", "Min(Max(u,-2),3)", "sinh(u)/cosh(2*u)",
    "sin(u)/u", "(exp(u)-1)/u*exp(-u**2)", "Abs(u)**1.5", "u*log(Abs(u))", "tanh(20*u)", "sin(12*u)",
    "Heaviside(u)*u**2",
)  # fmt: skip
REFUSED = {
    "sqrt(Abs(u))": "jumps and cusps",
    "log(u)": "real number for every u",
    "1/u": "singular at u = 0",
    "exp(u**2/3)": "infinite or too large",
}


@pytest.mark.parametrize("text", RIGHT)
def test_right(text: str) -> None:
    found = order_parameters(Network(3, text, 1.3, 0.2))
    names = {"softplus": lambda x: sympy.log(1 + sympy.exp(x))}
    function = sympy.lambdify(sympy.Symbol("u"), sympy.sympify(text, locals=names), "mpmath")
    cuts = [-40, *mpmath.linspace(-12, 12, 97), 40]

    def square(u: mpmath.mpf, q: float) -> mpmath.mpf:
        return function(u or mpmath.mpf("1e-30")) ** 2 * mpmath.exp(-u * u / (2 * q)) / mpmath.sqrt(2 * mpmath.pi * q)

    q = 1.5
    for l in (1, 2):
        q = 1.3 * float(mpmath.quad(lambda u, q=q: square(u, q), cuts)) + 0.2
        assert found.q[l] == pytest.approx(q, rel=1e-11)
    assert found.status == "ok"
    assert found.error < 1e-9


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text: str) -> None:
    with pytest.raises(ValueError, match=REFUSED[text]):
        predict(Network(3, text, 1.3, 0.2), FIM(), width=50, samples=5)
