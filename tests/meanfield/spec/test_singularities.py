"""Removable points are removed, real singularities are refused as the activation's, and divergent slopes are found."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import sympy

from meanfield.gaussian.moments import gaussian_moments
from meanfield.spec.activations import Activation, as_activation

REMOVABLE = {
    "sin(u)/u": lambda x: mpmath.sin(x) / x,
    "u/(exp(u) - 1)": lambda x: x / mpmath.expm1(x),
    "tanh(u)/u": lambda x: mpmath.tanh(x) / x,
    "(1 - cos(u))/u**2": lambda x: (1 - mpmath.cos(x)) / x**2,
    "sin(3*u - 6)/(u - 2)": lambda x: mpmath.sin(3 * x - 6) / (x - 2),
    "atan(u)/u + u": lambda x: mpmath.atan(x) / x + x,
    "log(1 + u**2)/u": lambda x: mpmath.log(1 + x**2) / x,
}


@pytest.mark.parametrize("text", REMOVABLE)
def test_removable_points_are_removed(text: str) -> None:
    """Values and slopes at and around the point to rounding, against mpmath's; no breakpoint, no warning."""
    phi, exact = Activation("made", text), REMOVABLE[text]
    at = 2.0 if "- 2)" in text else 0.0
    assert phi.breakpoints == ()
    u = at + np.array([0.0, 1e-300, 1e-17, 1e-9, -1e-4, 0.03, 0.125, -0.25, 0.5, 1.0, -3.0])
    with mpmath.workdps(700):
        shifted = [mpmath.mpf(x) + mpmath.mpf(10) ** -340 for x in u]
        values = [float(exact(x)) for x in shifted]
        step = mpmath.mpf(10) ** -200
        slopes = [float((exact(x + step) - exact(x - step)) / (2 * step)) for x in shifted]
    np.testing.assert_allclose(phi.function()(u), values, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(phi.function(order=1)(u), slopes, rtol=1e-12, atol=1e-13)
    assert Activation.from_dict(phi.to_dict()) == phi


def test_a_sinc_has_its_second_moment() -> None:
    phi = as_activation(sympy.sin(sympy.Symbol("x")) / sympy.Symbol("x"))
    found = gaussian_moments(phi, 2.0, 1.0)
    exact = mpmath.quad(
        lambda x: mpmath.sincpi(x / mpmath.pi) ** 2 * mpmath.exp(-(x**2) / 4) / mpmath.sqrt(4 * mpmath.pi),
        [-40, -20, -10, -5, 0, 5, 10, 20, 40],
    )
    assert found.square == pytest.approx(float(exact), rel=1e-12)  # .63666, as the reader who met it said
    assert found.status == "ok"


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("sqrt(Abs(u))", 0.0),
        ("Abs(u)**(1/3)", 0.0),
        ("log(Abs(u))", 0.0),
        ("Abs(u - 1)**0.5", 1.0),
        ("sqrt(Max(u, 0))", 0.0),
        ("log(Abs(u + 3))*tanh(u)", -3.0),
        ("sqrt(Abs(u))*log(Abs(u))", 0.0),
    ],
)
def test_slopes_without_second_moment(text: str, at: float) -> None:
    phi = Activation("steep", text)
    assert phi.is_rough
    assert at in (*phi.cusps, *phi.jumps)
    assert gaussian_moments(phi, 1.0, 0.5, 1).status == "infinite"
    assert math.isfinite(gaussian_moments(phi, 1.0, 0.5, 0).square)


@pytest.mark.parametrize(
    "text",
    ["Abs(u)**(3/2)", "Abs(u)**0.6", "sign(u)*Abs(u)**0.55", "u*log(u**2)", "Abs(u - 3)**0.75", "Max(u, 0)**2.5"],
)
def test_slopes_with_second_moment(text: str) -> None:
    phi = Activation("bent", text)
    assert not phi.is_rough
    assert len(phi.breakpoints or ()) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("log(u)", "real number for every u"),
        ("sqrt(u)", "real number for every u"),
        ("log(1 - u**2)", "real number for every u"),
        ("1/u", r"finite E\[φ\(u\)²\], but φ is singular at u = 0"),
        ("tanh(u)/(u - 2)**2", "singular at u = 2"),
        ("Abs(u)**(-1/2)", "singular at u = 0"),
        ("1/cos(u)", "finitely many zeros of cos"),
        ("u/0", "expected"),
        ("DiracDelta(u)", "a distribution"),
        ("u + DiracDelta(u - 1)", "a distribution"),
    ],
)
def test_real_singularities_are_the_activations(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"activation.*{reason}"):
        Activation("singular", text)


@pytest.mark.parametrize("name", ["", " ", "a\nb", "tab\t"])
def test_names_are_one_line(name: str) -> None:
    with pytest.raises(ValueError, match="activation: expected a name of one line"):
        Activation(name, "u")


@pytest.mark.parametrize("points", [(math.nan,), (1.0, 0.0), (0.0, 0.0), (math.inf,)])
def test_breakpoints_ascend(points: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="expected finite breakpoints that ascend"):
        Activation("made", "Abs(u)", points)
