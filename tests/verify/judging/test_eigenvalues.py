"""Eigenvalue by eigenvalue: planted differences come back, groups and unresolved ones are treated as said."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from meanfield.spec import FIM, Network
from verify.asking.records import Cell, Sample
from verify.judging.eigenvalues import Decade, Eigenvalues, all_eigenvalues
from verify.judging.pairing import Pair

CELL = Cell(Network(2, "tanh", 1.5, outputs=2), 8, 4, (FIM(),))


def pair_of(predicted: Any, measured: Any, fold: int = 1, resolved: int | None = None, law: Any = None) -> Pair:
    values = {"eigenvalues": np.array(predicted, float), "multiplicity": fold, "resolved": resolved}
    theory = SimpleNamespace(**values, networks=None if law is None else {"eigenvalues": np.asarray(law)})
    samples = tuple(Sample(1.0, 1.0, 1.0, (), 9, np.array(m, float)) for m in measured)
    return Pair(CELL, FIM(), cast(Any, theory), "beware", samples, (None,) * len(samples), "leading", None)


def one_of(*arguments: Any, **options: Any) -> Eigenvalues:
    (found,) = all_eigenvalues([pair_of(*arguments, **options)])
    return found


def test_planted_differences_come_back_by_decade() -> None:
    predicted = 10.0 ** -np.array([0, 0.5, 1.2, 1.4, 1.9, 3.5])
    planted = np.array([[0.1, -0.3, 0.2, 0.4, 0.3, -1.0], [0.3, -0.1, 0.2, -0.2, 0.1, -2.0]])
    found = one_of(predicted, predicted * 10.0**planted, resolved=6)
    np.testing.assert_allclose(found.differences, planted, atol=1e-12)
    assert found.distance == pytest.approx(np.median(np.abs(planted)))
    expected = [(0, 2, 0.0, 0.2), (1, 3, 0.2, 0.2), (3, 1, -1.5, 1.5)]  # medians, by hand
    assert [(d.first, d.count) for d in found.decades] == [e[:2] for e in expected]
    np.testing.assert_allclose([(d.shift, d.distance) for d in found.decades], [e[2:] for e in expected], atol=1e-12)


def test_a_group_of_equal_predictions_is_held_against_its_geometric_mean() -> None:
    found = one_of([4.0, 1.0], [[8.0, 2.0, 1.5, 1.5]], fold=2, resolved=2)
    np.testing.assert_allclose(found.measured, [[4.0, 1.5]])
    assert found.multiplicity == 2
    assert found.distance == pytest.approx(np.log10(1.5) / 2)


def test_what_theory_or_measurement_does_not_resolve_is_left_out() -> None:
    floor = 10 * np.finfo(float).eps * 4 * 10
    found = one_of(
        [10.0, 1.0, 0.1, 1e-30], [[10.0, 1.0, 1.01 * floor, 0.0], [10.0, 1.0, 0.99 * floor, 0.0]], resolved=3
    )
    assert (len(found.predicted), found.total) == (3, 4)
    assert np.isfinite(found.measured).tolist() == [[True] * 3, [True, True, False]]
    assert np.isfinite(found.distance)


def test_a_coarser_precision_resolves_less() -> None:
    pair = pair_of([1.0, 1e-8], [[1.0, 1e-8]], resolved=2)
    (double,), (single,) = (all_eigenvalues([pair], precision) for precision in ("float64", "float32"))
    assert np.isfinite(double.measured).all()
    assert np.isnan(single.measured).tolist() == [[False, True]]


def test_without_spectra_or_without_predicted_eigenvalues_there_is_nothing() -> None:
    assert all_eigenvalues([pair_of([1.0], [])]) == ()
    theory = cast(Any, SimpleNamespace(eigenvalues=None))
    sample = Sample(1.0, 1.0, 1.0, (), 9, np.array([1.0]))
    pairs = [Pair(CELL, FIM(), p, "", (sample,), (None,), "leading", None) for p in (theory, None)]
    assert all_eigenvalues(pairs) == ()


def test_the_band_holds_the_middle_of_the_law_and_the_share_inside_is_that_of_all_networks() -> None:
    law = np.random.default_rng(0).permuted(np.tile(np.arange(1.0, 1001.0), (2, 1)).T, axis=0)  # 1..1000 for each
    found = one_of([500.0, 400.0], [[500.0, 20.0], [980.0, 100.0]], resolved=2, law=law)
    assert found.band is not None
    np.testing.assert_allclose(found.band, [[25.5, 25.5], [975.5, 975.5]])
    assert found.inside == 0.5
    assert np.isnan(one_of([2.0, 1.0], [[2.0, 1.0]], resolved=2).inside)
    unknown = np.where(np.arange(2) == 1, np.nan, law)
    assert one_of([500.0, 400.0], [[500.0, 20.0]], resolved=2, law=unknown).band is None
    assert one_of([500.0, np.nan], [[500.0, 20.0]], resolved=1, law=unknown).band is not None


def test_a_decade_of_unresolved_ones_is_void() -> None:
    found = one_of([1.0, 1e-3], [[1.0, 0.0]], resolved=2)
    (first, last) = found.decades
    assert first == Decade(0, 1, 0.0, 0.0)
    assert np.isnan([last.shift, last.distance]).all()
