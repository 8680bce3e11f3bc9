"""Finite-size terms: against another implementation, and against the samples of random networks."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from meanfield import FIM, Network, order_parameters
from meanfield.bulk.equations import equations
from meanfield.bulk.features import BulkFeatures, bulk_features
from meanfield.bulk.inputs import inputs_of_covariance
from meanfield.bulk.neurons import neuron_table
from meanfield.bulk.paths import start
from meanfield.bulk.sample_levels import SampleLevels
from meanfield.bulk.sample_noise import SampleNoise, _between_outputs, _split, sample_noise
from meanfield.bulk.unknowns import split
from meanfield.kernels.setting import Setting
from meanfield.spec import as_metric
from meanfield.spec.activations import as_activation

ROWS = json.loads((Path(__file__).parents[2] / "data" / "bulk_prototype.json").read_text())
# Its quadrature is off by percents at relu's kink.
SINGLE = [r for r in ROWS if r["outputs"] == 1 and r["activation"] == "tanh"]


def noise_of(network: Network, metric: Any, width: int, samples: int) -> tuple[BulkFeatures, SampleNoise]:
    setting = Setting.of(network, metric, order_parameters(network), width, samples)
    x = bulk_features(setting, inputs_of_covariance(np.ones(1), int(setting.widths[0])))
    return x, sample_noise(x, split(x.gap * start(equations(x, neuron_table(x), None)).real))


@pytest.mark.parametrize("row", SINGLE, ids=lambda r: f"{r['activation']}-{r['depth']}-{r['samples']}-{r['metric']}")
def test_agrees_with_the_prototype(row: dict[str, Any]) -> None:
    network = Network(row["depth"], row["activation"], row["weight_variance"], row["bias_variance"])
    _, noise = noise_of(network, as_metric(row["metric"]), row["width"], row["samples"])
    scale = max(map(abs, row["noise"]))
    found = [noise.ridge, noise.mixed, noise.linear]
    np.testing.assert_allclose(found, row["noise"], rtol=1e-3, atol=1e-2 * scale)


@pytest.mark.parametrize("name", ["tanh", "relu"])
def test_diagonal_of_random_networks(name: str) -> None:
    """A sample's own level r_s = M |x_s|²/M |δ̃_s|²: its variance over the samples of one network, two layers.

    24 networks of 400 units; the theory has an error of order 1/M.
    """
    network, width, samples, networks = Network(2, name, 2.0, 0.2), 400, 400, 24
    rng = np.random.default_rng(11)
    slope = as_activation(name).function(order=1)
    found = []
    for _ in range(networks):
        inputs = rng.standard_normal((samples, width))
        u = inputs @ rng.standard_normal((width, width)) * math.sqrt(2.0 / width)
        u += math.sqrt(0.2) * rng.standard_normal(width)
        delta = slope(u) * rng.standard_normal(width) * math.sqrt(2.0 / width)
        own = ((delta - delta.mean(axis=0)) ** 2).sum(axis=1)
        found.append(np.var(width * (inputs**2).mean(axis=1) * own))
    levels = SampleLevels(noise_of(network, FIM(), width, samples)[0])
    expected = levels.response.variance(levels.ridge())
    error = 4 * np.std(found) / math.sqrt(networks) + 20 / width * expected
    assert abs(np.mean(found) - expected) < error
    assert error < 0.25 * expected


@pytest.mark.parametrize("name", ["tanh", "relu"])
def test_blocks_of_two_outputs_of_random_networks(name: str) -> None:
    """A sample's level between two outputs, Σ_l w_l (q̂ - q̂_st) δ̃_1·δ̃_2, of 300 networks of three layers: its variance
    over samples, and that of its mean over networks. The theory has an error of order 1/M."""
    sw2, sb2, width, samples, networks = 2.0, 0.2, 200, 100, 300
    network = Network(3, name, sw2, sb2, outputs=2)
    x, _ = noise_of(network, FIM(), width, samples)
    phi, slope = as_activation(name).function(), as_activation(name).function(order=1)
    rng = np.random.default_rng(12)
    own, mean = [], []
    for _ in range(networks):
        w1, w2 = (rng.standard_normal((width, width)) * math.sqrt(sw2 / width) for _ in range(2))
        u1 = rng.standard_normal((samples, width)) @ w1 + math.sqrt(sb2) * rng.standard_normal(width)
        u2 = phi(u1) @ w2 + math.sqrt(sb2) * rng.standard_normal(width)
        above = [slope(u2) * rng.standard_normal(width) * math.sqrt(sw2 / width) for _ in range(2)]
        below = [slope(u1) * (d @ w2.T) for d in above]
        levels = np.zeros(samples)
        for l, pair in ((1, below), (2, above)):
            a, b = (d - d.mean(axis=0) for d in pair)
            levels += x.weight[l] * (x.forward[l - 1] - x.forward_st[l - 1]) * np.sum(a * b, axis=1)
        own.append(levels.var(ddof=1))
        mean.append(levels.mean())
    error = 4 * np.std(own) / math.sqrt(networks) / np.mean(own) + 20 / width
    assert np.mean(own) == pytest.approx(_between_outputs(x), rel=error)
    assert error < 0.25
    # The mean of 100 samples has a hundredth of the variance over samples, too; C + 1 - 2/C is 2.
    expected = _split(x)[0] / 2 + np.mean(own) / samples
    assert np.var(mean, ddof=1) == pytest.approx(expected, rel=4 * math.sqrt(2 / networks) + 20 / width)


def test_vanishes_with_the_width() -> None:
    network = Network(3, "tanh", 3.0, 0.64)
    for name in ("ridge", "linear"):
        small, large = (
            getattr(n, name) / (x.same - x.other) ** 2
            for x, n in (noise_of(network, FIM(), m, m // 2) for m in (1000, 4000))
        )
        assert small / large == pytest.approx(4, rel=0.02)
