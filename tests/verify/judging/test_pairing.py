"""What is set beside what: predictions and samples."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import meanfield.prediction.asking
from meanfield.spec import FIM, NTK, Network
from verify.asking.records import Cell, Sample, Trial
from verify.judging.observations import Observation, observations
from verify.judging.pairing import pair
from verify.judging.spectra import stored_spectra

NETWORK = Network(2, "linear", 1.5, 0.2, 4)
CELL = Cell(NETWORK, 64, 20, (FIM(),))
P = 64 * 65 + 4 * 65  # weights and biases


def observed(trials: list[Trial], cell: Cell = CELL) -> dict[str, Observation]:
    return {o.statistic: o for o in observations(pair([cell], trials, "leading"))}


def trial(index: int = 0, **changes: Any) -> Trial:
    given = {"mean": 1.0, "second_moment": 2.0, "largest": 9.0, "outliers": (9.0, 8.0, 7.0, 4.0), "dimension": P}
    return Trial(CELL.key, index, "done", samples={"FIM": Sample(**{**given, **changes})})


def test_the_outliers_are_compared_by_their_mean() -> None:
    found = observed([trial(), trial(1, outliers=(5.0, 5.0, 5.0, 1.0))])
    assert found["outliers"].values.tolist() == [7.0, 4.0]
    assert found["outliers"].predicted == found["largest"].predicted


def plant(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    given = {"mean": 1.0, "second_moment": 2.0, "largest": 9.0, "bulk": (0.5, 3), "warnings": (), "exponents": {}}
    prediction = SimpleNamespace(
        **{
            **given,
            "bounds": None,
            "outliers": np.full(4, 9.0),
            "networks": None,
            "validity": None,
            "dimension": P,
            **fields,
        }
    )
    monkeypatch.setattr(meanfield.prediction.asking, "predict", lambda *_, **__: prediction)


def test_outliers_that_have_merged_with_the_bulk_are_left_out_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, outliers=np.array([9.0, 7.0, math.nan, math.nan]))
    found = observed([trial()])["outliers"]
    assert (found.predicted, found.values.tolist(), found.reason) == (8.0, [8.5], "")


def test_bounds_belong_to_the_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, bounds=(np.float64(8.0), np.float64(11.0)))
    found = observed([trial()])
    assert found["largest"].bounds == (8.0, 11.0)
    assert found["mean"].bounds is None


def test_a_void_statistic_carries_the_warnings_and_a_zero_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, largest=math.nan, second_moment=0.0, warnings=("first", "second"))
    found = observed([trial()])
    assert (found["mean"].reason, found["largest"].reason) == ("", "first; second")
    plant(monkeypatch, second_moment=0.0)
    assert observed([trial()])["second_moment"].reason == "theory gives 0"


def test_one_outlier_is_the_largest_and_no_statistic_of_its_own() -> None:
    assert "outliers" not in observed([], Cell(Network(2, "linear", 1.5, 0.2, 1), 64, 20, (FIM(),)))


def test_a_metric_that_a_trial_lacks_has_no_values() -> None:
    found = observed([trial()], Cell(NETWORK, 64, 20, (NTK(),)))
    assert all(o.values.size == 0 for o in found.values())


def test_values_come_in_the_order_of_trial_numbers() -> None:
    assert observed([trial(2, mean=3.0), trial(0, mean=1.0), trial(1, mean=2.0)])["mean"].values.tolist() == [1, 2, 3]


def test_another_dimension_than_the_measured_one_is_void_and_says_so() -> None:
    trials = [trial(), trial(1, dimension=P + 4)]
    (found,) = pair([CELL], trials, "refined")
    assert (found.prediction, found.leading) == (None, None)
    assert {o.reason for o in observed(trials).values()} == {
        f"dimension: expected theory's P = {P}, got {P + 4} measured"
    }
    assert {o.reason for o in observed(trials[:1]).values()} == {""}


def test_stored_spectra_come_with_outliers_and_bulk() -> None:
    stored = np.array([3.0, 1.0])
    (found,) = stored_spectra(pair([CELL], [trial(eigenvalues=stored), trial(1)], "leading"))
    assert [e.tolist() for e in found.eigenvalues] == [[3.0, 1.0]]
    assert len(found.outliers) == 4
    assert 0 < found.bulk < found.outliers[0]


class Orders:
    """A theory with a law for the refined order, which it refuses where it is told to."""

    def __init__(self, refuses: bool = False, **fields: Any) -> None:
        self.refuses, self.fields = refuses, fields

    def __call__(self, *_: Any, order: str, **__: Any) -> SimpleNamespace:
        given = {
            "second_moment": 2.0,
            "largest": 9.0,
            "bulk": (0.5, 3),
            "warnings": (),
            "exponents": {},
            "bounds": None,
        }
        given |= {"outliers": np.full(4, 9.0), "networks": None, "mean": 1.0, "validity": None, "dimension": P}
        if order == "refined":
            if self.refuses:
                raise ValueError("order: expected leading")
            spread = (np.arange(1000) + 0.5) / 1000  # each stands for a thousandth
            outliers = spread[:, None] + np.array([9.0, 8.0, 7.0, 6.0])
            law = {"mean": 1 + spread, "second_moment": 2 + spread, "largest": 9 + spread, "outliers": outliers}
            given |= {"mean": 1.5, "networks": law, **self.fields}
        return SimpleNamespace(**given)


def refined(monkeypatch: pytest.MonkeyPatch, theory: Orders) -> dict[str, Observation]:
    monkeypatch.setattr(meanfield.prediction.asking, "predict", theory)
    return {o.statistic: o for o in observations(pair([CELL], [trial()], "refined"))}


def test_the_refined_theory_comes_with_its_band_and_the_leading_order_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = refined(monkeypatch, Orders())
    assert {o.order for o in found.values()} == {"refined"}
    assert (found["mean"].predicted, found["mean"].leading) == (1.5, 1.0)
    assert found["mean"].band == pytest.approx((1.025, 1.975))
    assert found["outliers"].band == pytest.approx((7.525, 8.475))  # of the mean over one network's outliers


def test_where_the_refined_theory_is_refused_the_leading_order_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    found = refined(monkeypatch, Orders(refuses=True))
    assert {(o.order, o.band, o.predicted == o.leading) for o in found.values()} == {("leading", None, True)}


def test_a_void_refined_statistic_has_no_band_and_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    found = refined(monkeypatch, Orders(largest=math.nan, warnings=("outliers merge with the bulk",)))
    assert (found["largest"].order, found["largest"].band) == ("refined", None)
    assert found["largest"].reason == "outliers merge with the bulk"


def test_moments_that_the_refined_theory_does_not_vouch_for_are_void(monkeypatch: pytest.MonkeyPatch) -> None:
    validity = SimpleNamespace(moments=np.False_, outliers=np.True_)
    found = refined(monkeypatch, Orders(validity=validity, warnings=("terms of order 1/M² count",)))
    assert [found[s].reason for s in ("mean", "second_moment")] == ["terms of order 1/M² count"] * 2
    assert (found["mean"].band, found["largest"].reason) == (None, "")
