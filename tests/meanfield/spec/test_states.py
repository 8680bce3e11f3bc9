"""The record of a network's order parameters."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
import pytest

from meanfield import Network, OrderParameters, order_parameters
from meanfield.spec import LayerState

THEORY = order_parameters(Network(3, "tanh", 3.0, 0.64))


def test_arrays_stack_the_layers_states() -> None:
    for name in (f.name for f in fields(LayerState)):
        assert getattr(THEORY, name).tolist() == [float(getattr(layer, name)) for layer in THEORY.layers]


def test_plain_data_come_back_but_for_what_only_theory_knows() -> None:
    again = OrderParameters.of(THEORY.to_dict())
    assert list(again.to_dict()) == list(OrderParameters.NAMES)
    for name in OrderParameters.NAMES:
        np.testing.assert_array_equal(getattr(again, name), getattr(THEORY, name))
    np.testing.assert_array_equal(again.q_gap, THEORY.q - THEORY.q_st)
    assert (again.error, again.status) == (0.0, "ok")


def test_a_record_may_be_shared_and_so_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        THEORY.q[0] = 1.0


def test_equal_numbers_are_equal_records() -> None:
    plain = THEORY.to_dict()
    one_sample = OrderParameters.of(plain | {"q_st": [math.nan] * 3})
    assert one_sample == OrderParameters.of(plain | {"q_st": [math.nan] * 3})
    assert OrderParameters.of(plain) == OrderParameters.of(plain) != OrderParameters.of(plain | {"q": [1.0, 2.0, 3.0]})
    assert OrderParameters.of(plain) != THEORY
    assert THEORY != "tanh"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"q": None}, ValueError, "order_parameters: expected q, q_st"),
        ({"kappa": [1.0]}, ValueError, "order_parameters: expected q, q_st"),
        ({"backward": [1.0]}, ValueError, r"order_parameters.backward: expected the shape of q, \(3,\), got \(1,\)"),
        ({"forward": ["x"] * 3}, TypeError, "order_parameters.forward: expected numbers"),
    ],
)
def test_refuses(change: dict[str, object], error: type[Exception], message: str) -> None:
    quantities = {name: value for name, value in (THEORY.to_dict() | change).items() if value is not None}
    with pytest.raises(error, match=f"^{message}"):
        OrderParameters.of(quantities)  # type: ignore[arg-type]
