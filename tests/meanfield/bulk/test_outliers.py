"""Outliers of several outputs: both laws against each other and against measured networks, and where they are void."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from empirical import measure
from meanfield import FIM, Network, OrderParameters, SpectralDensity, order_parameters, predict, spectrum

DATA = Path(__file__).parents[2] / "data"
MEASURED = json.loads((DATA / "ten_outliers.json").read_text())
PROTOTYPE = json.loads((DATA / "bulk_prototype.json").read_text())
TANH = Network(3, "tanh", 3.0, 0.64, outputs=10)


def label(row: dict[str, Any]) -> str:
    return f"{row['metric']}-C{len(row['mean'])}-M{row['width']}"


def law_of(row: dict[str, Any], kernels: bool = False) -> SpectralDensity:
    network = Network.from_dict(row["network"])
    given: OrderParameters | None = order_parameters(network) if kernels else None
    return spectrum(network, row["metric"], width=row["width"], samples=row["samples"], kernels=given)


@pytest.mark.parametrize("row", MEASURED, ids=label)
def test_spectrum_gives_the_outliers_of_random_networks(row: dict[str, Any]) -> None:
    """Means within 3.5 standard errors each; spreads within theirs and the 5 % that theory may neglect at C/M."""
    outliers = law_of(row).outliers
    mean, std, count = np.array(row["mean"]), np.array(row["std"]), row["networks"]
    assert np.all(np.abs(outliers.values - mean) < 3.5 * std / math.sqrt(count))
    assert np.all(np.abs(outliers.std / std - 1) < 3.5 / math.sqrt(2 * count) + 0.05)


@pytest.mark.parametrize("row", MEASURED, ids=label)
def test_linear_response_misses_them_by_its_order(row: dict[str, Any]) -> None:
    """It neglects C/M: its own error beside the measurement's."""
    outliers = law_of(row, kernels=True).outliers
    mean, std, count = np.array(row["mean"]), np.array(row["std"]), row["networks"]
    order = len(mean) / row["width"]
    assert np.all(np.abs(outliers.values - mean) < 3.5 * std / math.sqrt(count) + 1.5 * order * mean)
    assert np.all(np.abs(outliers.std / std - 1) < 3.5 / math.sqrt(2 * count) + 0.05 + 5 * order)


def test_two_laws_of_ten_outliers_differ_by_what_one_of_them_neglects() -> None:
    """A relative 0.6 C/M at fixed N/M: at four times the width a quarter. One answer for predict and spectrum."""
    worst = []
    for width in (1000, 4000):
        refined = predict(TANH, FIM(), width=width, samples=width // 2, order="refined")
        mean, response = (
            spectrum(TANH, FIM(), width=width, samples=width // 2, kernels=kernels).outliers
            for kernels in (None, order_parameters(TANH))
        )
        assert refined.std is not None
        np.testing.assert_array_equal(mean.values, refined.outliers)
        np.testing.assert_array_equal(mean.std, refined.std["outliers"])
        worst.append(np.max(np.abs(response.values / mean.values - 1)))
        assert worst[-1] < 0.6 * 10 / width
    assert worst[1] == pytest.approx(worst[0] / 4, rel=0.2)


@pytest.mark.parametrize("row", PROTOTYPE, ids=lambda r: f"{r['activation']}-{r['depth']}-{r['samples']}-{r['metric']}")
def test_linear_response_agrees_with_the_prototype(row: dict[str, Any]) -> None:
    network = Network(row["depth"], row["activation"], row["weight_variance"], row["bias_variance"], row["outputs"])
    law = spectrum(
        network, row["metric"], width=row["width"], samples=row["samples"], kernels=order_parameters(network)
    )
    found = law.outliers
    assert [found.centre, found.common, found.split] == pytest.approx(
        [row["outlier"], row["common"], row["split"]], rel=1e-4
    )


@pytest.mark.parametrize(
    ("network", "metric", "width", "samples"),
    [
        (Network(3, "tanh", 3.0, 0.64), FIM(layer=1), 600, 300),
        (Network(1, "linear", 2.0, 0.1), FIM(), 1000, 2000),
        (Network(3, "tanh", 3.0, 0.64, outputs=90), FIM(), 100, 50),
    ],
)
def test_merged_ones_are_counted_in_the_bulk(network: Network, metric: FIM, width: int, samples: int) -> None:
    law = spectrum(network, metric, width=width, samples=samples)
    assert len(law.outliers.values) == 0
    assert law.multiplicity == network.outputs * samples
    assert any("counted in the bulk" in w for w in law.warnings)
    assert np.isnan(predict(network, metric, width=width, samples=samples, order="refined").outliers).all()


@pytest.mark.parametrize(
    ("network", "metric", "width", "samples"),
    [
        (Network(3, "softplus", 1.5, 0.1, outputs=5), FIM(), 300, 3),  # fewer samples than outputs
        (TANH, FIM(layer=2), 1000, 10),  # the bulk's edge at 0.81 of the lowest
        (Network(3, "erf", 1.5, 0.1), FIM(), 1000, 4),
    ],
)
def test_where_the_refined_order_does_not_hold_linear_response_answers(
    network: Network, metric: FIM, width: int, samples: int
) -> None:
    """With both reasons, and so that bulk and outliers still make up the trace."""
    law = spectrum(network, metric, width=width, samples=samples)
    own = spectrum(network, metric, width=width, samples=samples, kernels=order_parameters(network))
    refined = predict(network, metric, width=width, samples=samples, order="refined")
    assert np.isnan(refined.outliers).all()
    np.testing.assert_array_equal(law.outliers.values, own.outliers.values)
    assert any("by linear response" in w for w in law.warnings)
    assert set(refined.warnings) <= set(law.warnings)
    assert law.multiplicity == network.outputs * (samples - 1)
    trace = float(refined.mean) * float(refined.dimension)
    assert law.multiplicity * law.mean + law.outliers.values.sum() == pytest.approx(trace, rel=0.02)


def test_outliers_by_linear_response_are_those_of_random_networks() -> None:
    """In the third of these settings: to the several percent that its warning names."""
    network = Network(3, "erf", 1.5, 0.1)
    law = spectrum(network, FIM(), width=1000, samples=4)
    found = [measure(network, FIM(), width=1000, samples=4, seed=s, spectrum="extremes").largest for s in range(40)]
    error = np.std(found, ddof=1) / math.sqrt(len(found))
    assert abs(np.mean(found) - law.outliers.values[0]) < 3.5 * error + 0.06 * law.outliers.values[0]


def test_inputs_with_a_covariance_keep_their_outliers() -> None:
    """Refined theory knows standard inputs only: for others linear response answers."""
    equal, none = (spectrum(TANH, FIM(), width=1000, samples=100, input_spectrum=x) for x in (np.ones(50), None))
    np.testing.assert_array_equal(equal.outliers.values, none.outliers.values)
    assert equal.edges == none.edges
    spread = np.repeat([0.1, 1.9], 50)
    given = spectrum(TANH, FIM(), width=1000, samples=100, input_spectrum=spread)
    near = spectrum(TANH, FIM(), width=1000, samples=100, input_spectrum=[1 - 1e-7, 1 + 1e-7])
    own = spectrum(TANH, FIM(), width=1000, samples=100, kernels=order_parameters(TANH))
    np.testing.assert_allclose(near.outliers.values, own.outliers.values, rtol=1e-6)
    np.testing.assert_allclose(given.outliers.values, near.outliers.values, rtol=1e-3)
    assert given.outliers.values[0] < 0.995 * none.outliers.values[0]  # what linear response neglects at C = 10
    assert given.upper > 1.02 * none.upper


def test_outliers_of_inputs_with_a_covariance_are_those_of_random_networks() -> None:
    network, scales = Network(2, "relu", 2.0, 0.3), np.sqrt(np.repeat([0.1, 1.9], 150))
    law = spectrum(network, FIM(), width=300, samples=150, input_spectrum=scales**2)
    rng, found = np.random.default_rng(11), []
    for seed in range(60):
        x = rng.standard_normal((150, 300)) * scales
        found.append(measure(network, FIM(), width=300, inputs=x, seed=seed, spectrum="extremes").largest)
    error = np.std(found, ddof=1) / math.sqrt(len(found))
    assert abs(np.mean(found) - law.outliers.values[0]) < 3.5 * error + law.outliers.values[0] / 300


def test_a_singular_system_is_a_status() -> None:
    """A centred network's middle block has no features of its own: nothing is solved, and nothing raises."""
    law = spectrum(Network(3, "tanh", 1.5, 0.0, outputs=10), FIM(layer=2), width=100, samples=500)
    assert law.status == "the fixed point was not reached everywhere"
