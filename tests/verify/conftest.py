"""A sweep and a measuring function small enough to run hundreds of trials in a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from meanfield.prediction.answer import Prediction
from meanfield.prediction.asking import predict
from meanfield.spec import Metric, OrderParameters
from verify.asking.records import Cell, Sample, Trial
from verify.asking.sweep import Sweep

TINY = {
    "activation": ["tanh", "relu"],
    "depth": [2],
    "weight_variance": [2.0],
    "bias_variance": [0.5],
    "width": [4, 8],
    "samples": [3],
    "outputs": [2],
    "metric": ["fim", "ntk"],
}


@pytest.fixture
def make_sweep() -> Callable[..., Sweep]:
    def make(trials: int = 3, **run: Any) -> Sweep:
        return Sweep(name="tiny", grid=TINY, run={"trials": trials, "seed": 5, **run})

    return make


@pytest.fixture
def draw() -> Callable[..., Any]:
    """A measuring function that draws its figures from the seed. Nested, so that it travels to workers by value."""

    def measure(
        network: Any, metrics: Any, *, width: int, samples: int, seed: Any, spectrum: str, **_: Any
    ) -> list[Any]:
        random = np.random.default_rng(seed)
        return [
            SimpleNamespace(
                mean=random.normal(),
                second_moment=random.normal(),
                largest=float("nan"),
                outliers=random.normal(size=2),
                eigenvalues=random.normal(size=4) if spectrum == "full" else None,
                dimension=width,
                provenance={"backend": "none", "seconds": random.normal(), "seed": 3},
            )
            for _ in metrics
        ]

    return measure


@pytest.fixture(scope="session")
def world() -> Callable[..., list[Trial]]:
    """Trials of a world where theory holds up to a factor on each statistic and a finite-width bias, without networks:
    the measured value is ``factor * predicted * (1 + bias / M) * noise``, noise of relative size ``spread / √M``."""

    def trials_of(
        sweep: Sweep, factors: Mapping[str, float] | None = None, bias: float = 5.0, spread: float = 0.5, seed: int = 0
    ) -> list[Trial]:
        random = np.random.default_rng(seed)
        return [
            Trial(
                cell.key,
                index,
                "done",
                samples=_draw(cell, factors or {}, bias, spread, random, predictions),
                order_parameters=_layers(predictions),
            )
            for cell in sweep.cells()
            for predictions in [
                {m: predict(cell.network, m, width=cell.width, samples=cell.samples) for m in cell.metrics}
            ]
            for index in range(sweep.run.trials)
        ]

    return trials_of


def _predictions(cell: Cell) -> dict[Metric, Prediction]:
    return {m: predict(cell.network, m, width=cell.width, samples=cell.samples) for m in cell.metrics}


def _layers(predictions: Mapping[Metric, Prediction]) -> OrderParameters:
    """Theory's own order parameters, as every network of this world has them."""
    return next(iter(predictions.values())).order_parameters


def _draw(cell: Cell, factors: Any, bias: float, spread: float, random: Any, predictions: Any) -> dict[str, Sample]:
    samples = {}
    for metric, p in predictions.items():
        noise = (1 + bias / cell.width) * np.exp(spread / np.sqrt(cell.width) * random.normal(size=3))
        mean, second, largest = (
            factors.get(s, 1.0) * float(getattr(p, s)) * n
            for s, n in zip(("mean", "second_moment", "largest"), noise, strict=True)
        )
        outliers = tuple(float(largest * (1 - 0.01 * k)) for k in range(p.outliers.shape[-1]))
        samples[metric.label] = Sample(mean, second, largest, outliers, int(p.dimension))
    return samples
