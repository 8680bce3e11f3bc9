"""False alarms: how often a sweep of few networks ends in "fail" though the theory holds. Real networks, in minutes."""

from __future__ import annotations

import functools
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from meanfield.spec import FIM
from verify import Sweep, compare, run
from verify.asking.records import Sample
from verify.judging import pairing
from verify.judging.inference import mean_of
from verify.judging.observations import Observation
from verify.judging.ranks import _ranks

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


SKEW, REPEATS = 0.45, 2000


@pytest.mark.parametrize("networks", [3, 4, 12])
def test_limits_of_log_normal_statistics_are_missed_as_seldom_as_meant(networks: int) -> None:
    """Where the theory is exact: 2.5 % each side. The plain t-interval lies too low twice as often; the mend is held to
    what the expansion leaves, 4 % of the squared spread."""
    sigma = math.sqrt(math.log1p(SKEW**2))
    draws = np.random.default_rng(14).lognormal(-(sigma**2) / 2, sigma, (REPEATS, networks))
    cell = sweep_of(LAWS[0], 1).cells()[0]
    seen = [Observation(cell, FIM(), "second_moment", 1.0, values, "", (0.0, 0.0)) for values in draws]
    low, high = np.array([o.ratio.interval() for o in seen]).T
    allowed = 0.025 + 0.04 * SKEW**2 + 4 * math.sqrt(0.025 * 0.975 / REPEATS)
    assert max(np.mean(high < 1), np.mean(low > 1)) < allowed
    assert np.mean(np.array([mean_of(o.values).interval()[1] for o in seen]) < 1) > allowed


def test_every_statistic_that_is_judged_or_ranked_is_taken_as_skewed() -> None:
    cell, values = sweep_of(LAWS[0], 1).cells()[0], np.array([1.0, 1.3, 2.0])
    assert Observation(cell, FIM(), "mean", 1.0, values, "", (0.0, 0.0)).measured.bend == pytest.approx(
        2 / values.mean()
    )
    outliers = [Sample(1.0, 1.0, x, (x, x / 2), 10) for x in values]
    pair = SimpleNamespace(
        outliers=np.array([1.4, 0.7]), samples=outliers, cell=cell, metric=FIM(), bounds=lambda _: None
    )
    assert _ranks(pair).measured[0].bend == pytest.approx(2 / values.mean())


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
