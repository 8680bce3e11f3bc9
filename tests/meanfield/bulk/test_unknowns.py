"""Where the order parameters of the bulk's law lie in one vector."""

from __future__ import annotations

import numpy as np
import pytest

from meanfield.bulk.unknowns import at_S, at_s, at_T, at_t, count, joined, split


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_every_order_parameter_has_a_place_of_its_own(depth: int) -> None:
    places = [at(l, depth) for at in (at_s, at_S) for l in range(depth)]
    places += [at(l, depth) for at in (at_t, at_T) for l in range(1, depth)]
    assert places == list(range(count(depth)))


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_split_names_what_the_places_hold(depth: int) -> None:
    y = 1.0 + np.arange(count(depth))
    found = split(y)
    for at, values in ((at_s, found.s), (at_S, found.S), (at_t, found.t), (at_T, found.T)):
        first = 0 if at in (at_s, at_S) else 1
        assert values[first:].tolist() == [y[at(l, depth)] for l in range(first, depth)]
    assert found.t[0] == found.T[0] == 0
    assert joined(found).tolist() == y.tolist()
