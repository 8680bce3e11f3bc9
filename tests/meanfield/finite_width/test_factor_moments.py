"""Gaussian moments of a layer against closed forms, derived derivatives and sampling."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy

from meanfield import derive
from meanfield.finite_width.classes import CLASSES, OTHER, SAME, class_of
from meanfield.finite_width.factor_moments import _difference, _moments, _named, neurons
from meanfield.gaussian.moments import gaussian_moments
from meanfield.gaussian.rules import grid_rules
from meanfield.spec.activations import activation_names, as_activation

SMOOTH = ("erf", "gelu", "sin", "exp")
KINKED = ("relu", "leaky_relu(0.2)", "abs")


def covariance(labels, q, q_st):
    return np.where(np.equal.outer(labels, labels), q, q_st)


@pytest.mark.parametrize(("q", "q_st"), [(1.3, 0.4), (0.7, 0.0), (2.0, 1.9)])
def test_linear_moments_are_isserlis(q, q_st):
    found = neurons(as_activation("linear"), q, q - q_st)
    for value, labels in zip(found.feature4, CLASSES, strict=True):
        s = covariance(labels, q, q_st)
        assert value == pytest.approx(s[0, 1] * s[2, 3] + s[0, 2] * s[1, 3] + s[0, 3] * s[1, 2], rel=1e-9, abs=1e-12)
    assert found.slope4 == pytest.approx(np.ones(15), rel=1e-12)
    assert found.slope6 == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize(("q", "q_st"), [(0.8, 0.3), (0.3, 0.0), (1.0, 0.95)])
def test_exponentials(q, q_st):
    """E exp(Σ u) = exp(Σ covariances / 2), and exp is its own derivative."""
    found = neurons(as_activation("exp"), q, q - q_st)
    wanted = [math.exp(covariance(labels, q, q_st).sum() / 2) for labels in CLASSES]
    for values in (found.feature4, found.mixed4, found.slope4):
        assert values == pytest.approx(wanted, rel=1e-8)
    assert found.slope6 == pytest.approx(math.exp((6 * q + 30 * q_st) / 2), rel=1e-8)


@pytest.mark.parametrize(("q", "q_st"), [(3.0, 1.2), (0.5, 0.1)])
def test_slopes_of_erf_are_gaussian_integrals(q, q_st):
    """φ' = (2/√π) exp(-u²), so a product of k slopes averages to (2/√π)^k det(1 + 2 Σ)^{-1/2}."""
    found = neurons(as_activation("erf"), q, q - q_st)

    def wanted(labels):
        sigma = covariance(labels, q, q_st)
        return (2 / math.sqrt(math.pi)) ** len(labels) / math.sqrt(np.linalg.det(np.eye(len(labels)) + 2 * sigma))

    assert found.slope4 == pytest.approx([wanted(labels) for labels in CLASSES], rel=1e-9)
    assert found.slope6 == pytest.approx(wanted(tuple(range(6))), rel=1e-9)


@pytest.mark.parametrize("name", SMOOTH + KINKED)
def test_derivatives_are_those_of_the_derived_closed_forms(name):
    """Gradient and Hessian of E[φφ] and E[φ'φ'] as functions of three variables, by SymPy."""
    from meanfield.symbolic.derivation import q_s, q_st, q_t

    q, covariance_ = 1.1, 0.45
    found, d = neurons(as_activation(name), q, q - covariance_), derive(name)
    at, variables = {q_s: q, q_t: q, q_st: covariance_}, (q_s, q_t, q_st)
    for pair, form in ((found.feature, d.pair), (found.slope, d.pair_backward)):
        gradient = [float(sympy.diff(form, x).subs(at)) for x in variables]
        hessian = [[float(sympy.diff(form, x, y).subs(at)) for x in variables] for y in variables]
        assert pair.value[OTHER] == pytest.approx(float(form.subs(at)), rel=1e-8)
        assert pair.gradient[OTHER] == pytest.approx(gradient, rel=1e-7, abs=1e-9)
        assert pair.hessian[OTHER] == pytest.approx(np.array(hessian), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("name", SMOOTH + KINKED)
def test_derivatives_of_one_sample(name):
    from meanfield.symbolic.derivation import q as variance

    q = 1.1
    found, d = neurons(as_activation(name), q, 0.65), derive(name)
    for pair, form in ((found.feature, d.forward), (found.slope, d.backward)):
        wanted = [float(sympy.diff(form, variance, k).subs(variance, q)) for k in range(3)]
        assert [pair.value[SAME], pair.gradient[SAME, 0], pair.hessian[SAME, 0, 0]] == pytest.approx(
            wanted, rel=1e-7, abs=1e-9
        )


def test_kinks_at_two_places_against_sampling():
    """hardtanh, whose closed forms are nobody's: a million draws, five standard errors."""
    q, q_st, activation = 1.5, 0.6, as_activation("hardtanh")
    found = neurons(activation, q, q - q_st)
    rng = np.random.default_rng(5)
    u = math.sqrt(q_st) * rng.standard_normal((1, 1_000_000)) + math.sqrt(q - q_st) * rng.standard_normal(
        (4, 1_000_000)
    )
    phi, slope = activation.function()(u), activation.function(order=1)(u)
    for index, (s, t, p, r) in enumerate(CLASSES):
        for values, draws in (
            (found.feature4, phi[s] * phi[t] * phi[p] * phi[r]),
            (found.mixed4, phi[s] * phi[t] * slope[p] * slope[r]),
            (found.slope4, slope[s] * slope[t] * slope[p] * slope[r]),
        ):
            assert abs(values[index] - draws.mean()) < 5 * draws.std() / 1e3


@pytest.mark.parametrize("name", [x for x in activation_names() if not as_activation(x).jumps])
def test_errors_are_small_and_values_those_of_the_recursion(name):
    """E[φφ], E[φ'φ'] again, by another rule; near the ordered phase too, where two samples are almost one."""
    activation = as_activation(name)
    for q, gap, goal in ((0.9, 0.6, 1e-8), (0.9, 1e-3, 1e-7), (0.9, 0.9, 1e-8)):
        found = neurons(activation, q, gap)
        assert found.error < goal
        for order, pair in enumerate((found.feature, found.slope)):
            moments = gaussian_moments(activation, q, gap, order)
            assert pair.value == pytest.approx([moments.square, moments.product], rel=1e-8, abs=1e-12)
            assert pair.gradient[OTHER, 2] == pytest.approx(found.slope.value[OTHER], rel=1e-6) or order == 1


@pytest.mark.parametrize("name", ["tanh", "gelu", "sigmoid", "sin", "erf", "mish", "elu", "hardtanh"])
@pytest.mark.parametrize("q", [0.05, 0.9])
def test_two_samples_that_are_nearly_one(name, q):
    """Moving both samples and their covariance moves one sample: Σ Hessian of a pair = that of one, up to gap/q (less
    where φ'' is no function), or within the error, which must not pass for small when it isn't. In units of χ/q²."""
    activation = as_activation(name)
    for gap in (1e-5, 1e-7, 1e-9, 1e-11, 1e-13):
        found = neurons(activation, q, gap * q)
        hessian = found.slope.hessian
        off = abs(hessian[OTHER].sum() - hessian[SAME].sum()) * q**2 / found.slope.value[SAME]
        assert off < 20 * (np.sqrt(gap) if activation.kinks else gap) + found.error
        assert found.error < 1e-9 or activation.breakpoints


@pytest.mark.parametrize("name", ["tanh", "gelu", "sigmoid"])
def test_derivatives_go_over_into_hermite_weights(name):
    """On both sides of the gap below which a smooth φ's own derivatives are taken."""
    below, above = (neurons(as_activation(name), 0.9, 0.9 * gap) for gap in (0.999e-3, 1.001e-3))
    for f, g in ((below.feature, above.feature), (below.slope, above.slope)):
        assert f.hessian[OTHER] == pytest.approx(g.hessian[OTHER], rel=1e-4)


def test_errors_are_honest():
    """A finer rule moves no moment by more than the estimate says (which is relative, and of the coarser rule)."""
    activation = as_activation("tanh")
    coarse, fine = (_at_level(activation, level) for level in (0, 2))
    moved = np.abs(coarse.slope4 / fine.slope4 - 1).max()
    assert moved <= max(coarse.error, 1e-14)


def _at_level(activation, level):
    found = [_moments(activation, 9.0, 4.0, *rule) for rule in grid_rules(activation, 9.0, 4.0, level, 4e6)]
    return _named(found[0], _difference(*found))


@pytest.mark.parametrize("gap", [0.0, 1.2])
def test_no_common_or_no_own_part(gap):
    with pytest.raises(ValueError, match="q_st: expected 0 <= q_st < q"):
        neurons(as_activation("tanh"), 1.0, gap)


def test_classes_where_one_sample_repeats():
    found = neurons(as_activation("relu"), 2.0, 1.0)
    # E[φ⁴] = 3 q² / 2 and E[φ² φ'²] = q/2 for a rectified Gaussian
    assert found.feature4[class_of(0, 0, 0, 0)] == pytest.approx(6.0, rel=1e-9)
    assert found.mixed4[class_of(0, 0, 0, 0)] == pytest.approx(1.0, rel=1e-9)
    assert found.slope4[class_of(0, 0, 0, 0)] == pytest.approx(0.5, rel=1e-9)
