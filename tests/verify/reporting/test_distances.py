"""The figure of distances against the width."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from meanfield.spec import FIM, Network
from verify.asking.records import Cell
from verify.judging.bulk import Bulk, Distances
from verify.reporting.figures.distances import distance_lines, draw_distances

NETWORK = Network(2, "tanh", 2.0, 0.3, 1)
NAMES = {NETWORK.digest: "tanh"}


def bulk(width: int, samples: int, law: Any = SimpleNamespace()) -> Bulk:  # noqa: B008 - a mark, never changed
    networks = (Distances(0.1 / width, 0.05, 0.02, 1.0, 2.0), Distances(0.3 / width, 0.05, 0.02, 1.0, 2.0))
    return Bulk(Cell(NETWORK, width, samples, (FIM(),)), FIM(), law, "", networks)


def test_lines_run_along_the_width_at_samples_in_proportion() -> None:
    found = distance_lines([bulk(20, 20), bulk(10, 5), bulk(20, 10), bulk(10, 10), bulk(40, 30)], NAMES)
    assert {name: [b.cell.width for b in line] for name, line in found.items()} == {
        "tanh, N = 0.5 M": [10, 20],
        "tanh, N = 1 M": [10, 20],
    }


def test_spectra_without_a_law_are_on_no_line() -> None:
    assert distance_lines([bulk(10, 10, None), bulk(20, 20)], NAMES) == {}


def test_the_figure_names_lines_and_panels_and_is_the_same_every_time() -> None:
    lines = distance_lines([bulk(10, 10), bulk(20, 20)], NAMES)
    found = draw_distances("distances", "FIM", lines)
    assert found == draw_distances("distances", "FIM", lines)
    for text in ("tanh, N = 1 M", "as it is", "own order parameters", "KS distance"):
        assert text in found.svg
