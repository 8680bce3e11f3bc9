"""One comparison with every kind of verdict in it, for all report tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from meanfield.prediction.asking import predict
from meanfield.spec import FIM, NTK, Metric, Network
from meanfield.spec.activations import Activation
from verify.asking.records import Cell, Sample, Trial
from verify.asking.sweep import Sweep
from verify.judging.verdict import Comparison, compare
from verify.reporting import Document, write_report

HOSTILE = "<script>alert('ü|$x$')</script>&amp;"

FACTS = {
    "trials": 24,
    "failures": 0,
    "wall_seconds": 12.5,
    "versions": {"numpy": "2.0", "python": "<b>3.11</b>"},
    "seeds": {"sweep": 7},
    "reasons": [],
    "nothing": {},
    "sessions": [{"workers": 2}, {"workers": 4}],
    "gpu": None,
}


@pytest.fixture(scope="session")
def facts() -> dict[str, Any]:
    return FACTS


@pytest.fixture(scope="session")
def small() -> Sweep:
    return _sweep()


@pytest.fixture(scope="session")
def agreeing(world: Callable[..., list[Trial]]) -> Comparison:
    """A small sweep over widths and sample numbers in which theory holds."""
    sweep = _sweep()
    return compare(sweep, world(sweep, bias=0.0, spread=0.02))


@pytest.fixture(scope="session")
def disagreeing(world: Callable[..., list[Trial]]) -> Comparison:
    """The same with the measured mean 1.3 times the predicted one."""
    sweep = _sweep()
    return compare(sweep, world(sweep, {"mean": 1.3}, bias=0.0, spread=0.02))


def _sweep() -> Sweep:
    grid = {
        "activation": ["linear", "relu"], "depth": [2], "weight_variance": [1.5], "bias_variance": [0.2],
        "width": [64, 128, 256], "samples": [20, 40], "outputs": [3], "metric": ["fim"],
    }  # fmt: skip
    return Sweep(name="agreeing", grid=grid, run={"trials": 6}, verdict={"theory": "leading", "delta": 0.05})


@pytest.fixture(scope="session")
def written(agreeing: Comparison, facts: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The report of the agreeing comparison, in a folder that had to be made."""
    return write_report(Document(agreeing, facts), tmp_path_factory.mktemp("report") / "made" / "here")


class Hostile:
    """A sweep whose names are meant to break a page, with stored spectra and a void prediction (K₂ = 0)."""

    name = HOSTILE
    title = HOSTILE
    verdict, run = _sweep().verdict, _sweep().run

    def cells(self) -> tuple[Cell, ...]:
        network = Network(2, Activation(HOSTILE, "u"), 1.5, 0.0, 3)
        return tuple(Cell(network, m, 20, (FIM(), NTK())) for m in (32, 64, 128))

    def to_json(self) -> str:
        return json.dumps({"name": self.name, "run": {"backend": HOSTILE}})


@pytest.fixture(scope="session")
def hostile() -> Comparison:
    random = np.random.default_rng(3)
    return compare(Hostile(), [t for cell in Hostile().cells() for t in _spectra(cell, random)])


def _spectra(cell: Cell, random: np.random.Generator) -> list[Trial]:
    def sample(metric: Metric) -> Sample:
        dimension = int(predict(cell.network, metric, width=cell.width, samples=cell.samples).dimension)
        spectrum = np.sort(random.exponential(size=60))[::-1]
        return Sample(float(random.normal()), -1.0, float(spectrum[0]), tuple(spectrum[:3]), dimension, spectrum)

    return [Trial(cell.key, i, "done", samples={m.label: sample(m) for m in cell.metrics}) for i in range(3)]
