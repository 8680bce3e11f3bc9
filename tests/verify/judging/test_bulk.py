"""Measured spectra beside the predicted law of the bulk."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest

import meanfield.bulk.whole
from empirical import measure
from meanfield import spectrum
from meanfield.spec import FIM, NTK, InputMetric, Network
from verify.asking.records import Cell, Sample, Trial
from verify.judging.bulk import Bulk, bulks
from verify.judging.pairing import pair
from verify.judging.spectra import stored_spectra

NETWORK = Network(3, "tanh", 2.0, 0.3, 1)
CELL = Cell(NETWORK, 60, 40, (FIM(), InputMetric()))


def found_in(trials: list[Trial], cell: Cell = CELL) -> tuple[Bulk, ...]:
    return bulks(stored_spectra(pair([cell], trials, "leading")))


def trial(index: int, metric: FIM | InputMetric = CELL.metrics[0]) -> Trial:
    m = measure(NETWORK, metric, width=60, samples=40, seed=index, spectrum="full")
    sample = Sample(m.mean, m.second_moment, m.largest, tuple(m.outliers), m.dimension, m.eigenvalues)
    return Trial(CELL.key, index, "done", samples={metric.label: sample}, order_parameters=m.order_parameters)


@pytest.fixture(scope="module")
def found() -> Bulk:
    (bulk,) = found_in([trial(1), trial(0), replace(trial(2), status="failed")])
    return bulk


def test_each_network_has_its_distances_in_the_order_of_trial_numbers(found: Bulk) -> None:
    law = spectrum(NETWORK, FIM(), width=60, samples=40)
    for index, distances in enumerate(found.networks):
        bulk = np.asarray(next(iter(trial(index).samples.values())).eigenvalues)[1:]
        assert distances.raw == pytest.approx(kstest(bulk, law.cdf).statistic, abs=1e-9)
        scaled = bulk * (law.mean / bulk.mean())
        assert distances.normalised == pytest.approx(kstest(scaled, law.cdf).statistic, abs=1e-9)
        assert (distances.lower, distances.upper) == (bulk[-1], bulk[0])
    assert len(found.networks) == 2


def test_the_law_of_ones_own_order_parameters_is_that_of_this_network(found: Bulk) -> None:
    m = measure(NETWORK, FIM(), width=60, samples=40, seed=0, spectrum="full")
    own = spectrum(NETWORK, FIM(), width=60, samples=40, kernels=m.order_parameters)
    assert found.networks[0].own == pytest.approx(own.distance(m.eigenvalues), abs=1e-12)
    assert found.networks[0].own != found.networks[0].raw


def test_without_stored_order_parameters_the_own_distance_is_unknown() -> None:
    (bulk,) = found_in([replace(trial(0), order_parameters=None)])
    assert math.isnan(bulk.networks[0].own)
    assert bulk.networks[0].raw < 0.5


def test_a_metric_without_a_law_carries_the_reason() -> None:
    (bulk,) = found_in([trial(0, InputMetric())])
    assert (bulk.law, bulk.networks) == (None, ())
    assert "input_metric" in bulk.reason
    assert math.isnan(bulk.mean("raw").value)


def test_a_law_without_its_density_carries_its_status() -> None:
    cell = Cell(Network(3, "exp", 1.0, 0.2), 60, 40, (FIM(),))
    (bulk,) = found_in([replace(trial(0), cell=cell.key)], cell)
    assert (bulk.law, bulk.networks) == (None, ())
    assert "averages over the neurons" in bulk.reason


def test_cells_without_stored_spectra_have_none() -> None:
    plain = Sample(1.0, 1.0, 1.0, (1.0,), 10)
    assert found_in([Trial(CELL.key, 0, "done", samples={"FIM": plain})]) == ()
    assert found_in([trial(0)], Cell(NETWORK, 60, 40, (NTK(),))) == ()


def test_laws_of_single_networks_are_found_for_the_first_ones_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verify.judging.bulk.OWN", 2)
    (bulk,) = found_in([trial(0)] + [replace(trial(0), index=i) for i in (1, 2)])
    assert [math.isnan(d.own) for d in bulk.networks] == [False, False, True]
    assert bulk.mean("own").value == pytest.approx(np.mean([d.own for d in bulk.networks[:2]]))
    assert bulk.mean("own").degrees == 1


def test_a_law_that_was_not_found_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    true = meanfield.bulk.whole.spectrum
    monkeypatch.setattr(
        meanfield.bulk.whole, "spectrum", lambda *args, **options: replace(true(*args, **options), status="lost")
    )
    (bulk,) = found_in([trial(0)])
    assert (bulk.law, bulk.networks, bulk.reason) == (None, (), "law of the bulk: lost")
