"""Order parameters of trials beside theory's: which cells, which layers, and against what was measured directly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from empirical import measure
from meanfield import order_parameters
from meanfield.spec import FIM, OrderParameters
from verify.asking.records import Trial
from verify.asking.sweep import Sweep, trial_seed
from verify.judging.layers import layers
from verify.running.runner import run

World = Callable[..., list[Trial]]


def test_the_widest_cell_of_each_law_is_set_beside_theory(world: World, make_sweep: Callable[..., Sweep]) -> None:
    sweep = make_sweep(3)
    found = layers(sweep.cells(), world(sweep))
    assert [(x.cell.network, x.cell.width) for x in found] == [
        (network, 8) for network in dict.fromkeys(c.network for c in sweep.cells())
    ]
    for x in found:
        theory = order_parameters(x.cell.network)
        for name in OrderParameters.NAMES:
            np.testing.assert_array_equal(x.predicted[name], getattr(theory, name))
            assert [e.value for e in x.measured[name]] == pytest.approx(list(getattr(theory, name)))


def test_activations_count_from_the_input_and_preactivations_from_the_first_layer(
    world: World, make_sweep: Callable[..., Sweep]
) -> None:
    (found, _) = layers(make_sweep().cells(), world(make_sweep()))
    assert {name: list(found.numbers(name)) for name in OrderParameters.NAMES} == {
        "q": [1, 2], "q_st": [1, 2], "forward": [0, 1], "forward_st": [0, 1], "backward": [1, 2], "backward_st": [1, 2],
    }  # fmt: skip


def test_failed_trials_and_those_without_order_parameters_are_left_out(
    world: World, make_sweep: Callable[..., Sweep]
) -> None:
    sweep = make_sweep(3)
    trials = world(sweep)
    wrong = OrderParameters.of({name: [9.0, 9.0] for name in OrderParameters.NAMES})
    failed = [replace(t, index=7, status="failed", order_parameters=wrong) for t in trials]
    bare = [replace(t, index=8, order_parameters=None) for t in trials]
    assert repr(layers(sweep.cells(), [*trials, *failed, *bare])) == repr(layers(sweep.cells(), trials))
    assert layers(sweep.cells(), bare) == ()


def test_the_store_has_what_was_measured(tmp_path: Any) -> None:
    grid = {
        "activation": ["tanh"], "depth": [3], "weight_variance": [3.0], "bias_variance": [0.64], "width": [20],
        "samples": [5], "outputs": [2], "metric": ["fim"],
    }  # fmt: skip
    sweep = Sweep(name="a", grid=grid, run={"trials": 2, "seed": 1})
    (cell,) = sweep.cells()
    with run(sweep, tmp_path / "a.sqlite", jobs=1, progress=False) as store:
        stored = [t.order_parameters for t in store.trials()]
    for index, kept in enumerate(stored):
        again = measure(cell.network, FIM(), width=20, samples=5, seed=trial_seed(1, cell, index)).order_parameters
        assert kept == again
