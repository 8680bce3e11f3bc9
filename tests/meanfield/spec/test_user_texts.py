"""Texts that users write: bounded, defined for every u, and right where exp as it is written ends."""

from __future__ import annotations

import time

import numpy as np
import pytest
import sympy

from meanfield import Activation, Network, initialisation, order_parameters, phase_diagram
from meanfield.gaussian.moments import gaussian_moments
from meanfield.spec.activations import as_activation

U = sympy.Symbol("u")

REFUSED = {
    "a Piecewise without default": ("Piecewise((u, u > 0))", "expected a Piecewise that is defined for every u"),
    "one with a gap": ("Piecewise((u, u > 1), (0, u < -1))", r"got none of its conditions at u = -1$"),
    "thousands of terms": ("+".join(["u"] * 5000), "expected at most 4000 characters, got 9999"),
    "hundreds of functions": ("+".join(["u*sin(u)"] * 400), "expected at most 1000 parts, got"),
    "a tower of powers": ("u*9**9**9", r"expected powers up to 100, got '9 \*\* 9'"),
    "a tower as an exponent": ("u**(9**9**9)", "expected powers up to 100"),
    "a large power": ("u**1000000", "expected powers up to 100, got '1000000'"),
    "a deep nest": ("(" * 20000 + "u" + ")" * 20000, "expected at most 4000 characters"),
    "a number beyond all": ("1e400*u", r"expected numbers up to 1e\+150"),
    "another sign for powers": ("u^2", r"a power is written \*\*$"),
    "another case": ("max(u, 0)", r"\(did you mean Max\?\)$"),
    "a condition as a number": ("u*(u > 0)", "expected an expression in u, got"),
    "a chain of conditions": ("Piecewise((u, 0 < u < 1), (0, True))", "expected an expression in u, got"),
    "a truth value": ("u > 0", "which is true or false"),
    "a broken Piecewise": ("Piecewise(u)", "expected an expression in u, got"),
    "too many arguments": ("sin(u, 1)", "expected an expression in u, got"),
    "a call of u": ("u(2)", "expected an expression in u, got"),
    "not real far out": ("sqrt(u + 10)", "expected a real number for every u"),
    "not real between two zeros": ("sqrt((u - 1)*(u - 1.2))", "expected a real number for every u"),
    "a switch that stays open": ("Max(u, tanh(u))", r"Activation\(name, text, breakpoints\) takes them"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_in_one_short_line_at_once(name: str) -> None:
    text, message = REFUSED[name]
    begin = time.process_time()
    with pytest.raises(ValueError, match=message) as refusal:
        Network(3, text, 1.0)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 500
    assert time.process_time() - begin < 2


def test_a_sympy_piecewise_without_default_is_refused_too() -> None:
    with pytest.raises(ValueError, match="defined for every u"):
        as_activation(sympy.Piecewise((U, U > 0)))
    assert as_activation(sympy.Piecewise((U, U > 0), (0, U <= 0))).kinks == (0.0,)


@pytest.mark.parametrize(
    ("text", "name"),
    [("log(1 + exp(u))", "softplus"), ("u/(1 + exp(-u))", "silu"), ("u*tanh(log(1 + exp(u)))", "mish"),
     ("1/(exp(-u) + 1)", "sigmoid"), ("Piecewise((exp(u) - 1, u < 0), (u, True))", "elu")],
)  # fmt: skip
def test_a_text_is_right_as_far_as_the_registered_name(text: str, name: str) -> None:
    u = np.concatenate([np.linspace(-9, 9, 101), [-2000.0, -800.0, 800.0, 2000.0]])
    written, registered = as_activation(text), as_activation(name)
    with np.errstate(over="ignore"):  # of a branch that isn't taken
        for order in (0, 1):
            found, expected = (phi.function(order=order)(u) for phi in (written, registered))
            np.testing.assert_allclose(found, expected, atol=1e-12)
    moments = [gaussian_moments(as_activation(phi), 3e4, 2e4).square for phi in (text, name)]
    assert moments[0] == pytest.approx(moments[1], rel=1e-9)


def test_a_fixed_point_beyond_the_numbers_of_exp() -> None:
    """It was 1024, where the table of the text ended, with status ok."""
    wide = [phase_diagram(phi, [1.999, 1.9999], 1.0).variance for phi in ("log(1 + exp(u))", "softplus")]
    np.testing.assert_allclose(*wide, rtol=1e-6)


def test_an_edge_beyond_the_numbers_of_exp() -> None:
    assert initialisation("critical", "log(1 + exp(u))", 0.1) == initialisation("critical", "softplus", 0.1)


def test_a_branch_that_has_no_number_spoils_no_other() -> None:
    phi = as_activation("Piecewise((log(1 + u), u > 0), (u, True))").function()
    np.testing.assert_allclose(phi(np.array([-5.0, 1.0])), [-5.0, np.log(2)])


@pytest.mark.parametrize("text", ["Min(u, 8)", "Min(Max(u, -10), 20)", "Max(Abs(u) - 9, 0)*Heaviside(u)"])
def test_what_is_odd_or_even_near_0_alone_is_neither(text: str) -> None:
    assert as_activation(text).parity == 0


def test_a_clip_far_out_has_its_mean() -> None:
    """E[Min(u, 8)] at q = 10 is -0.00577607571951 by mpmath: an odd function would have 0."""
    found = order_parameters(Network(4, "Min(u, 8)", 10.0, 0.0))
    assert found.q_st[1] == pytest.approx(10 * 0.00577607571951**2, rel=1e-9)


@pytest.mark.parametrize("text", ["1e-8*Heaviside(u)", "1e-6*sign(u) + tanh(u)"])
def test_a_small_jump_is_a_jump(text: str) -> None:
    assert as_activation(text).jumps == (0.0,)
    assert order_parameters(Network(3, text, 1.5, 0.1)).status == "infinite"


def test_a_smooth_join_of_any_size_is_none() -> None:
    for scale in (1e-8, 1.0, 1e6):
        phi = Activation("joined", f"{scale!r}*Max(u, 0)**2")
        assert (phi.jumps, phi.kinks) == ((), ())
