"""Where given inputs leave the law: the numbers, and what a result says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from meanfield import FIM, NTK, Network, spectrum
from meanfield.bulk.input_checks import NARROW_RIDGE, WIDE_RIDGE, OwnParts

TANH = Network(3, "tanh", 3.0, 0.64)


def gaussian(n: int, scales: Any, seed: int = 0) -> Any:
    return np.random.default_rng((43, seed)).standard_normal((n, len(scales))) * scales


def test_orthogonal_samples_of_equal_norms_have_a_ridge() -> None:
    rows = np.linalg.qr(gaussian(60, np.ones(60)))[0][:30]
    assert OwnParts(rows).ridge_spread(30) == pytest.approx(0, abs=1e-12)


def test_common_part_is_not_the_ridges() -> None:
    """A regular simplex: ρ² is 1/4 for all pairs, which makes one outlier; the other eigenvalues are equal."""
    assert OwnParts(np.eye(3) - 1 / 3).ridge_spread(3) == pytest.approx(0, abs=1e-12)


def test_duplicates_have_none() -> None:
    """n orthogonal samples, each twice: half of the eigenvalues are 0, half are 2, and both are 1 from their mean."""
    rows = np.repeat(np.eye(40), 2, axis=0)
    assert OwnParts(rows).ridge_spread(80) == pytest.approx(1, abs=1e-12)


def test_spread_of_gaussian_inputs() -> None:
    """N products of features, N << d: a semicircle of the variance N Var ρ² = 2 N/d², whose mean distance from its
    centre is 8/(3π) of its standard deviation; and ρ_ss² itself, of the variance 8/d. 2 % by the corrections in 1/d."""
    d, n = 1000, 500
    found = OwnParts(gaussian(n, np.ones(d))).ridge_spread(n)
    between, same = np.sqrt(2 * n) / d, np.sqrt(8 / d)
    width = np.hypot(between, same)
    assert 8 / (3 * np.pi) * width * 0.9 < found < 8 / (3 * np.pi) * width * 1.1


def test_spread_does_not_depend_on_scale_and_grows_with_samples() -> None:
    x = gaussian(200, np.exp(-0.01 * np.arange(300)))
    one = OwnParts(x)
    assert OwnParts(7 * x).ridge_spread(100) == pytest.approx(one.ridge_spread(100), rel=1e-9)
    assert one.ridge_spread(50) < one.ridge_spread(200)
    assert one.ridge_spread(800) == pytest.approx(2 * one.ridge_spread(200))
    assert one.ridge_spread(10**9) == 2


@pytest.mark.parametrize(("slope", "level"), [(0.0, 0), (0.03, 1), (0.2, 2)])
def test_warnings_by_the_spread(slope: float, level: int) -> None:
    """None, "a first approximation" and "not described" with a status: by the spread that the result has."""
    law = spectrum(TANH, FIM(), width=300, inputs=gaussian(200, np.exp(-slope / 2 * np.arange(300))))
    spread = law.inputs.ridge_spread
    assert [spread <= NARROW_RIDGE, NARROW_RIDGE < spread <= WIDE_RIDGE, spread > WIDE_RIDGE][level]
    said = [any(words in w for w in law.warnings) for words in ("first approximation (Kolm", "is not described")]
    assert said == [level == 1, level == 2]
    assert (law.status == "ok") == (level < 2)
    assert level == 0 or f"{spread:.2g}" in str(law)


def test_linear_networks_bend_nothing() -> None:
    law = spectrum(Network(2, "linear", 1.0), NTK(), width=100, inputs=gaussian(60, np.exp(-0.1 * np.arange(100))))
    assert law.inputs.ridge_spread > WIDE_RIDGE
    assert law.status == "ok"
    assert not any("bend" in w for w in law.warnings)


def test_unequal_norms() -> None:
    """Of Gaussian samples, d = 200, norms vary by √(2/d) = 0.1; a factor e^{0.3 z} for each makes it 0.6 and more."""
    x = gaussian(300, np.ones(200))
    own = spectrum(TANH, FIM(), width=200, inputs=x)
    assert own.inputs.norm_spread == pytest.approx(0.1, rel=5 / np.sqrt(600))
    assert not any("norms differ" in w for w in own.warnings)
    factor = np.exp(0.3 * np.random.default_rng(7).standard_normal((300, 1)))
    unequal = spectrum(TANH, FIM(), width=200, inputs=x * factor)
    assert unequal.inputs.norm_spread > 0.5
    said = next(w for w in unequal.warnings if "norms differ" in w)
    assert f"{unequal.inputs.norm_spread:.2g}" in said


def test_few_samples_of_many_features() -> None:
    law = spectrum(TANH, FIM(), width=200, inputs=gaussian(20, np.ones(200)))
    assert any("20 samples of 200 features" in w for w in law.warnings)
