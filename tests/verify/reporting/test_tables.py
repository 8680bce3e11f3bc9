"""Tables in their spellings."""

from __future__ import annotations

import csv
import io
import json
import math

import numpy as np
import pytest

from verify.judging.inference import Estimate
from verify.reporting.figures import style
from verify.reporting.tables.columns import _plus_minus
from verify.reporting.tables.table import Column, Table, escaped

COLUMNS = (
    Column("name", "name", lambda told: told[0]),
    Column(
        "x",
        "x",
        lambda told: told[1],
        lambda x: f"{x[0]:.1f}",
        number=True,
        export=lambda x: {"_low": x[0], "_high": x[1]},
    ),
)
TABLE = Table.of("title", "caption", COLUMNS, [("a|b\n<i>", (1.0, math.nan)), ("long name", (np.float64(22.25), 3.0))])


def test_csv_reads_back_with_full_precision_and_nothing_for_nan() -> None:
    rows = list(csv.DictReader(io.StringIO(TABLE.to_csv())))
    assert rows == [
        {"name": "a|b\n<i>", "x_low": "1.0", "x_high": ""},
        {"name": "long name", "x_low": "22.25", "x_high": "3.0"},
    ]


def test_records_are_json() -> None:
    assert json.loads(json.dumps(TABLE.records(), allow_nan=False))[0] == {
        "name": "a|b\n<i>",
        "x_low": 1,
        "x_high": None,
    }


def test_markdown_escapes_what_would_break_a_table() -> None:
    lines = TABLE.to_markdown().splitlines()
    assert len(lines) == 4
    assert lines[1] == "| --- | ---: |"
    assert lines[2] == "| a\\|b &lt;i&gt; | 1.0 |"


def test_markdown_shows_dollars_and_does_not_typeset_them() -> None:
    assert escaped("$x$ and $y$") == r"\$x\$ and \$y\$"


def test_text_is_aligned_and_cut_to_the_limit() -> None:
    columns = (Column("a", "a", lambda told: told[0]), Column("b", "b", lambda told: told[1], number=True))
    table = Table.of("", "", columns, [("x" * 90, 1), ("y", 22)])
    wide, narrow = table.to_text().splitlines(), table.to_text(40).splitlines()
    assert len(wide[2]) == len(wide[3]) == 94
    assert max(map(len, narrow)) == 40
    assert narrow[2].endswith("…   1")
    assert narrow[3].endswith("  22")


def test_an_empty_table_has_a_header() -> None:
    empty = Table.of("", "", COLUMNS, [])
    assert empty.to_csv() == "name,x\n"
    assert empty.to_text().splitlines()[0] == "name  x"


@pytest.mark.parametrize(
    ("estimate", "words"),
    [
        (Estimate(1.0, 0.1, 50, 0.0), "1.00 ± 0.20"),
        (Estimate(1.0, 0.1, 5, 2.0), "1.00 -0.26 +0.34"),
        (Estimate(1.0, 0.5, 1, 2.0), "1.0 -6.4 +∞"),
        (Estimate(1.0, float("nan"), 0, 2.0), "1"),
    ],
)
def test_an_estimate_shows_how_far_it_reaches_to_each_side(estimate: Estimate, words: str) -> None:
    assert _plus_minus(estimate) == words


def test_whiskers_are_those_of_the_interval_and_end_on_the_page() -> None:
    near, far = Estimate(1.0, 0.1, 5, 2.0), Estimate(1.0, 0.5, 1, 2.0)
    below, above = style.whiskers([near, far])
    low, high = near.interval()
    assert (below[0], above[0]) == pytest.approx((1 - low, high - 1))
    assert above[1] == style.LONGEST
