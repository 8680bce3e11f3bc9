"""Plain data spelled."""

from __future__ import annotations

import json
import math
from types import MappingProxyType

import numpy as np

from meanfield.text import alike, plain


def test_what_all_are_is_said_once_and_what_differs_in_full() -> None:
    assert alike((2.0, 2.0)) == 2.0
    assert alike((2.0, 1.0)) == "2.0/1.0"
    assert alike([2.0, 1.0], lambda values: json.dumps(list(values))) == "[2.0, 1.0]"


def test_plain_data_has_no_numpy_and_no_nan() -> None:
    given = MappingProxyType({"a": np.float64(2), "b": [np.int64(3), math.inf, None, True], "c": np.array([math.nan])})
    assert plain(given) == {"a": 2.0, "b": [3, None, None, True], "c": [None]}
