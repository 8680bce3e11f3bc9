"""The table of families."""

import pytest

from empirical.dual.families import FAMILIES, family_of
from empirical.networks.layers import DRAW
from meanfield.spec import FIM, METRICS, NTK, InputMetric, Linear
from meanfield.spec.layers import LAYERS


def test_both_sides_know_the_same_metrics_and_layers():
    assert set(FAMILIES) == set(METRICS)
    assert set(DRAW) == set(LAYERS.values())


@pytest.mark.parametrize(
    ("metric", "pair", "dimension"),
    [(FIM(), (0.2, 0.2), 7), (NTK(), (0.25, 0.5), 15), (InputMetric(), (0.0, 0.2), 7)],
)
def test_coefficients_and_dimension_are_those_of_the_definition(metric, pair, dimension):
    row = family_of(metric)
    assert row.coefficients(Linear(3.0, 0.5), entering=12, samples=5) == pair
    assert row.dimension(held=7, order=15) == dimension
