"""Tolerances as they are declared."""

from __future__ import annotations

import pytest

from verify.asking.sweep import Agreement


def test_each_order_has_its_tolerance_which_shrinks_with_the_order_of_what_is_left_out() -> None:
    verdict = Agreement(delta=0.05, slope=3.0, refined_delta=0.01, refined_slope=200.0)
    leading, refined = verdict.tolerance("leading"), verdict.tolerance("refined")
    assert leading.at(1 / 100) == pytest.approx(0.08)
    assert refined.at(1 / 100) == pytest.approx(0.03)
    assert refined.at(1 / 4) == 0.5
    assert (leading.at(0), refined.at(0)) == (0.05, 0.01)
    assert (str(leading), str(refined)) == ("0.05 + 3/M", "0.01 + 200/M²")
