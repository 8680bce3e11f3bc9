"""Which spectra share a row, what a row of figures holds, and that drawings are small and keep their words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np
import pytest

from meanfield.figures.ticks import legible
from meanfield.spec import NTK, Network
from verify.asking.records import Cell, Trial
from verify.asking.sweep import Sweep
from verify.judging.spectra import StoredSpectra
from verify.judging.verdict import Comparison, compare
from verify.reporting import Document
from verify.reporting.figures.lines import blocks
from verify.reporting.figures.spectra import spectra_rows
from verify.reporting.names import network_names
from verify.reporting.writing import as_json


def spectrum(network: Network, width: int, samples: int) -> StoredSpectra:
    return StoredSpectra(Cell(network, width, samples, (NTK(),)), NTK(), (np.ones(5),), (2.0,), 1.0)


def sizes(rows: Iterable[tuple[StoredSpectra, ...]]) -> list[list[tuple[int, int]]]:
    return [[(s.cell.width, s.cell.samples) for s in row] for row in rows]


TANH, RELU = Network(2, "tanh", 1.0, 0.1, 2), Network(2, "relu", 1.0, 0.1, 2)


def test_laws_measured_at_one_size_share_rows_of_four() -> None:
    laws = [Network(depth, "tanh", 1.0, 0.1, 2) for depth in range(2, 7)]
    assert sizes(spectra_rows(spectrum(law, 64, 10) for law in laws)) == [[(64, 10)] * 4, [(64, 10)]]


def test_a_law_at_several_widths_has_a_row_with_its_ends() -> None:
    found = spectra_rows(spectrum(law, m, 10) for m in (8, 16, 32, 64, 128) for law in (TANH, RELU))
    assert sizes(found) == [[(8, 10), (16, 10), (64, 10), (128, 10)]] * 2
    assert [{s.cell.network for s in row} for row in found] == [{TANH}, {RELU}]


def test_a_grid_has_a_row_at_its_greatest_width_and_one_along_the_diagonal() -> None:
    found = spectra_rows(spectrum(TANH, m, n) for m in (10, 20, 40) for n in (5, 10, 20))
    assert sizes(found) == [[(40, 5), (40, 10), (40, 20)], [(10, 5), (20, 10), (40, 20)]]


def test_many_lines_are_parted_by_network_with_one_style_for_each_value_held(world: Callable[..., list[Trial]]) -> None:
    grid = {
        "activation": ["tanh", "relu", "linear"], "depth": [2], "weight_variance": [2.0], "bias_variance": [0.5],
        "width": [40, 80, 160], "samples": [4, 12, 30], "outputs": [1],
        "metric": [{"family": "ntk", "centered": True}],  # whose second moment is void at small widths
    }  # fmt: skip
    sweep = Sweep(name="grid", grid=grid, run={"trials": 3})
    comparison = compare(sweep, world(sweep, bias=0.0))
    found = blocks(comparison, network_names(comparison.laws))
    assert [(b.axis, b.metric) for b in found] == [
        (axis, f"NTK, centered, {name}") for axis in ("width", "samples") for name in ("tanh", "relu", "linear")
    ]
    for block in found:
        styles = {(line.name, line.style) for panel in block.panels.values() for line in panel}
        assert len(styles) == len({name for name, _ in styles}) == len({style for _, style in styles})
        assert {line.name for line in block.panels["second_moment"]} < {line.name for line in block.panels["mean"]}


@pytest.fixture(scope="module")
def crossed(world: Callable[..., list[Trial]]) -> Comparison:
    """A sweep with cross-entropy, whose outliers differ."""
    grid = {
        "activation": ["tanh", "relu"], "depth": [3], "weight_variance": [2.0], "bias_variance": [0.5],
        "width": [128, 256], "samples": [60], "outputs": [4], "metric": [{"family": "fim", "loss": "cross_entropy"}],
    }  # fmt: skip
    sweep = Sweep(name="crossed", title="Crossed", grid=grid, run={"trials": 3})
    return compare(sweep, world(sweep))


def test_order_parameters_and_outliers_have_a_section_where_they_are_known(
    crossed: Comparison, hostile: Comparison
) -> None:
    both = {"Outliers one by one", "Order parameters, layer by layer"}
    assert both <= {s.title for s in Document(crossed).sections}
    assert not both & {s.title for s in Document(hostile).sections}


def test_the_title_of_the_sweep_is_the_comparisons_and_its_name_stands_in(
    crossed: Comparison, agreeing: Comparison
) -> None:
    assert (crossed.title, agreeing.title) == ("Crossed", "agreeing")


def test_each_outlier_has_a_row_with_its_interval_and_the_first_one_the_bounds(crossed: Comparison) -> None:
    rows = Document(crossed).tables["outliers"].records()
    assert {r["width"] for r in rows} == {256}
    assert {(r["network"], r["rank"]) for r in rows if r["lower"] is not None} == {("tanh", 1), ("relu", 1)}
    for r in rows:
        assert r["inside"] == ("yes" if r["measured_low"] <= r["predicted"] <= r["measured_high"] else "no")  # type: ignore[operator]
        assert r["ratio"] == pytest.approx(r["measured"] / r["predicted"])  # type: ignore[operator]


def test_each_order_parameter_has_a_row_for_each_layer(crossed: Comparison) -> None:
    rows = Document(crossed).tables["order_parameters"].records()
    assert len(rows) == 2 * 6 * 3
    start = {r["quantity"]: (r["predicted"], r["ratio"]) for r in rows if (r["layer"], r["network"]) == (0, "tanh")}
    assert start == {"q̂": (1.0, 1.0), "q̂_st": (0.0, None)}
    assert all(r["ratio"] == pytest.approx(1) for r in rows if r["ratio"] is not None)


def test_json_has_the_outliers_and_the_order_parameters(crossed: Comparison) -> None:
    document = Document(crossed)
    found = json.loads(as_json(document))
    assert found["outliers"] == document.tables["outliers"].records()
    assert found["order_parameters"] == document.tables["order_parameters"].records()


def test_labels_that_would_overlap_are_left_out_and_the_ends_stay() -> None:
    assert legible([64, 128, 256, 512]) == [64, 128, 256, 512]
    many = [10, 12, 15, 20, 25, 30, 40, 50, 70, 100, 140, 200, 280, 400, 560, 800, 1000]
    kept = legible(many)
    assert (kept[0], kept[-1]) == (10, 1000)
    assert 5 <= len(kept) < len(many)
    assert all(high / low > 1.4 for low, high in pairwise(kept))


def test_a_drawing_keeps_its_words_as_text(crossed: Comparison) -> None:
    words = [re.findall(r">([^<>\s][^<>]*)</text>", p.svg) for s in Document(crossed).sections for p in s.pictures]
    assert any("0.05" in found or "0.02" in found for found in words)


def test_ids_in_a_page_of_figures_are_unique(crossed: Comparison) -> None:
    found = [re.findall(r' id="([^"]*)"', p.svg) for s in Document(crossed).sections for p in s.pictures]
    ids = [one for of_picture in found for one in of_picture]
    assert len(ids) == len(set(ids)) > len(found)
