"""The report of a sweep over data, run for real in small: the preset `data_slope`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from meanfield import predict
from verify import Sweep, compare, run
from verify.asking.records import Trial
from verify.judging.verdict import Comparison
from verify.reporting import Document, write_report
from verify.reporting.html import render_html

NETWORKS = '{activation="tanh", weight_variance=3.0, bias_variance=0.6}, {activation="relu", weight_variance=2.0}'
SMALL = [
    "grid.d=[6]", "grid.c=[0.6]", "grid.samples=[30]", "grid.width=[40, 80, 160]", "run.trials=3",
    f"grid.network=[{NETWORKS}]",
]  # fmt: skip
LAWS, DATA = 4, 2  # two networks: one data set each, and one control


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sweep, list[Trial]]:
    sweep = Sweep.preset("data_slope", SMALL)
    with run(sweep, tmp_path_factory.mktemp("given") / "a.sqlite", jobs=1, progress=False) as store:
        return store.sweep(), list(store.trials())


@pytest.fixture(scope="module")
def comparison(measured: tuple[Sweep, list[Trial]]) -> Comparison:
    return compare(*measured)


@pytest.fixture(scope="module")
def document(comparison: Comparison) -> Document:
    return Document(comparison, {})


def test_theory_is_that_of_the_inputs_of_each_cell(comparison: Comparison) -> None:
    assert len(comparison.laws) == LAWS
    for row in [row for row in comparison.rows if row.observation.cell.width == 80]:
        cell = row.observation.cell
        assert cell.inputs is not None
        theory = predict(cell.network, row.metric, width=cell.width, inputs=cell.inputs.array)
        assert row.observation.predicted == pytest.approx(float(getattr(theory, row.statistic)))
        assert row.order == "leading"


def test_networks_have_the_eigenvalues_of_their_own_data_and_not_those_of_the_control(comparison: Comparison) -> None:
    controls = {(x.cell.network, x.cell.width): x for x in comparison.eigenvalues if x.cell.inputs.control}
    assert len(comparison.eigenvalues) == 3 * LAWS
    for one in comparison.eigenvalues:
        isotropic = controls[one.cell.network, one.cell.width].predicted
        swapped = float(np.median(np.abs(np.log10(one.measured / isotropic[: one.measured.shape[1]]))))
        if one.cell.width == 160 and not one.cell.inputs.control:
            assert 2 * one.distance < swapped


def test_each_width_has_limits_over_its_own_data(comparison: Comparison) -> None:
    assert {line.law for line in comparison.series} == set(comparison.laws)
    assert len(comparison.limits) == 3 * LAWS
    assert all({o.cell.law for o in line.observations} == {line.law} for line in comparison.series)


def test_tables_have_a_row_for_each_cell_and_data_stand_beside_their_control(document: Document) -> None:
    counted = {key: len(document.tables[key].rows) for key in ("eigenvalues", "slopes", "traces", "spectra")}
    assert counted == {"eigenvalues": 3 * LAWS, "slopes": 3 * DATA, "traces": 3 * LAWS // 2, "spectra": 0}
    for record in document.tables["slopes"].records():
        assert record["top_slope_data"] < record["top_slope_data_control"] < 0
        assert record["decades_data"] > record["decades_data_control"]
        assert record["participation_predicted"] > 1
    for record in document.tables["traces"].records():
        assert record["network_bias_variance"] == 0.0
        assert record["measured"] < record["bound"]


def test_figures_and_files_are_there_and_the_same_every_time(comparison: Comparison, tmp_path: Path) -> None:
    paths = write_report(Document(comparison, {}), tmp_path / "a")
    page = paths["html"].read_text("utf-8")
    assert page == render_html(Document(comparison, {}))
    ids = [part.split('"', 1)[0] for part in page.split('<section id="')[1:]]
    assert len(ids) == len(set(ids))
    names = {path.stem for path in (tmp_path / "a" / "figures").glob("*.svg")}
    assert {"eigenvalues-fim-1", "data-fim-1"} <= names
    assert not any(name.startswith(("spectra-", "order-parameters")) for name in names)
    found = json.loads(paths["json"].read_text("utf-8"))
    assert len(found["sweep"]["hashes"]) == 2
    assert {row["network_data"] for row in found["cells"]} == {law.data for law in comparison.laws}
