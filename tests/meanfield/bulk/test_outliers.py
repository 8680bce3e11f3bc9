"""Outliers of several outputs: both laws against each other and against measured networks, and where they are void."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

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


def test_void_in_one_is_void_in_the_other() -> None:
    """Merged ones are counted in the bulk; those void for another reason are NaN, with predict's reason."""
    for network, metric, width, samples in (
        (Network(3, "tanh", 3.0, 0.64), FIM(layer=1), 600, 300),
        (Network(1, "linear", 2.0, 0.1), FIM(), 1000, 2000),
        (Network(3, "tanh", 3.0, 0.64, outputs=90), FIM(), 100, 50),
    ):
        law = spectrum(network, metric, width=width, samples=samples)
        assert len(law.outliers.values) == 0
        assert law.multiplicity == network.outputs * samples
        assert any("counted in the bulk" in w for w in law.warnings)
        assert np.isnan(predict(network, metric, width=width, samples=samples, order="refined").outliers).all()
    few = Network(3, "softplus", 1.5, 0.1, outputs=5)
    law = spectrum(few, FIM(), width=300, samples=3)
    refined = predict(few, FIM(), width=300, samples=3, order="refined")
    assert np.isnan(refined.outliers).all()
    assert np.isnan([law.outliers.values, law.outliers.std]).all()
    assert len(law.outliers.values) == 5
    assert law.multiplicity == 10
    assert set(refined.warnings) <= set(law.warnings)
    assert law.to_dict()["outliers"] == {"mean": [None] * 5, "std": [None] * 5}


def test_inputs_with_a_covariance_keep_their_outliers() -> None:
    """Refined theory knows standard inputs only: linear response answers, which agrees where they are standard."""
    given, none = (spectrum(TANH, FIM(), width=1000, samples=100, input_spectrum=x) for x in ([1.0, 1.0], None))
    np.testing.assert_allclose(given.outliers.values, none.outliers.values, rtol=0.015)
    assert given.edges == none.edges
