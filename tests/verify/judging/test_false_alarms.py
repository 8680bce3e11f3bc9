"""False alarms: how often a sweep of few networks ends in "fail" though the theory holds. Real networks, in minutes."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from verify import Sweep, compare, run
from verify.judging import pairing

NETWORKS = 72

LAWS = [
    {"activation": "tanh", "depth": 3, "weight_variance": 3.0, "bias_variance": 0.64},
    {"activation": "gelu", "depth": 3, "weight_variance": 2.0, "bias_variance": 0.1},
    {"activation": "relu", "depth": 3, "weight_variance": 2.0, "bias_variance": 0.1},
    {"activation": "erf", "depth": 4, "weight_variance": 1.5, "bias_variance": 0.1},
    {"activation": "elu", "depth": 3, "weight_variance": 1.5, "bias_variance": 0.1},
    {"activation": "mish", "depth": 4, "weight_variance": 1.8, "bias_variance": 0.2},
]


def sweep_of(law: dict[str, object], outputs: int, **more: object) -> Sweep:
    grid = {
        "network": [law], "width": [64, 128, 256], "samples": [40], "outputs": [outputs],
        "metric": ["fim", "ntk", "input_metric"],
    }  # fmt: skip
    return Sweep(name="few", grid=grid, run={"trials": NETWORKS, "seed": 2026}, **more)


@pytest.mark.slow
@pytest.mark.parametrize("networks", [3, 4, 6, 12])
def test_few_networks_seldom_refute_the_theory(networks: int, drawn, monkeypatch) -> None:
    """Disjoint groups of so many networks at each of three widths, each a sweep by itself: 108 to 432 of them."""
    monkeypatch.setattr(pairing, "_ask", functools.cache(pairing._ask))
    failing = [
        compare(sweep, [t for t in trials if t.index // networks == group]).verdict == "fail"
        for sweep, trials in drawn
        for group in range(NETWORKS // networks)
    ]
    print(f"{networks} networks a width: {sum(failing)} of {len(failing)} sweeps fail")
    assert sum(failing) <= 0.05 * len(failing)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Each sweep with all of its trials."""
    folder: Path = tmp_path_factory.mktemp("few")
    found = []
    with ThreadPoolExecutor(2) as threads:
        for index, law in enumerate(LAWS):
            for outputs in (1, 3, 10):
                sweep = sweep_of(law, outputs)
                path = folder / f"{index}-{outputs}.sqlite"
                with run(sweep, path, executor=threads, jobs=2, progress=False) as store:
                    found.append((sweep, list(store.trials())))
    return found
