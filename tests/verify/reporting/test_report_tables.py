"""The tables of a report against the comparison they tell of."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from meanfield.spec import InputMetric
from verify.asking.records import Trial
from verify.asking.sweep import Sweep
from verify.judging.difference import difference
from verify.judging.verdict import Comparison
from verify.reporting import Document
from verify.reporting.names import network_names
from verify.reporting.tables.difference import difference_table
from verify.reporting.tables.failures import REASONS
from verify.reporting.terminal import verdict_table


def test_cells_carry_prediction_measurement_and_verdict(agreeing: Comparison) -> None:
    records = Document(agreeing).tables["cells"].records()
    assert len(records) == len(agreeing.rows)
    for record, row in zip(records, agreeing.rows, strict=True):
        assert record["predicted"] == row.observation.predicted
        assert record["measured"] / record["predicted"] == pytest.approx(record["ratio"])
        assert record["ratio_low"] < record["ratio"] < record["ratio_high"]
        assert record["verdict"] == row.verdict
        assert row.judgement is not None
        judged = (row.judgement.tolerance, row.judgement.p_equivalent, row.judgement.p_outside)
        assert (record["tolerance"], record["p_equivalent"], record["p_outside"]) == judged


def test_fits_show_exponent_theory_and_limit(agreeing: Comparison) -> None:
    records = Document(agreeing).tables["series"].records()
    assert len(records) == len(agreeing.series)
    along_width = [r for r in records if r["held"].startswith("N")]
    assert all(r["a_0"] == pytest.approx(1, abs=0.05) for r in along_width)
    mean_of_fim = next(r for r in along_width if (r["metric"], r["statistic"]) == ("FIM", "mean eigenvalue"))
    assert mean_of_fim["asymptotic"] == -1
    assert mean_of_fim["exponent"] == pytest.approx(mean_of_fim["expected"], abs=0.02)


def test_each_fit_shows_what_its_own_limit_detects(agreeing: Comparison) -> None:
    records = Document(agreeing).tables["series"].records()
    assert [r["detectable"] for r in records if r["detectable"] is not None] == [
        limit.judgement.detectable for limit in agreeing.limits
    ]


def test_void_rows_give_their_reason_once(hostile: Comparison) -> None:
    rows = Document(hostile).tables["void"].rows
    assert rows
    assert all(row[3] == "32, 64, 128" and row[4] for row in rows)


def test_provenance_spells_nested_facts(agreeing: Comparison, facts: dict[str, Any]) -> None:
    rows = dict(Document(agreeing, facts).tables["provenance"].rows)
    assert rows["failures"] == "0"
    assert rows["versions numpy"] == "2.0"
    assert rows["sessions workers"] == "2; 4"
    assert rows["reasons"] == "none"
    assert rows["nothing"] == "none"
    assert rows["gpu"] == "unknown"


def test_failures_are_counted_by_reason_and_the_rare_ones_together(agreeing: Comparison) -> None:
    reasons = {f"reason {i}": 1 for i in range(REASONS + 2)}
    table = Document(replace(agreeing, failures={"often": 7, **reasons})).tables["failures"]
    assert table.rows[0] == ("often", 7)
    assert table.rows[-1] == ("3 other reasons", 3)
    assert sum(count for _, count in table.rows) == 7 + len(reasons)


def test_the_verdict_table_fits_a_terminal(agreeing: Comparison, disagreeing: Comparison, hostile: Comparison) -> None:
    for comparison in (agreeing, disagreeing, hostile):
        assert max(len(line) for line in verdict_table(Document(comparison)).splitlines()) <= 100
    assert "✗ fail" in verdict_table(Document(disagreeing))
    assert not any("nan" in line for line in verdict_table(Document(hostile)).splitlines())


def test_what_all_rows_share_is_said_once_and_what_tells_them_apart_is_never_cut(agreeing: Comparison) -> None:
    above, *lines = verdict_table(Document(agreeing)).splitlines()
    assert "metric: FIM" in above
    assert "theory: leading" in above
    rows = [line for line in lines if "M → ∞" in line]
    assert len(rows) == len(set(rows)) == len(agreeing.limits)
    assert all("N = 20 " in line or "N = 40 " in line for line in rows)


def test_of_many_rows_a_terminal_gets_those_that_do_not_pass(disagreeing: Comparison) -> None:
    limits = disagreeing.limits * 3
    passing = sum(x.verdict == "pass" for x in limits)
    shown = verdict_table(Document(replace(disagreeing, limits=limits)))
    assert f"{passing} more that pass are not shown" in shown
    rows = [line for line in shown.splitlines() if re.match(r"(linear|relu) +M → ∞", line)]
    assert len(rows) == len(limits) - passing > 0


def test_no_number_in_print_is_nan(hostile: Comparison) -> None:
    tables = Document(hostile, {"x": math.nan}).tables.values()
    shown = [cell for table in tables for row in table.shown() for cell in row]
    assert shown
    assert not {"nan", "None"} & set(shown)


def test_two_stores_stand_side_by_side(world: Callable[..., list[Trial]], small: Sweep) -> None:
    trials = world(small)
    rows = difference(small, trials, small, trials)
    table = difference_table(rows, network_names([cell.law for cell in small.cells()]))
    record = table.records()[0]
    assert (record["networks"], record["ratio"], record["farthest"], record["p"]) == ("6 / 6", 1.0, 0.0, 1.0)
    assert table.shown()[0][-1] == "0.0e+00"


def test_a_metric_without_a_law_of_its_bulk_is_void_with_the_reason(hostile: Comparison) -> None:
    unknown = replace(hostile.spectra[0], metric=InputMetric())
    table = Document(replace(hostile, spectra=(unknown,))).tables["void"]
    (row,) = [r for r in table.rows if r[1] == "law of the bulk"]
    assert "input_metric" in row[-1]
    assert table.records()
