"""What a report says is made once, for whatever number of formats; every table and figure has a way into it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import meanfield.bulk.whole
from verify.judging.verdict import Comparison
from verify.reporting import Document, document, write_report
from verify.reporting.terminal import verdict_table


def counting(made: Counter[str], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def counted(*given: Any, **options: Any) -> Any:
        made[name] += 1
        return function(*given, **options)

    return counted


def test_names_tables_and_sentences_are_made_once_for_all_formats(
    agreeing: Comparison, facts: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: Counter[str] = Counter()
    for name in ("network_names", "headline", "remarks", "rule", "counts"):
        monkeypatch.setattr(document, name, counting(made, name, getattr(document, name)))
    counted = {key: counting(made, key, make) for key, make in document.TABLES.items()}
    monkeypatch.setattr(document, "TABLES", counted)
    told = Document(agreeing, facts)
    write_report(told, tmp_path)
    verdict_table(told)
    assert set(made.values()) == {1}
    assert len(made) == 5 + len(counted)


def test_the_law_of_a_cell_is_found_once_for_each_metric(
    hostile: Comparison, facts: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: Counter[tuple[Any, ...]] = Counter()
    true = meanfield.bulk.whole.spectrum

    def counted(network: Any, metric: Any, *, width: int, samples: int, kernels: Any) -> Any:
        made[metric, width, samples, kernels] += 1
        return true(network, metric, width=width, samples=samples, kernels=kernels)

    monkeypatch.setattr(meanfield.bulk.whole, "spectrum", counted)
    hostile.__dict__.pop("bulks", None)
    write_report(Document(hostile, facts), tmp_path)
    assert set(made.values()) == {1}
    assert {(metric, width) for metric, width, _, _ in made} == {(s.metric, s.cell.width) for s in hostile.spectra}


def test_json_has_every_table_under_its_key(written: dict[str, Path]) -> None:
    assert document.TABLES.keys() <= json.loads(written["json"].read_text("utf-8")).keys()


def test_json_takes_facts_of_numpy_and_objects_by_their_text(agreeing: Comparison, tmp_path: Path) -> None:
    given = {"b": [np.int64(3), np.inf, None, True], "c": (np.bool_(False), object)}
    paths = write_report(Document(agreeing, given), tmp_path)
    found = json.loads(paths["json"].read_text("utf-8"))["provenance"]
    assert found == {"b": [3, None, None, True], "c": [False, "<class 'object'>"]}
